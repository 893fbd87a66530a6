"""Books to read and to hear at once: EPUB 3 with Media Overlays, in which each sentence lights up while it sounds.

book.py        the sink: sound and text of one chapter after the other, into one archive
sentences.py   which stretch of a paragraph is heard when
pages.py       chapters as XHTML, with readings above their words
package.py     the files that say what belongs to the book, in which order, and what sounds where
"""
