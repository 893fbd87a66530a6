"""The store of takes: a take is made once, and what was heard is what is exported.

takes.py            what a take is, and what everything that keeps takes can do
store.py            the store on disk: opened once per process, with a light view for every book
in_memory.py        takes in memory: in front of the disk, or in its place
key.py              what a take is stored and found under
take_files.py flac.py    one file per take, which proves itself whole
index.py            size, last use and book of every take; can be lost
presence.py         which processes are using the store now
"""
