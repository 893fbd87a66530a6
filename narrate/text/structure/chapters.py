"""Makes numbered chapters of a row of paragraphs, and chooses those that the listener asked for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import takewhile
from typing import NamedTuple

from narrate.errors import InputError
from narrate.text.characters import HAN_COUNT
from narrate.text.document import Chapter, Document, Paragraph
from narrate.text.structure.headings import heading_level, is_named
from narrate.text.structure.numbering import COUNTED

CHAPTERS = re.compile(r"\s*(\d+)\s*(?:([-–~～])\s*(\d*)\s*)?")
LONGEST = 40  # characters of a range of chapters; Python reads no number of thousands of digits

NUMBER = re.compile(rf"\W*(?:\d{{1,3}}|[IVXLC]{{1,9}}|[{HAN_COUNT}]+)\W*")
# A chapter that is repeated by mistake has at least so many letters; a shorter one may be a refrain.
LONG_ENOUGH = 400
NO_LETTER = re.compile(r"[\W_]+")
# From so many characters on, a book is cut deeper if one of its chapters holds more than half of it.
LONG_BOOK = 100_000
STRETCH = 1 << 16  # characters looked at together


class Block(NamedTuple):
    """A paragraph that has no chapter yet. `level` is 0 for text, 1 for the highest headings, 2 for the next ones."""

    paragraph: Paragraph
    level: int = 0


def opening_level(blocks: Iterable[Block], otherwise: int = 2) -> int:
    """Return the lowest level of headings that open chapters; 0 if there are no headings.

    It is `otherwise`, unless all headings are lower: then the highest of them open chapters.
    """
    levels = {block.level for block in blocks if block.level}
    return max(otherwise, min(levels)) if levels else 0


def chapter_depth(headings: Iterable[tuple[str, int]]) -> int:
    """Return down to which level headings (text, level) open chapters.

    It is the level of headings such as "Chapter 3" or "3". If there are none, it is the highest level with more than
    one heading; levels with nothing but parts ("Part One") do not count.
    """
    rows = list(headings)
    depths = [
        level for text, level in rows if (heading_level(text) == 2 and not is_named(text)) or NUMBER.fullmatch(text)
    ]
    if len(depths) > 1:
        return max(depths)
    levels = sorted({level for text, level in rows if heading_level(text) != 1}) or sorted({level for _, level in rows})
    return next((level for level in levels if sum(deep <= level for _, deep in rows) > 1), levels[-1] if levels else 0)


def deep_enough(openings: Sequence[tuple[int, int, str]], depth: int, end: int) -> int:
    """Return the depth, or a greater one at which no chapter holds more than half of a long book.

    `openings` are the offset, the level and the text of each heading, in order; the book ends at `end`. A heading such
    as "Chapter 3" or "3. A Title" opens one chapter, however long it is.
    """
    start = openings[0][0] if openings else end
    for deeper in sorted({level for _, level, _ in openings if level > depth}):
        here = [(at, text) for at, level, text in openings if level <= depth]
        ends = [*(at for at, _ in here[1:]), end]
        longest, at, text = max((b - a, a, text) for (a, text), b in zip(here, ends, strict=True))
        inside = any(at < other < at + longest for other, level, _ in openings if level > depth)
        if end - start < LONG_BOOK or 2 * longest <= end - start or not inside or _says_chapter(text):
            break
        depth = deeper
    return depth


def _says_chapter(text: str) -> bool:
    return (heading_level(text) == 2 and not is_named(text)) or bool(NUMBER.fullmatch(text) or COUNTED.fullmatch(text))


def bind(blocks: Iterable[Block], depth: int) -> tuple[Chapter, ...]:
    """Open a chapter at every heading down to level `depth`.

    Headings one after another, such as those of a part and of its first chapter, open one chapter together. What
    stands before the first heading is chapter 0. A text without headings is one chapter with the number 1.
    """
    rows: list[list[Block]] = [[]]
    told = False
    for block in blocks:
        if not block.paragraph.spans:
            continue
        if 0 < block.level <= depth and told:
            rows.append([])
            told = False
        rows[-1].append(block)
        told = told or block.paragraph.kind != "heading"
    rows = [row for row in rows if row]
    first = 0 if len(rows) > 1 and not any(_openings(rows[0], depth)) else 1
    return tuple(_chapter(number, row, depth) for number, row in enumerate(rows, first))


def without_repeats(chapters: Iterable[Chapter]) -> tuple[tuple[Chapter, ...], list[Chapter]]:
    """Return the chapters without those that repeat the chapter before them word for word, and the repeats.

    Files that were put together by a program have such repeats. The other chapters are numbered anew.
    """
    kept: list[Chapter] = []
    dropped: list[Chapter] = []
    before: tuple[int, bytes] = (0, b"")
    for chapter in chapters:
        words = _letters(chapter)
        if words == before and words[0] >= LONG_ENOUGH:
            dropped.append(chapter)
        else:
            kept.append(replace(chapter, number=chapter.number - len(dropped)))
        before = words
    return tuple(kept), dropped


def _letters(chapter: Chapter) -> tuple[int, bytes]:
    """Return how many letters a chapter has, and a hash of them. Takes no memory for a paragraph of any length."""
    count, digest = 0, blake2b()
    for paragraph in chapter.paragraphs:
        for span in paragraph.spans:
            for at in range(0, len(span.text), STRETCH):
                letters = NO_LETTER.sub("", span.text[at : at + STRETCH])
                count += len(letters)
                digest.update(letters.encode("utf-8", "surrogatepass"))
    return count, digest.digest()


def _chapter(number: int, row: list[Block], depth: int) -> Chapter:
    """Make a chapter. Its title is the text of its first headings, in one line."""
    parts = dict.fromkeys(" ".join(block.paragraph.text.split()) for block in _openings(row, depth))
    title = re.sub(r"(?<=[.:,、—]) – ", " ", " – ".join(filter(None, parts)))
    return Chapter(number, title, tuple(block.paragraph for block in row))


def _openings(row: Iterable[Block], depth: int) -> Iterator[Block]:
    """Return the headings that a row begins with, down to level `depth`."""
    return (block for block in takewhile(lambda block: block.level, row) if block.level <= depth)


def parse_chapters(wanted: str) -> tuple[range, ...]:
    """Read numbers of chapters such as "3-5,9" or "7-" (to the end). Raises InputError for anything else."""
    ranges = []
    for part in wanted.replace("，", ",").replace("、", ",").split(","):
        match = CHAPTERS.fullmatch(part) if len(part) <= LONGEST else None
        if not match:
            raise InputError(
                f"--chapters {wanted}: {part.strip()!r} is not a chapter number; write them like this: 3-5,9"
            )
        first = last = int(match[1])
        if match[2]:
            last = int(match[3]) if match[3] else sys.maxsize - 1
        if last < first:
            raise InputError(f"--chapters {wanted}: {part.strip()} runs backwards; write {last}-{first}")
        ranges.append(range(first, last + 1))
    return tuple(ranges)


def select(document: Document, wanted: Iterable[range]) -> Document:
    """Keep the wanted chapters. Raises InputError, which names the chapters there are, if a range matches none."""
    chosen = tuple(wanted)
    numbers = [chapter.number for chapter in document.chapters]
    for part in chosen:
        if not any(number in part for number in numbers):
            asked = f"chapter {part.start}" if len(part) == 1 else f"chapters {part.start} and up"
            raise InputError(f"there is no {asked}: this text has {numbers[0]} to {numbers[-1]} (see --list-chapters)")
    kept = tuple(c for c in document.chapters if any(c.number in part for part in chosen))
    return replace(document, chapters=kept)
