"""The nouns of text: Document, Chapter, Paragraph, Span, Chunk. Every one knows where it stands in the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a paragraph and the source it came from.

    `text` is what a reader's eye sees, without markup; `start`, `end` the character offsets in `Document.source` of
    all that stands for it (for 《ruby》: base, marks and reading). `spoken`, if not None, is said instead of `text`:
    a reading, an expansion, or "" for what is seen and not said.
    """

    text: str
    start: int
    end: int
    spoken: str | None = None

    @property
    def sound(self) -> str:
        return self.text if self.spoken is None else self.spoken

    @property
    def whole(self) -> bool:
        """True if the span must not be cut: it has a reading, or does not map to the source one to one."""
        return self.spoken is not None or self.end - self.start != len(self.text)


ParagraphKind = Literal["prose", "heading", "verse"]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Pieces in source order. `kind` is "prose", "heading" (a chapter's title) or "verse" (one line of a poem)."""

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
    """`number` counts from 1 as a reader would (wagahai has 1 … 11); 0 is what stands before the first heading of a
    book that has headings. The heading is the first paragraph (kind "heading"); `title` is its text in one line."""

    number: int
    title: str
    paragraphs: tuple[Paragraph, ...]


ExcludedKind = Literal[
    "beside", "code", "colophon", "contents", "cover", "footnote", "form", "head", "header", "hidden", "illustration",
    "legend", "licence", "media", "note", "page", "producer", "reference", "repeat", "ruby mark",
]  # fmt: skip


class Excluded(NamedTuple):
    """Source that is not spoken, by kind: "licence", "legend", "colophon", "contents", "note", "header" …"""

    kind: ExcludedKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A book. `source` is the decoded text that all offsets refer to; for EPUB, HTML, DOCX and PDF it is the text of
    all parts in reading order, one after the other, before anything is left out. `warnings` are for the listener."""

    title: str
    author: str
    language: str
    chapters: tuple[Chapter, ...]
    source: str
    excluded: tuple[Excluded, ...] = ()
    encoding: str = "utf-8"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One request to an engine: the one thing that travels from text to sound.

    `pause` is the silence after it in seconds, `paragraph` the running number of its paragraph in the book, `attempt`
    how often it was tried before, `take` how many takes of the same sentence must sound different (a new attempt or
    take is a new seed).
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
    attempt: int = 0
    take: int = 0
