"""Cuts a text into chunks: stretches that an engine speaks one at a time.

chunks.py        makes chunks of a document
sentences.py     finds where sentences end, in ten languages
phrases.py       finds where a sentence that is too long may be cut
abbreviations.py knows abbreviations after which a sentence goes on
passages.py      groups paragraphs that are cut together
speakers.py      knows the names of speakers in plays
aligned.py       keeps text, what is said for it, and its source side by side
arrivals.py      makes chunks of text that is still being written
"""
