"""Books to read and to hear at once: EPUB 3 with Media Overlays, in which each sentence lights up while it sounds.

book.py                 the sink: sound and text of one chapter after the other, into one archive
sentences.py            which stretch of a paragraph is heard when
layout.py               what pages have to do, ours or the publisher's
own.py pages.py         chapters as XHTML of our own, with readings above their words
package.py              the files that say what belongs to the book, in which order, and what sounds where
publisher.py            the pages of the EPUB that the book came as, with a name for each sentence
publisher_package.py    its package file, with overlays added
elements.py             an XML file as it stands, to be changed in a few places
places.py               each paragraph found again on the pages
targets.py              parts of a page that a name can be given to
inspection.py           a book read back, and what is wrong with it
"""
