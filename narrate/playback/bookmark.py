"""Where the ear stopped, and the places it marked: per book, to the sentence.

A book is known by its text and by its path. The same text under another name is the same book; another text under the
same name is the corrected book if the sentence at the ear is found in it again.

Two files per book: `<book>.json`, which is on the disk for good when it is written, and `<book>.now.json`, which is
written at every sentence and does not wait for the disk, because the loudspeaker does not either. After a power cut the
newest of them that can be read counts.
"""

from __future__ import annotations

import json
import re
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from narrate.files import (
    HeldFile,
    is_held,
    private_folder,
    remove_abandoned,
    sweep_unfinished,
    unique,
    write_atomically,
)
from narrate.text.book import BookId
from narrate.text.document import Chunk

_TAG = "b2:"
_CONTENT = re.compile(r"[\w:]*")
_EAR = ".ear"  # ends the name of a file that is held while somebody listens
AROUND = 200  # characters kept before and after the sentence, to find it again
EVIDENCE = 24  # letters that must agree before a place in a changed text is believed
ANCHORS = (96, 48, EVIDENCE)  # letters looked for beside a sentence that was itself changed


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence: `start`, `end` in `Document.source`, its text, what stands around it, and the share of the book read.

    After a book was corrected `start` still lies within the sentence, while `end` and `fraction` are about right.
    """

    start: int
    end: int
    chapter: int
    title: str
    fraction: float
    sentence: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place the listener marked. `when` is in seconds since 1970."""

    name: str
    when: float
    place: Place


@dataclass(frozen=True, slots=True)
class Reading:
    """A line of `narrate books`: how far a book was read, and when last. Its `place` is None if nobody listened yet."""

    book: BookId
    place: Place | None
    when: float
    marks: tuple[Mark, ...] = ()


def place_of(source: str, extent: tuple[int, int], chunk: Chunk) -> Place:
    """The chunk's place in its book. `fraction` counts the `extent` of the book: not a licence before or after it."""
    start, end = chunk.start, chunk.end
    first, last = extent[0], max(end, extent[1])
    return Place(
        start=start,
        end=end,
        chapter=chunk.chapter,
        title=chunk.title,
        fraction=(end - first) / (last - first),
        sentence=source[start:end],
        before=source[max(0, start - AROUND) : start],
        after=source[end : end + AROUND],
    )


class Bookmarks:
    """The books read so far, one or two small files each in `folder`. Several processes may use it.

    Nothing here raises for a disk that is full or a folder that cannot be written: `say` gets one line, once.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)) -> None:
        self._folder, self._say, self._said = folder, say, False
        self._damaged: set[Path] = set()

    def save(self, book: BookId, place: Place, *, lasting: bool = False) -> None:
        """The ear is at `place`: cheap enough for every sentence. A kill at any moment leaves this place or the last.

        `lasting` waits until the disk has it: when the listener pauses or stops, when a chapter ends.
        """
        known = self._of_content(book.content)
        marks = known.marks if known else ()
        when = max(time.time(), known.when if known else 0.0)  # the newest counts, even if the clock was put back
        self._write(Reading(book, place, when, marks), lasting)

    def load(self, book: BookId, source: str) -> Place | None:
        """Where the ear stopped in this book; None if it was never read, or not recognised.

        `source` is its text as it is now. What is known of an earlier text under the same path passes to this one.
        """
        reading = self._known(book, source)
        return reading.place if reading else None

    def meet(self, book: BookId) -> None:
        """List the book, wherever its ear is: it is in hand, though perhaps only to be written to a file."""
        known = self._of_content(book.content) or Reading(book, None, 0.0)
        self._write(replace(known, book=book, when=max(known.when, time.time())), lasting=True)

    def mark(self, book: BookId, place: Place, name: str = "") -> Mark:
        """Keep a place, in place of an earlier mark there or of that name. Without a name it shows the sentence."""
        mark = Mark(name or " ".join(place.sentence.split())[:40], time.time(), place)
        known = self._of_content(book.content) or Reading(book, place, 0.0)
        others = [
            other for other in known.marks if other.place.start != place.start and (not name or other.name != name)
        ]
        marks = sorted([*others, mark], key=lambda mark: mark.place.start)
        self._write(replace(known, book=book, marks=tuple(marks), when=max(known.when, mark.when)), lasting=True)
        return mark

    def marks(self, book: BookId, source: str) -> tuple[Mark, ...]:
        """The marked places, in the order of the book."""
        reading = self._known(book, source)
        return reading.marks if reading else ()

    def books(self) -> list[Reading]:
        """What was read, the latest first. A book whose text was changed is one book."""
        found: dict[str, Reading] = {}
        for reading in self.texts():
            known = found.setdefault(reading.book.path or reading.book.content, reading)
            if known.place is None and reading.place is not None:  # of the text as it was before
                found[reading.book.path] = replace(known, place=reading.place, marks=reading.marks)
        return list(found.values())

    def texts(self) -> list[Reading]:
        """What was read, the latest first; a book whose text was changed stands once for each of its texts."""
        newest: dict[str, Reading] = {}
        for reading in self._readings("*"):
            other = newest.get(reading.book.content)
            if other is None or other.when < reading.when:
                newest[reading.book.content] = reading
        return sorted(newest.values(), key=lambda reading: -reading.when)

    def is_listened_to(self, book: BookId) -> bool:
        """True if another program is playing this book to somebody now."""
        found = list(self._folder.glob(f"{book.content.removeprefix(_TAG)}.*{_EAR}"))
        for path in found:
            remove_abandoned(path)
        return any(map(is_held, found))

    def listen(self, book: BookId) -> HeldFile | None:
        """Tell other programs that somebody listens to this book, for as long as the file is held. None if nobody can
        be told."""
        with suppress(OSError):
            private_folder(self._folder)
            return HeldFile(self._folder / f"{book.content.removeprefix(_TAG)}.{unique()}{_EAR}", private=True)
        return None

    def forget(self, book: BookId) -> None:
        """As if it had never been read."""
        for path in self._paths(book.content):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def forget_all(self, book: BookId) -> None:
        """Forget the book and all texts that it had before."""
        for reading in self.texts():
            if reading.book.content == book.content or (book.path and reading.book.path == book.path):
                self.forget(reading.book)

    def _of_content(self, content: str) -> Reading | None:
        return max(self._readings(content.removeprefix(_TAG)), key=lambda reading: reading.when, default=None)

    def _known(self, book: BookId, source: str) -> Reading | None:
        reading = self._of_content(book.content)
        if reading is None or reading.place is None:
            reading = self._corrected(book, source) or reading
        return reading

    def _corrected(self, book: BookId, source: str) -> Reading | None:
        """The reading of an earlier text under the book's path, with its places found again in this one."""
        for old in self.texts():
            if not book.path or old.book.path != book.path or old.place is None:
                continue
            text = _Letters(source)
            place = text.find(old.place)
            if place is not None:
                marks = [(mark, text.find(mark.place)) for mark in old.marks]
                found = tuple(replace(mark, place=there) for mark, there in marks if there is not None)
                reading = Reading(book, place, old.when, found)
                self._write(reading, lasting=True)
                self.forget(old.book)
                return reading
        return None

    def _paths(self, content: str) -> tuple[Path, Path]:
        name = content.removeprefix(_TAG)
        return self._folder / f"{name}.now.json", self._folder / f"{name}.json"

    def _readings(self, name: str) -> Iterator[Reading]:
        paths = self._folder.glob("*.json") if name == "*" else self._paths(name)
        for path in paths:
            try:
                yield _from_json(path.read_text("utf-8"))
            except OSError:  # it is not there, or not ours to read
                continue
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                self._leave_out(path)

    def _leave_out(self, path: Path) -> None:
        """Say once that a file is not what was written."""
        if path not in self._damaged:
            self._damaged.add(path)
            self._say(f"The place kept in {path} is damaged and does not count. It may be deleted.")

    def _write(self, reading: Reading, lasting: bool) -> None:
        passing, steady = self._paths(reading.book.content)
        try:
            private_folder(self._folder)
            write_atomically(steady if lasting else passing, _to_json(reading).encode(), lasting=lasting)
            if lasting:
                passing.unlink(missing_ok=True)
                sweep_unfinished(self._folder)
        except OSError as error:
            if not self._said:
                self._said = True
                why = error.strerror or error
                self._say(f"The place in the book cannot be kept in {self._folder} ({why}). Reading goes on.")


class _Letters:
    """A text as its letters and digits alone, so that new line ends, quotes or commas do not hide a sentence."""

    def __init__(self, source: str) -> None:
        self._places = [place for place, character in enumerate(source) if character.isalnum()]
        self._text = _letters(source)
        self._source = source

    def find(self, place: Place) -> Place | None:
        """The place in this text: by its sentence and what stands around it, else by what stands around it alone."""
        before, sentence, after = _letters(place.before), _letters(place.sentence), _letters(place.after)
        expected = bisect_left(self._places, place.start)
        found = self._by_sentence(before, sentence, after, expected)
        if found is None:
            found = self._by_neighbours(before, sentence, after, expected)
        if found is None or found >= len(self._places):
            return None
        last = min(found + max(1, len(sentence)), len(self._places)) - 1
        start, end = self._places[found], self._places[last] + 1
        moved = replace(place, start=start, end=end, sentence=self._source[start:end])
        return replace(
            moved, before=self._source[max(0, start - AROUND) : start], after=self._source[end : end + AROUND]
        )

    def _by_sentence(self, before: str, sentence: str, after: str, expected: int) -> int | None:
        """Of all sentences that read so, the one whose surroundings agree furthest; of equals the nearest."""
        best = (EVIDENCE - 1, 0, -1)  # letters that agree, nearness, where
        for start in _occurrences(self._text, sentence):
            end = start + len(sentence)
            head = self._text[max(0, start - len(before)) : start]
            tail = self._text[end : end + len(after)]
            agree = len(sentence) + _common(before[::-1], head[::-1]) + _common(after, tail)
            best = max(best, (agree, -abs(start - expected), start))
        return best[2] if best[2] >= 0 else None

    def _by_neighbours(self, before: str, sentence: str, after: str, expected: int) -> int | None:
        """The sentence was changed: it begins where the one before it ends, or ends where the next begins."""
        for length in ANCHORS:
            ends = (
                [start + length for start in _occurrences(self._text, before[-length:])] if before[length - 1 :] else []
            )
            nexts = list(_occurrences(self._text, after[:length])) if after[length - 1 :] else []
            starts = ends or [max(0, start - len(sentence)) for start in nexts]
            if starts:
                return min(starts, key=lambda start: abs(start - expected))
        return None


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _occurrences(text: str, wanted: str) -> Iterator[int]:
    place = text.find(wanted) if wanted else -1
    while place >= 0:
        yield place
        place = text.find(wanted, place + 1)


def _common(one: str, other: str) -> int:
    """How many characters agree from the start."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _to_json(reading: Reading) -> str:
    facts = {"format": 1, **asdict(reading)}
    return json.dumps({**facts, "check": _checksum(facts)}, indent=1)


def _checksum(facts: dict[str, Any]) -> str:
    """Tells a digit that a failing disk has changed: it may well be a place, but not the one that was kept."""
    return f"{crc32(json.dumps(facts, sort_keys=True).encode()):08x}"


def _from_json(text: str) -> Reading:
    """Raises ValueError, TypeError, KeyError and their like if it is not a reading."""
    data: dict[str, Any] = json.loads(text)
    check = data.pop("check", None)
    if check is not None and check != _checksum(data):  # earlier versions wrote none
        raise ValueError("it was changed")
    marks = tuple(_checked(Mark(mark["name"], mark["when"], _place(mark["place"]))) for mark in data["marks"])
    place = None if data["place"] is None else _place(data["place"])
    reading = _checked(Reading(_checked(BookId(**data["book"])), place, float(data["when"]), marks))
    if not _CONTENT.fullmatch(reading.book.content):  # it is a part of file names
        raise ValueError("that is no hash")
    for when in (reading.when, *(mark.when for mark in marks)):
        time.localtime(when)
    return reading


def _place(data: dict[str, Any]) -> Place:
    place = _checked(Place(**{**data, "fraction": float(data["fraction"])}))
    if not (0 <= place.start <= place.end and 0.0 <= place.fraction <= 1.0 and place.chapter >= 0):
        raise ValueError("there is no such place")
    return place


T = TypeVar("T", BookId, Place, Mark, Reading)
_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


def _checked(plain: T) -> T:
    """The same; raises TypeError if one of its words or numbers is none."""
    for each in fields(plain):
        wanted, value = _TYPES.get(str(each.type)), getattr(plain, each.name)
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise TypeError(f"{each.name} is {value!r}")
    return plain
