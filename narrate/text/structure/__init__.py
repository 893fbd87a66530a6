"""What a text is made of: chapters with headings, prose and verse.

headings.py    knows lines that are headings, in ten languages
outline.py     finds the headings, contents and page numbers of a whole text
contents.py    finds tables of contents as they are printed, without links
numbering.py   finds the numbers that count up through it
alike.py       finds titles that stand alike all through it
lines.py       is a line of a text and how it stands among its neighbours
chapters.py    makes chapters from headings, and chooses some of them
title_line.py  knows the line that names title and author
paragraphs.py  cuts those that are longer than any author's
verse.py       finds lines that are verse
"""
