"""From a row of paragraphs to numbered chapters, and the choice among them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from narrate.errors import InputError
from narrate.text.characters import HAN_COUNT
from narrate.text.document import Chapter, Document, Paragraph
from narrate.text.structure.headings import heading_level, is_named

CHAPTERS = re.compile(r"\s*(\d+)\s*(?:([-–~～])\s*(\d*)\s*)?")

NUMBER = re.compile(rf"\W*(?:\d{{1,3}}|[IVXLC]{{1,9}}|[{HAN_COUNT}]+)\W*")
# Letters a chapter must have to be taken for a repeat rather than a refrain.
LONG_ENOUGH = 400


class Block(NamedTuple):
    """A paragraph on its way into a chapter. `level`: 0 for text, 1 for the highest heading, 2 for the next …"""

    paragraph: Paragraph
    level: int = 0


def opening_level(blocks: Iterable[Block], otherwise: int = 2) -> int:
    """The lowest level of heading that opens chapters: `otherwise`, or the highest there is if that is lower still."""
    levels = {block.level for block in blocks if block.level}
    return max(otherwise, min(levels)) if levels else 0


def chapter_depth(headings: Iterable[tuple[str, int]]) -> int:
    """Down to which level headings (text, level) open chapters: where they say "Chapter 3" or are numbers alone, else
    the highest level that has more than one and not only parts."""
    rows = list(headings)
    depths = [
        level for text, level in rows if (heading_level(text) == 2 and not is_named(text)) or NUMBER.fullmatch(text)
    ]
    if len(depths) > 1:
        return max(depths)
    levels = sorted({level for text, level in rows if heading_level(text) != 1}) or sorted({level for _, level in rows})
    return next((level for level in levels if sum(deep <= level for _, deep in rows) > 1), levels[-1] if levels else 0)


def bind(blocks: Iterable[Block], depth: int) -> tuple[Chapter, ...]:
    """Open a chapter at every heading down to level `depth`; headings one after another (a part, its first chapter)
    open one together. What stands before the first is chapter 0; a text without headings is one chapter, number 1.
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
    """Drop a chapter whose words are exactly those of the one before it (files put together by machines have such):
    the chapters, numbered anew, and what was dropped."""
    kept: list[Chapter] = []
    dropped: list[Chapter] = []
    before = ""
    for chapter in chapters:
        words = re.sub(r"[\W_]", "", "".join(paragraph.text for paragraph in chapter.paragraphs))
        if words == before and len(words) >= LONG_ENOUGH:
            dropped.append(chapter)
        else:
            kept.append(replace(chapter, number=chapter.number - len(dropped)))
        before = words
    return tuple(kept), dropped


def _chapter(number: int, row: list[Block], depth: int) -> Chapter:
    """A chapter; its title is that of the headings it opens with, in one line."""
    parts = dict.fromkeys(" ".join(block.paragraph.text.split()) for block in _openings(row, depth))
    title = re.sub(r"(?<=[.:,、—]) – ", " ", " – ".join(filter(None, parts)))
    return Chapter(number, title, tuple(block.paragraph for block in row))


def _openings(row: Iterable[Block], depth: int) -> Iterator[Block]:
    """The headings down to `depth` among those that a row begins with."""
    return (block for block in takewhile(lambda block: block.level, row) if block.level <= depth)


def parse_chapters(wanted: str) -> tuple[range, ...]:
    """Read "3-5,9" or "7-" (to the end). Raises InputError for anything else."""
    ranges = []
    for part in wanted.replace("，", ",").replace("、", ",").split(","):
        match = CHAPTERS.fullmatch(part)
        if not match:
            raise InputError(f"--chapters {wanted}: {part.strip()!r} is no chapter number; write for example 3-5,9")
        first = last = int(match[1])
        if match[2]:
            last = int(match[3]) if match[3] else sys.maxsize - 1
        if last < first:
            raise InputError(f"--chapters {wanted}: {part.strip()} runs backwards; write {last}-{first}")
        ranges.append(range(first, last + 1))
    return tuple(ranges)


def select(document: Document, wanted: Iterable[range]) -> Document:
    """Keep the chapters asked for. Raises InputError, naming what there is, if one of the ranges matches none."""
    chosen = tuple(wanted)
    numbers = [chapter.number for chapter in document.chapters]
    for part in chosen:
        if not any(number in part for number in numbers):
            asked = f"chapter {part.start}" if len(part) == 1 else f"chapters {part.start} and up"
            raise InputError(f"there is no {asked}: this text has {numbers[0]} to {numbers[-1]} (see --list-chapters)")
    kept = tuple(c for c in document.chapters if any(c.number in part for part in chosen))
    return replace(document, chapters=kept)
