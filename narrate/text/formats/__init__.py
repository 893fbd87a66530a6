"""One reader for each format that books come in. A reader makes a Document of a file.

plain.py gutenberg.py                   plain text, Project Gutenberg
aozora.py notation.py gaiji.py ruby.py  Aozora Bunko
pages.py markdown.py docx.py            HTML, Markdown, DOCX
epub.py package.py archive.py           EPUB
article.py                              the article of a page from the web, without what stands beside it
saved_page.py                           a page that a browser saved in one file (MHTML)
pdf.py rich_text.py fictionbook.py      PDF, RTF, FictionBook
subrip.py                               subtitles: SubRip and WebVTT
markup.py page_reader.py                the tree of a page, and its text
choices.py                              what a listener may choose about notes, code, pictures and tables
contents.py footnotes.py                contents and footnotes of pages
end_notes.py                            the notes at the end of a plain text
text_builder.py                         writes the text of pages, and what is left out
"""
