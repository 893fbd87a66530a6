"""From chunks, an engine and a store to clips in reading order.

narrator.py    the one job: listening, export, benchmark and server all come here
queue.py       what goes to the engine and what comes back
judge.py       is this take good?
"""
