"""From a file to chunks: the stretches of text that an engine speaks one at a time. Nothing here knows sound.

readers.py     reads every file; encoding.py turns its bytes into text
formats/       one reader per kind of file
structure/     finds headings, chapters and verse
spoken/        decides what is said for what is seen
chunking/      cuts the text for speech
comparison/    compares what is written with what was heard
book.py        a book that is open for reading: what identifies it, and its script of chunks
web.py         fetches a page from its address
document.py    the data: Document, Chapter, Paragraph, Span, Chunk
language.py    finds out which language a text is in
characters.py  marks that end a sentence, and the letters of each script
brackets.py    finds what brackets and quotation marks enclose
"""
