"""Where a reading begins: at a chapter, at a time, or where the ear stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from narrate.clock import hms
from narrate.errors import InputError
from narrate.pace import chunk_seconds
from narrate.pipeline import LazyList
from narrate.playback.bookmark import Mark
from narrate.text.document import Chunk


def find_start(
    script: LazyList[Chunk],
    start: str,
    *,
    marks: Iterable[Mark] = (),
    known: Callable[[Chunk], float | None] = lambda _: None,
    speed: float = 1.0,
    chosen: str | None = None,
) -> int:
    """The chunk where a chapter (number or part of its title), a marked sentence (part of it) or a time begins.

    A time ("12:30", "1:02:03" of sound) is exact as far as the lengths of takes are `known`, and about right beyond.
    `chosen` says, for the listener, which chapters the script has if it has not all. Raises InputError naming what
    there is.
    """
    if ":" in start and all(part.isdecimal() for part in start.split(":")):
        wanted = 0
        _, *rest = map(int, start.split(":"))
        if len(rest) > 2 or any(part > 59 for part in rest):
            raise InputError(f"{start} is not a time. Write minutes and seconds, 12:30, or hours too, 1:02:30.")
        for part in start.split(":"):
            wanted = 60 * wanted + int(part)
        return _at_time(script, wanted, known, speed)
    position, chapter = 0, -1
    while (chunk := script.get(position)) is not None:
        if chunk.chapter != chapter:
            chapter = chunk.chapter
            if start == str(chapter) or (not start.isdecimal() and start.casefold() in chunk.title.casefold()):
                return position
        position += 1
    for mark in marks:
        if start.casefold() in mark.name.casefold():
            return chunk_at(script, mark.place.start)
    if chosen is not None:
        raise InputError(f"There is no chapter '{start}' among the chapters that --chapters {chosen} chooses.")
    raise InputError(
        f"There is no chapter '{start}' in this book, and no mark; see narrate --list-chapters and narrate books."
    )


def _at_time(script: LazyList[Chunk], wanted: float, known: Callable[[Chunk], float | None], speed: float) -> int:
    """The chunk that sounds `wanted` seconds after the beginning of the book."""
    position, passed = 0, 0.0
    while (chunk := script.get(position)) is not None:
        length = known(chunk)
        passed += ((chunk_seconds(chunk) if length is None else length) + chunk.pause) / speed
        if passed > wanted:
            return position
        position += 1
    raise InputError(f"The book is over before {hms(wanted)}: it lasts about {hms(passed)}.")


def chunk_at(script: LazyList[Chunk], offset: int) -> int:
    """The chunk that holds the source offset, or the first after it; 0 if the book is over before it."""
    position = 0
    while (chunk := script.get(position)) is not None:
        if chunk.end > offset:
            return position
        position += 1
    return 0
