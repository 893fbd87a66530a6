"""What a text is made of.

headings.py    lines that are headings, in ten languages
outline.py     the headings of a whole text, and what they divide
chapters.py    chapters from headings, and the choice of some of them
verse.py       lines that are verse
"""
