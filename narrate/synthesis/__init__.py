"""From chunks, an engine and a store to clips in reading order.

narrator.py    the one job: listening, export, benchmark and server all come here
queue.py       what goes to the engine and what comes back
job.py         a chunk on its way
retry.py       what becomes of a bad take
trial.py       takes before slow judges, beside the making
recall.py      takes that are held back until those have spoken
elsewhere.py   what other processes are making
judge.py       is this take good?
stats.py       what was done so far
exchange.py seat.py    many readings share one engine, and the place of each
schedule.py load.py    which of their requests is next; how busy the engine is
"""
