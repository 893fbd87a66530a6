"""A listener at a terminal.

books.py       several books: one after the other for an ear,
library.py     or several at a time into files
listen.py      a reading at a terminal, for an ear or into a file
plan.py        what a reading will come to, before it is made
check.py       what a recogniser hears in the takes that are stored
review.py      the takes in doubt, one after the other
examining.py   the judge of takes that the books of a run share
price.py       what it costs, where a server wants money
naming.py      names for the files of several books
display.py     what is shown: lines, or
panel.py       some lines at the end of the screen that are drawn again and again
wording.py     what is said of the moment, of the end, and where it was broken off
echo.py        what is typed is not shown between those lines
suspend.py     Ctrl-Z
wrap.py        long lines broken between words
keys.py        the keys pressed
controls.py    what each key does
"""
