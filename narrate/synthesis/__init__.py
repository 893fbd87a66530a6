"""From chunks, an engine and a store to clips in reading order.

narrator.py    the one job: listening, export, benchmark and server all come here
queue.py       what goes to the engine and what comes back
retry.py       what becomes of a bad take
elsewhere.py   what other processes are making
judge.py       is this take good?
stats.py       what was done so far
exchange.py seat.py    many readings share one engine, and the place of each
schedule.py load.py    which of their requests is next; how busy the engine is
"""
