"""One reading of a book: what it will come to, how it goes on, and the files that it writes.

session.py   one reading, with no screen and no keyboard
plan.py      what a reading will come to, before it is made
export.py    the files that a reading writes, and what they say of the book
"""
