"""A book that is open for reading aloud. Its script is the list of its chunks, which grows while they are read."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from textwrap import shorten
from typing import Literal

from narrate.clock import OFF, Clock
from narrate.errors import InputError
from narrate.pipeline import LazyList
from narrate.text import readers, web
from narrate.text.chunking import arrivals, chunks
from narrate.text.document import Chunk, Document
from narrate.text.encoding import MOST_BYTES
from narrate.text.formats.choices import Code, Footnotes, Tables
from narrate.text.language import LANGUAGES, detect_language
from narrate.text.spoken import normalize
from narrate.text.structure import chapters

TITLE_LETTERS = 40  # of a text without a name, that stand for one


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How a text is read, made sayable and cut. The listener writes `chapters` like this: "3-5,9".

    With `announce`, a heading that is only a number is said with the word for a chapter.
    """

    language: str | None = None
    encoding: str | None = None
    ruby: Literal["reading", "base"] = "reading"
    ruby_memory: bool = True
    footnotes: Footnotes = "skip"
    code: Code = "skip"
    alt: bool = False
    tables: Tables = "plain"
    announce: bool = False
    chapters: str | None = None
    dictionary: Path | None = None
    spell_out: bool = False
    mixed: bool = False
    max_chars: int | None = None
    max_bytes: int = MOST_BYTES


@dataclass(frozen=True, slots=True)
class BookId:
    """What identifies a book.

    `content` is a hash of the source text. `path` is absolute, or an address of the web, or "" for standard input.
    """

    content: str
    path: str
    title: str


@dataclass(frozen=True)
class Book:
    """A text that is still being written has no `document`: its chunks come as soon as their sentences are complete.

    `path` is its file, `address` where it was fetched from. What is still being written comes from `arriving`; None is
    standard input, of which `content` was read already.
    `rules_used` counts how often each rule of the listener's dictionary was applied. `whole` is the extent of the book
    as it was before some of its chapters were chosen.
    """

    name: str
    language: str
    options: TextOptions
    document: Document | None
    path: Path | None = None
    content: bytes = field(default=b"", repr=False)
    address: str = ""
    arriving: arrivals.Arriving | None = field(default=None, repr=False)
    rules_used: Counter[normalize.Rule] = field(default_factory=Counter)
    whole: tuple[int, int] = (0, 0)

    @property
    def title(self) -> str:
        return (self.document.title if self.document else "") or self.name

    @property
    def author(self) -> str:
        return self.document.author if self.document else ""

    @cached_property
    def identity(self) -> BookId:
        """What identifies the book. Text that is still being written has no hash and no path."""
        if self.document is None:
            return BookId("", "", self.name)
        known = book_id(self.document, self.path)
        return replace(known, path=self.address) if self.address else known

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Return where the text that is read, the chosen chapters, begins and ends: two offsets in the source."""
        return extent_of(self.document) if self.document else (0, 0)

    def share(self, chunk: Chunk) -> float | None:
        """Return which share (0 to 1) of what is read lies before the chunk's end.

        It is None for text that is still being written.
        """
        first, last = self.extent
        return (chunk.end - first) / (last - first) if last > first else None

    def script(self, lengths: chunks.Lengths, *, fresh_takes: bool = False) -> LazyList[Chunk]:
        """Return the chunks of the book. They have the engine's `lengths`, unless the listener chose a size.

        With `fresh_takes`, sentences that are equal do not share a take.
        """
        if self.options.max_chars is not None:
            lengths = chunks.Lengths.of(self.options.max_chars)
        source: Iterable[Chunk | None]
        if self.document is None:
            sayable = partial(_sayable, options=self.options)
            source = arrivals.arriving_chunks(
                self.arriving or arrivals.ArrivingPipe(sys.stdin.fileno(), self.content),
                lengths,
                language=self.language,
                mixed=self.options.mixed,
                sayable=sayable,
            )
        else:
            source = chunks.cut(self.document, lengths, mixed=self.options.mixed)
        return LazyList(_each_its_own(source) if fresh_takes else source)


def book_id(document: Document, path: Path | None) -> BookId:
    """Return what identifies a book. It does not depend on the chosen chapters: all of the source counts."""
    content = "b2:" + blake2b(document.source.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    named = document.title or (path.name if path else "")
    return BookId(content, str(path.resolve()) if path else "", named)


def extent_of(document: Document) -> tuple[int, int]:
    """Return where the spoken text of a document begins and ends: two offsets in its source."""
    spans = [
        span
        for chapter in document.chapters
        for paragraph in (*chapter.paragraphs[:1], *chapter.paragraphs[-1:])
        for span in paragraph.spans
    ]
    return (spans[0].start, spans[-1].end) if spans else (0, 0)


def open_book(where: str, options: TextOptions, clock: Clock = OFF) -> Book:
    """Open the file `where`, the page at an address of the web, or "-" for standard input.

    Raises InputError for what cannot be read aloud.
    """
    if options.language is not None and options.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"narrate does not know the language '{options.language}'. Known are: {known}.")
    used: Counter[normalize.Rule] = Counter()
    if web.is_address(where):
        with clock.stage("load"):
            fetched = web.fetch(where, options.max_bytes)
            document = readers.read_bytes(fetched.data, fetched.name, _read_options(options), where)
        whole = extent_of(document)
        document = _sayable(document, options, used)
        return Book(fetched.name, document.language, options, document, address=where, rules_used=used, whole=whole)
    if where != "-":
        path = Path(where)
        with clock.stage("load"):
            document = readers.read_file(path, _read_options(options))
        whole = extent_of(document)
        with clock.stage("normalise"):
            document = _sayable(document, options, used)
        return Book(path.name, document.language, options, document, path.resolve(), rules_used=used, whole=whole)
    content, finished = arrivals.gather(sys.stdin.fileno(), max_bytes=options.max_bytes)
    if finished:
        document = readers.read_bytes(content, "standard input", _read_options(options))
        whole = extent_of(document)
        document = _sayable(document, options, used)
        return Book("standard input", document.language, options, document, rules_used=used, whole=whole)
    if options.chapters is not None:
        raise InputError("Text that is still being written has no chapters to choose from yet; leave out --chapters.")
    language = options.language or detect_language(content.decode("utf-8", "replace"))
    return Book("standard input", language, options, None, content=content)


def book_of_text(text: str, options: TextOptions) -> Book:
    """A text in memory as a book. Raises InputError if there is nothing in it to say."""
    used: Counter[normalize.Rule] = Counter()
    document = readers.read_bytes(text.encode("utf-8", "replace"), "the text", _read_options(options))
    whole = extent_of(document)
    document = _sayable(replace(document, title=shorten(text, TITLE_LETTERS, placeholder=" …")), options, used)
    return Book("text", document.language, options, document, whole=whole, rules_used=used)


def book_of_dictation(source: arrivals.Arriving, options: TextOptions, language: str) -> Book:
    """A text that is still being written in this language, as a book. Raises InputError for what it cannot have."""
    if language not in LANGUAGES:
        raise InputError(f"narrate does not know the language '{language}'. Known are: {', '.join(LANGUAGES)}.")
    if options.chapters is not None:
        raise InputError("Text that is still being written has no chapters to choose from yet.")
    return Book("text", language, options, None, arriving=source)


def _each_its_own(script: Iterable[Chunk | None]) -> Iterator[Chunk | None]:
    """Give the n-th of equal sentences the n-th take, wherever it stands, so that an edited book needs no new takes."""
    takes: Counter[tuple[str, str]] = Counter()
    for chunk in script:
        if chunk is None:
            yield None
            continue
        said = (chunk.language, chunk.spoken)
        yield replace(chunk, take=takes[said])
        takes[said] += 1


def _read_options(options: TextOptions) -> readers.ReadOptions:
    return readers.ReadOptions(
        language=options.language,
        encoding=options.encoding,
        ruby=options.ruby,
        ruby_memory=options.ruby_memory,
        footnotes=options.footnotes,
        code=options.code,
        alt=options.alt,
        tables=options.tables,
        max_bytes=options.max_bytes,
    )


def _sayable(document: Document, options: TextOptions, used: Counter[normalize.Rule] | None = None) -> Document:
    if options.chapters is not None:
        document = chapters.select(document, chapters.parse_chapters(options.chapters))
    rules = normalize.load_dictionary(options.dictionary) if options.dictionary else ()
    return normalize.normalize(document, normalize.SayOptions(rules, options.spell_out, options.announce), used)
