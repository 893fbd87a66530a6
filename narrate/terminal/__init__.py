"""A listener at a terminal.

display.py     what is shown: a panel, or lines
keys.py        the keys pressed
controls.py    what each key does
"""
