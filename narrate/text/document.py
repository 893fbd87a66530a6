"""The data of a text: Document, Chapter, Paragraph, Span, Chunk. Spans and chunks know their place in the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a paragraph and the source it came from.

    `text` is what the eye sees, without markup. `start` and `end` are offsets (in characters) in `Document.source`;
    for a word with 《ruby》 they include the marks and the reading. If `spoken` is not None, it is said instead of
    `text`: it is a reading, an expansion, or "" for something that is seen and not said.
    """

    text: str
    start: int
    end: int
    spoken: str | None = None

    @property
    def sound(self) -> str:
        """What is said."""
        return self.text if self.spoken is None else self.spoken

    @property
    def whole(self) -> bool:
        """True if the span must not be cut: its own words are said for it, or its source is longer than its text."""
        return self.spoken is not None or self.end - self.start != len(self.text)


ParagraphKind = Literal["prose", "heading", "verse"]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One or more spans in the order of the source. A heading is a title; verse is one line of a poem."""

    spans: tuple[Span, ...]
    kind: ParagraphKind = "prose"

    @property
    def start(self) -> int:
        return self.spans[0].start

    @property
    def end(self) -> int:
        return self.spans[-1].end

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Chapters are numbered from 1, as a reader would count them.

    In a book with headings, number 0 is what stands before the first of them. The headings are the first paragraphs
    of a chapter (kind "heading"); `title` is their text in one line.
    """

    number: int
    title: str
    paragraphs: tuple[Paragraph, ...]


ExcludedKind = Literal[
    "beside", "code", "colophon", "contents", "cover", "footnote", "form", "head", "header", "hidden", "illustration",
    "index", "legend", "licence", "media", "note", "page", "producer", "reference", "repeat", "ruby mark", "stamp",
]  # fmt: skip


class Excluded(NamedTuple):
    """A stretch of the source that is not spoken: source[start:end]."""

    kind: ExcludedKind
    start: int
    end: int


class Edition(NamedTuple):
    """What a book says of itself besides title and author; "" for what it does not say. `part` is its number in the
    series, as the publisher writes it."""

    description: str = ""
    publisher: str = ""
    date: str = ""
    series: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A book. All offsets refer to `source`, the decoded text.

    For EPUB, HTML, DOCX and PDF, `source` is the text of all pages in reading order, with all that is not spoken.
    `warnings` are sentences for the listener. `cover` is a picture as JPEG or PNG.
    """

    title: str
    author: str
    language: str
    chapters: tuple[Chapter, ...]
    source: str
    excluded: tuple[Excluded, ...] = ()
    encoding: str = "utf-8"
    warnings: tuple[str, ...] = ()
    edition: Edition = Edition()
    cover: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one breath says: the one noun that travels from text to sound.

    `text` is what a reader's eye sees, `spoken` what is said for it. `pause` is the silence after it in seconds,
    `start`, `end` its place in `Document.source`, `paragraph` the running number of its paragraph in the book. `take`
    counts equal sentences that must sound different: another number is another take.
    """

    index: int
    chapter: int
    title: str
    text: str
    spoken: str
    language: str
    pause: float
    start: int
    end: int
    paragraph: int = 0
    take: int = 0
