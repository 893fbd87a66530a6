"""A book opened for reading aloud: its text made sayable, and the script of chunks, which grows as it is read."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from narrate.clock import OFF, Clock
from narrate.errors import InputError
from narrate.pipeline import Growing
from narrate.text import readers
from narrate.text.chunking import arrivals, chunks
from narrate.text.document import Chunk, Document
from narrate.text.language import LANGUAGES, detect_language
from narrate.text.spoken import normalize
from narrate.text.structure import chapters


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How a text is read, made sayable and cut. `chapters` as the listener writes them: "3-5,9"."""

    language: str | None = None
    encoding: str | None = None
    ruby: Literal["reading", "base"] = "reading"
    ruby_memory: bool = True
    footnotes: Literal["skip", "end"] = "skip"
    chapters: str | None = None
    dictionary: Path | None = None
    spell_out: bool = False
    mixed: bool = False
    max_chars: int | None = None


@dataclass(frozen=True, slots=True)
class BookId:
    """What a book is recognised by. `content` is a hash of its source text, `path` absolute or "" (standard input)."""

    content: str
    path: str
    title: str


@dataclass(frozen=True)
class Book:
    """`document` is None for a text that is still being written; its chunks come as its sentences do.

    `rules_used` counts how often each rule of the listener's dictionary was followed.
    """

    name: str
    language: str
    options: TextOptions
    document: Document | None
    path: Path | None = None
    content: bytes = field(default=b"", repr=False)
    rules_used: Counter[normalize.Rule] = field(default_factory=Counter)

    @property
    def title(self) -> str:
        return (self.document.title if self.document else "") or self.name

    @property
    def author(self) -> str:
        return self.document.author if self.document else ""

    @cached_property
    def identity(self) -> BookId:
        """What the book is known by; text that is still being written is known by nothing."""
        return book_id(self.document, self.path) if self.document else BookId("", "", self.name)

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Where in the source the text that will be spoken begins and ends."""
        spans = [
            span
            for chapter in (self.document.chapters if self.document else ())
            for paragraph in (*chapter.paragraphs[:1], *chapter.paragraphs[-1:])
            for span in paragraph.spans
        ]
        return (spans[0].start, spans[-1].end) if spans else (0, 0)

    def share(self, chunk: Chunk) -> float | None:
        """How much of the book is over when the chunk is, 0 … 1; None for text that is still being written."""
        first, last = self.extent
        return (chunk.end - first) / (last - first) if last > first else None

    def script(self, lengths: chunks.Lengths, *, fresh_takes: bool = False) -> Growing[Chunk]:
        """The chunks of the book, cut to suit an engine unless the listener set their size.

        `fresh_takes`: equal sentences get takes of their own.
        """
        if self.options.max_chars is not None:
            lengths = chunks.Lengths.of(self.options.max_chars)
        source: Iterable[Chunk | None]
        if self.document is None:
            sayable = partial(_sayable, options=self.options)
            source = arrivals.arriving_chunks(
                sys.stdin.fileno(),
                self.content,
                lengths,
                language=self.language,
                mixed=self.options.mixed,
                sayable=sayable,
            )
        else:
            source = chunks.cut(self.document, lengths, mixed=self.options.mixed)
        return Growing(_each_its_own(source) if fresh_takes else source)


def book_id(document: Document, path: Path | None) -> BookId:
    """The same whatever chapters are chosen: all of the source counts."""
    content = "b2:" + blake2b(document.source.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    named = document.title or (path.name if path else "")
    return BookId(content, str(path.resolve()) if path else "", named)


def open_book(where: str, options: TextOptions, clock: Clock = OFF) -> Book:
    """Open the file `where`, or "-" for standard input. Raises InputError for what cannot be read aloud."""
    if options.language is not None and options.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"narrate does not know the language '{options.language}'. Known are: {known}.")
    used: Counter[normalize.Rule] = Counter()
    if where != "-":
        path = Path(where)
        with clock.stage("load"):
            document = readers.read_file(path, _read_options(options))
        with clock.stage("normalise"):
            document = _sayable(document, options, used)
        return Book(path.name, document.language, options, document, path.resolve(), rules_used=used)
    content, finished = arrivals.gather(sys.stdin.fileno())
    if finished:
        document = _sayable(readers.read_bytes(content, "standard input", _read_options(options)), options, used)
        return Book("standard input", document.language, options, document, rules_used=used)
    if options.chapters is not None:
        raise InputError("Text that is still being written has no chapters to choose from yet; leave out --chapters.")
    language = options.language or detect_language(content.decode("utf-8", "replace"))
    return Book("standard input", language, options, None, content=content)


def _each_its_own(script: Iterable[Chunk | None]) -> Iterator[Chunk | None]:
    """The n-th of equal sentences gets the n-th take, wherever it stands: an edited book needs no other takes."""
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
    )


def _sayable(document: Document, options: TextOptions, used: Counter[normalize.Rule] | None = None) -> Document:
    if options.chapters is not None:
        document = chapters.select(document, chapters.parse_chapters(options.chapters))
    rules = normalize.load_dictionary(options.dictionary) if options.dictionary else ()
    return normalize.normalize(document, normalize.SayOptions(rules, options.spell_out), used)
