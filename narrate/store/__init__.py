"""The store of takes: a take is made once, and what was heard is what is exported.

store.py       the store: all that follows, joined
key.py         what a take is stored and found under
files.py flac.py    one file per take, which proves itself whole
index.py       size, last use and book of every take; can be lost
presence.py    which processes are using the store now
memory.py      takes at hand
"""
