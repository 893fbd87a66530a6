"""From a row of paragraphs to numbered chapters, and the choice among them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace

from narrate.errors import InputError
from narrate.text.document import Chapter, Document, Paragraph

CHAPTERS = re.compile(r"\s*(\d+)\s*(?:([-–~～])\s*(\d*)\s*)?")


def bind(paragraphs: Iterable[Paragraph]) -> tuple[Chapter, ...]:
    """Begin a chapter at every heading; headings with nothing between them (a part, then its first chapter) are one.

    What stands before the first heading is chapter 0; a text without headings is one chapter, number 1.
    """
    rows: list[list[Paragraph]] = [[]]
    for paragraph in paragraphs:
        if paragraph.kind == "heading" and any(earlier.kind != "heading" for earlier in rows[-1]):
            rows.append([])
        rows[-1].append(paragraph)
    rows = [row for row in rows if row]
    headed = any(row[0].kind == "heading" for row in rows)
    first = 0 if headed and rows[0][0].kind != "heading" else 1
    return tuple(Chapter(number, title(row), tuple(row)) for number, row in enumerate(rows, first))


def title(paragraphs: Iterable[Paragraph]) -> str:
    """The headings a chapter begins with, in one line."""
    parts: list[str] = []
    for paragraph in paragraphs:
        if paragraph.kind != "heading":
            break
        parts.append(" ".join(paragraph.text.split()))
    return " – ".join(part for part in parts if part)


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
