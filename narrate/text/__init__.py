"""From a file to chunks: what one breath says. Knows nothing of sound.

readers.py     the door for every text; encoding.py turns bytes into text
formats/       one reader per kind of file
structure/     headings, chapters, verse
spoken/        what is said for what is seen
chunking/      cutting for speech
book.py        a book opened for reading: identity, chapters, the script of chunks
document.py    the nouns: Document, Chapter, Paragraph, Chunk
language.py    which language a text is in
characters.py  what ends a sentence, which script a letter is of; brackets.py: what brackets enclose
"""
