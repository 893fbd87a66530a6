"""Readers of the kinds of files that books come in.

plain.py gutenberg.py contents.py              plain text, Project Gutenberg's, printed contents
aozora.py notation.py gaiji.py ruby.py         Aozora Bunko
epub.py package.py archive.py footnotes.py     EPUB
pages.py markup.py page_reader.py text_builder.py    HTML, Markdown, DOCX
pdf.py                                         PDF
"""
