"""What narrate prints on standard output: chunks, chapters, voices, devices, books, the store, files."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, cast

from narrate.engines.choose import choose_engine
from narrate.engines.table import ENGINES, engine_lengths, engine_name, find_engine, load_engine
from narrate.errors import InputError
from narrate.folders import home
from narrate.playback.bookmark import Bookmarks, Reading
from narrate.store.index import Size
from narrate.store.store import LIMIT_BYTES, Store
from narrate.terminal.wording import chapter_title
from narrate.terminal.wrap import wrapped
from narrate.text.book import Book, TextOptions, open_book
from narrate.text.chunking import chunks as chunking
from narrate.text.document import Chunk

if TYPE_CHECKING:
    from narrate.engines.http import Http

SHOWN = 120  # characters of a stretch that is left out; --json shows all
_JSON_FIELDS = ("index", "chapter", "title", "text", "spoken", "language", "pause", "start", "end")


def list_chunks(
    source: str, text: TextOptions, engine_for: Callable[[str], str], *, as_json: bool, stats: bool
) -> None:
    """Print the chunks of a book as the engine for its language would get them, one to a line; or their statistics."""
    book = open_book(source, text)
    _warn(book)
    engine = engine_for(book.language)
    name = choose_engine(book.language)[0] if engine == "auto" else engine_name(engine)
    chunks = (chunk for chunk in book.script(engine_lengths(name)).since(0) if chunk is not None)
    for rule, times in book.rules_used.most_common():
        print(f"dictionary: {rule.word} → {rule.reading}, {times} times", file=sys.stderr)
    if stats:
        _print_stats(chunks)
        return
    for chunk in chunks:
        if as_json:
            facts = asdict(chunk)
            _print(json.dumps({name: facts[name] for name in _JSON_FIELDS}, ensure_ascii=False))
        else:
            _print(_line(chunk))


def list_excluded(source: str, text: TextOptions, *, as_json: bool) -> None:
    """Print what is left out of a book, by kind: where it stands in the source (offsets in characters) and its text."""
    book = open_book(source, text)
    _warn(book)
    if book.document is None:
        raise InputError("Text that is still being written cannot be listed before its end.")
    for part in sorted(book.document.excluded):
        words = book.document.source[part.start : part.end]
        if as_json:
            facts = {"kind": part.kind, "start": part.start, "end": part.end, "text": words}
            _print(json.dumps(facts, ensure_ascii=False))
        else:
            _print(f"{part.kind:12} {part.start:9}–{part.end:<9} {shorten(words, SHOWN, placeholder=' …')}")


def _line(chunk: Chunk) -> str:
    text = " ".join(chunk.text.split())
    spoken = " ".join(chunk.spoken.split())
    said = "" if spoken == text else f"  → {spoken}"
    return f"{chunk.index:6} {chunk.chapter:4} {chunk.pause:4.2f} s  {text}{said}"


def _print_stats(chunks: Iterable[Chunk]) -> None:
    found = chunking.stats(iter(chunks))
    _print(f"{found.chunks} chunks, {found.characters} characters, {found.share_whole:.2%} end where a sentence ends")
    most = max(found.histogram.values(), default=1)
    for length, count in sorted(found.histogram.items()):
        _print(f"{length:5}–{length + 9:<5} {count:6} {'█' * round(50 * count / most)}")


def _warn(book: Book) -> None:
    for warning in book.document.warnings if book.document else ():
        print(warning, file=sys.stderr)


def list_chapters(source: str, text: TextOptions) -> None:
    """Print the chapters of a book: number, title, length of its text in letters."""
    book = open_book(source, text)
    _warn(book)
    if book.document is None:
        raise InputError("Text that is still being written has no chapters yet.")
    for chapter in book.document.chapters:
        letters = sum(len(paragraph.text) for paragraph in chapter.paragraphs)
        _print(f"{chapter.number:4}  {chapter_title(chapter.number, chapter.title)}  ({letters} characters)")


def list_voices(engine: str | None, key_for: Callable[[str], str | None] = lambda _: None) -> None:
    """Print every voice: name, languages, engine, description. `key_for` knows the key for servers of that kind."""
    entries = [entry for entry in ENGINES if entry.auto] if engine is None else [find_engine(engine_name(engine))]
    if engine is not None and entries[0].remote:
        _list_voices_of_servers(engine, key_for(entries[0].name))
        return
    rows = []
    for entry in entries:
        missing = entry.missing()
        if missing is not None:
            print(f"({missing})", file=sys.stderr)
            continue
        for voice in entry.voices():
            rows.append((voice.name, " ".join(voice.languages), entry.name, voice.description))
    _table(rows)


def _list_voices_of_servers(engine: str, key: str | None) -> None:
    with closing(load_engine(engine, api_key=key)) as server:
        found = cast("Http", server).voices()
    if not found:
        print("The server does not list its voices. Its manual names them; give one with --voice.", file=sys.stderr)
        return
    _table([(voice.name, " ".join(voice.languages), server.name, voice.description) for voice in found])


def list_devices() -> None:
    """Print the sound devices that can play."""
    from narrate.sinks.portaudio import devices

    found = devices()
    if not found:
        raise InputError("There is no sound device here. Write a file instead: narrate book.txt -o book.wav")
    _table([(str(device.number), device.name, "default" if device.default else "") for device in found])


def list_books(store: Path) -> bool:
    """Print what was read, the latest first: how far, how much of it is stored, and the marked places.

    Returns True if there is any book.
    """
    with Store(store) as takes:
        stored = takes.books()
    bookmarks = Bookmarks(home() / "places")
    readings = bookmarks.books()
    if not readings:
        print("Nothing was read yet.", file=sys.stderr)
        return False
    size = Counter[str]()
    for text in bookmarks.texts():
        if text.book.content in stored:
            size[_shelf_mark(text)] += stored[text.book.content].bytes
    _print(f"{'NO':>3}  {'READ':>4}  {'LAST':16}  {'STORED':>9}  BOOK")
    for number, reading in enumerate(readings, 1):
        place, kept = reading.place, size[_shelf_mark(reading)]
        read = f"{place.fraction:.0%}" if place else "–"
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(reading.when))
        head = f"{number:3}  {read:>4}  {last:16}  {_megabytes(kept) if kept else '–':>9}  "
        _print_wrapped(head + reading.book.title, len(head))
        below = [_from_here(reading.book.path) if reading.book.path else "(standard input)"]
        if place and place.title:
            below.insert(0, f"in “{place.title}”")
        below += [f"marked at {mark.place.fraction:.0%}: “{mark.name}”" for mark in reading.marks]
        for line in below:
            _print_wrapped(f"{'':5}{line}", 7)
    if sys.stdout.isatty():
        _print_wrapped("`narrate 1` goes on with the first of them, and `narrate books --forget 1` forgets it.", 0)
    return True


def _shelf_mark(reading: Reading) -> str:
    """What a book keeps when its text is changed."""
    return reading.book.path or reading.book.content


def show_store(folder: Path, *, clear: bool, verify: bool) -> None:
    """Print the size of the store; check it or clear it if asked."""
    with Store(folder) as takes:
        if verify:
            health = takes.verify()
            damaged = len(health.damaged)
            _print(
                f"{health.whole.takes} takes are whole" + f", {damaged} were damaged and are removed" * bool(damaged)
            )
        if clear:
            gone = takes.clear()
            _print(f"{gone.takes} takes are removed, {_megabytes(gone.bytes)}")
        size, books = takes.size(), takes.books()
    limit = _megabytes(LIMIT_BYTES)
    _print(f"{size.takes} takes, {_megabytes(size.bytes)} of at most {limit}, in {_from_here(str(folder))}")
    texts = {reading.book.content: reading for reading in Bookmarks(home() / "places").texts()}
    rows: dict[tuple[str, str], Size] = {}
    for book, kept in books.items():
        reading = texts.get(book)
        unknown = "books and texts that are forgotten" if book else "(no book)"
        row = (_shelf_mark(reading), reading.book.title) if reading else ("", unknown)
        before = rows.get(row, Size(0, 0))
        rows[row] = Size(before.takes + kept.takes, before.bytes + kept.bytes)
    if rows:
        _print(f"{'TAKES':>7}  {'SIZE':>9}  BOOK")
    for (_, title), kept in sorted(rows.items(), key=lambda item: -item[1].bytes):
        _print(f"{kept.takes:7}  {_megabytes(kept.bytes):>9}  {title}")


def _megabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _from_here(path: str) -> str:
    """The path with ~ for the listener's own folder, as a shell writes it."""
    own = str(Path.home())
    return f"~{path.removeprefix(own)}" if path.startswith(f"{own}/") else path


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell, the last as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        _print("  ".join([*cells, row[-1]]).rstrip())


def _print_wrapped(line: str, indent: int) -> None:
    """A line that a terminal gets broken between words."""
    for row in wrapped(line, sys.stdout, indent):
        _print(row)


def _print(line: str) -> None:
    print(line)


def inspect_file(path: Path) -> bool:
    """Say what an audiobook holds and what is wrong with it. True if nothing is."""
    from narrate.clock import hms
    from narrate.sinks.inspection import inspect

    found = inspect(path)
    tags = found.tags
    coding = f"{found.codec} in {found.container}, {found.sample_rate} Hz"
    print(f"{hms(found.seconds)} · {found.bytes / 1e6:.1f} MB · {coding}")
    for name, tag in (("title", "title"), ("book", "album"), ("author", "artist"), ("narrator", "composer")):
        if tags.get(tag):
            print(f"{name:9} {tags[tag]}")
    print(f"{'cover':9} {found.cover or 'none'}")
    print(f"{'chapters':9} {len(found.chapters)}")
    if found.lufs is not None and found.peak_db is not None:
        print(f"{'loudness':9} {found.lufs:.1f} LUFS, true peak {found.peak_db:.1f} dB")
    for fault in found.faults:
        print(f"fault: {fault}")
    return not found.faults
