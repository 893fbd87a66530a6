"""Which stretch of a paragraph is heard when: the sentences of a chunk, found again in the text of the book."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from narrate.clip import Samples
from narrate.sinks.captions import sentence_times
from narrate.text.chunking.aligned import says_anything
from narrate.text.chunking.sentences import sentence_breaks
from narrate.text.document import Chunk, Paragraph


class Stretch(NamedTuple):
    """text[begin:end] of the paragraph of this number in its chapter."""

    paragraph: int
    begin: int
    end: int


class Heard(NamedTuple):
    """A stretch, and the first sample of its sound in the chapter. It lasts until the next one begins."""

    stretch: Stretch
    start: int


class PageText:
    """The text of a paragraph as a page shows it, and how its offsets follow from those in the source."""

    def __init__(self, paragraph: Paragraph) -> None:
        self.spans = paragraph.spans
        self.text = paragraph.text
        self.starts = [0, *accumulate(len(span.text) for span in self.spans)]
        self.source_start, self.source_end = paragraph.start, paragraph.end
        self._sources = [span.start for span in self.spans]

    def offset(self, source: int, *, after: bool) -> int:
        """The offset in the text of an offset in the source. A span that must not be cut counts to one side of it."""
        index = max(0, bisect_right(self._sources, source) - 1)
        if after and index and self._sources[index] == source:
            index -= 1  # the end of the span before, and not the beginning of an empty one
        span = self.spans[index]
        if source >= span.end:
            return self.starts[index + 1]
        if span.whole:
            return self.starts[index + 1] if after and source > span.start else self.starts[index]
        return self.starts[index] + max(0, source - span.start)

    def whole_end(self, at: int) -> int:
        """The first offset from `at` on that lies inside no span that must not be cut."""
        index = bisect_right(self.starts, at) - 1
        inside = index < len(self.spans) and self.starts[index] < at and self.spans[index].whole
        return self.starts[index + 1] if inside else at


class Reader:
    """Follows the chunks of a chapter through its paragraphs. No text is found twice.

    `first` is the number in the book of the chapter's first paragraph.
    """

    def __init__(self, paragraphs: Sequence[Paragraph], first: int) -> None:
        self.pages = [PageText(paragraph) for paragraph in paragraphs]
        self._first = first
        self._reached = (0, 0)  # paragraph and offset

    def heard(self, chunk: Chunk, sound: Samples, sample_rate: int, start: int) -> list[Heard]:
        """The sentences of the chunk, whose sound begins at the sample `start` of the chapter."""
        stretches = list(self._stretches(chunk))
        if not stretches:
            return []
        texts = [self.pages[paragraph].text[begin:end] for paragraph, begin, end in stretches]
        times = sentence_times(texts, chunk.language, sound, sample_rate)
        begins = [start, *(start + begin for begin, _ in times[1:])]
        return [Heard(*pair) for pair in zip(stretches, begins, strict=True)]

    def _stretches(self, chunk: Chunk) -> Iterator[Stretch]:
        for number in range(max(0, chunk.paragraph - self._first), len(self.pages)):
            page = self.pages[number]
            if page.source_start >= chunk.end:
                return
            begin = page.offset(max(chunk.start, page.source_start), after=False)
            end = page.offset(min(chunk.end, page.source_end), after=True)
            if self._reached[0] == number:
                begin = max(begin, self._reached[1])
            yield from _sentences(page, number, begin, end, chunk.language)
            self._reached = max(self._reached, (number, end))


def _sentences(page: PageText, number: int, begin: int, end: int, language: str) -> Iterator[Stretch]:
    """The sentences of text[begin:end] that say anything, without white space around them."""
    start = begin
    for at, _ in sentence_breaks(page.text[begin:end], language) if begin < end else ():
        stop = min(end, page.whole_end(begin + at))
        text = page.text[start:stop]
        if not says_anything("".join(_said(page, start, stop))):
            continue  # ornaments belong to the sentence after them
        yield Stretch(number, start + len(text) - len(text.lstrip()), stop - len(text) + len(text.rstrip()))
        start = stop


def _said(page: PageText, begin: int, end: int) -> Iterator[str]:
    for span, start in zip(page.spans, page.starts, strict=False):
        if start < end and start + len(span.text) > begin:
            yield span.sound if span.spoken is not None else span.text[max(0, begin - start) : end - start]
