"""Cutting a text into what one breath says.

chunks.py        a document becomes chunks
sentences.py     where sentences end, in ten languages
phrases.py       where a sentence that is too long is cut
passages.py      paragraphs that are cut together
aligned.py       text, what is said for it, and its source, side by side
arrivals.py      text that is spoken while it is still being written
"""
