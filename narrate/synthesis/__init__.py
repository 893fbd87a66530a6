"""From chunks, an engine and a store to clips in reading order.

narrator.py    the one job: listening, export, benchmark and server all come here
queue.py       what goes to the engine and what comes back
retry.py       what becomes of a bad take
elsewhere.py   what other processes are making
judge.py       is this take good?
stats.py       what was done so far
exchange.py    many readings at one engine
"""
