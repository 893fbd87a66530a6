"""Decides what is said for what is seen.

normalize.py     gives spans of a document other words to say
sayable.py       finds marks and numbers that a voice cannot say
numerals.py      says Roman numerals, fractions, dates and times as a reader does
old_kana.py      says texts in old Japanese orthography as they were meant
dictionary.py    reads the listener's words and how to say them
"""
