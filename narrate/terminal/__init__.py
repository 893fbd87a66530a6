"""A listener at a terminal.

books.py       several books one after the other
listen.py      a reading at a terminal, for an ear or into a file
plan.py        what a reading will come to, before it is made
naming.py      names for the files of several books
files.py       the files it writes, and what they say of the book
display.py     what is shown: a panel, or lines
keys.py        the keys pressed
controls.py    what each key does
"""
