"""Cuts paragraphs that are longer than any author's: a book in one line, or what a program wrote.

All that comes later looks at a paragraph as a whole, so what it needs of memory depends on the longest one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from narrate.text.characters import CLOSERS, STOPS
from narrate.text.document import Document, Paragraph, Span

LONGEST = 100_000  # characters; the longest paragraphs of literature have about as many
STOP = re.compile(rf"[{STOPS}][{re.escape(CLOSERS)}\"']*(?:\s|(?<=[^\x00-\x7f]))")


def bearable(document: Document) -> Document:
    """Return the document with each paragraph that is longer than `LONGEST` cut to several, at ends of sentences."""
    if all(_length(paragraph) <= LONGEST for chapter in document.chapters for paragraph in chapter.paragraphs):
        return document
    return replace(
        document,
        chapters=tuple(
            replace(chapter, paragraphs=tuple(piece for one in chapter.paragraphs for piece in _pieces(one)))
            for chapter in document.chapters
        ),
    )


def _length(paragraph: Paragraph) -> int:
    return sum(len(span.text) for span in paragraph.spans)


def _pieces(paragraph: Paragraph) -> Iterator[Paragraph]:
    if _length(paragraph) <= LONGEST:
        yield paragraph
        return
    held: list[Span] = []
    length = 0
    for span in paragraph.spans:
        for part in _parts(span, length):
            if held and length + len(part.text) > LONGEST:
                yield Paragraph(tuple(held), paragraph.kind)
                held, length = [], 0
            held.append(part)
            length += len(part.text)
    yield Paragraph(tuple(held), paragraph.kind)


def _parts(span: Span, before: int) -> Iterator[Span]:
    """Cut a span to parts, the first of which has room after so many characters."""
    if span.whole:
        yield span
        return
    begin = 0
    while len(span.text) - begin + before > LONGEST:
        end = _cut(span.text, begin, max(begin + 1, begin + LONGEST - before))
        yield Span(span.text[begin:end], span.start + begin, span.start + end)
        begin, before = end, 0
    if begin < len(span.text):
        yield Span(span.text[begin:], span.start + begin, span.end)


def _cut(text: str, begin: int, end: int) -> int:
    """Return where to cut at or before `end`: after the last sentence, else after the last space, else there."""
    middle = (begin + end) // 2
    stops = [stop.end() for stop in STOP.finditer(text, max(middle, end - 5000), end)]
    return stops[-1] if stops else max(text.rfind(" ", middle, end) + 1, 0) or end
