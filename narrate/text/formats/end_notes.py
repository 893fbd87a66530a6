"""Finds the notes at the end of a plain text: "[12] …", "{12} …", "12. …", or 12 on a line of its own.

They are notes if their numbers run on from one to the next, and most of them stand as marks in the text: word[12].
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MARK = re.compile(r"[\[{](\d{1,4})[\]}]")
NO_MARK_AFTER = frozenset(" \t\n[{(")
BEGIN = re.compile(r"^[ \t]*(?:\[(\d{1,4})\]|\{(\d{1,4})\}|\((\d{1,4})\)|(\d{1,4})[.)]?)(?=[ \t\n]|\Z)", re.MULTILINE)
TITLE = re.compile(
    r"^[ \t_*=]*(?:(?:end|foot)?notes?|fu(?:ß|ss)noten|anmerkungen|noten|notas?|notes? de bas de page|note"
    r"|примечания|сноски|комментарии|각주|주석)[ \t_*=.:]*\n\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)
# So many notes make a list, and it has such a share of the marks.
FEWEST, SHARE = 3, 0.6
# A note has no more characters.
LONGEST_NOTE = 8000
LONGEST_TITLE = 60


class Note(NamedTuple):
    """A note with the number of its mark: source[start:end], and where its words begin."""

    number: int
    start: int
    words: int
    end: int


class EndNotes(NamedTuple):
    """The notes of a text, where their list begins (with its title), and the marks (offset, end, number) before it."""

    start: int
    notes: tuple[Note, ...]
    marks: tuple[tuple[int, int, int], ...]


NONE = EndNotes(0, (), ())


def end_notes(source: str, start: int, end: int) -> EndNotes:
    """Find the notes at the end of source[start:end] and their marks."""
    marks = list(_marks(source, start, end))
    if len(marks) < FEWEST:
        return NONE
    numbers = {number for _, _, number in marks}
    begins = [
        (match.start(), match.end(), int(match[match.lastindex or 1])) for match in BEGIN.finditer(source, start, end)
    ]
    row = _last_row(begins, min(numbers))
    if len(row) < max(FEWEST, SHARE * len(numbers)):
        return NONE
    first = row[0][0]
    before = tuple(mark for mark in marks if mark[0] < first)
    if len({number for _, _, number in before} & {number for _, _, number in row}) < SHARE * len(row):
        return NONE
    stops = [*(at for at, _, _ in row[1:]), min(end, _end_of(source, row[-1][1], end))]
    notes = tuple(Note(number, at, words, stop) for (at, words, number), stop in zip(row, stops, strict=True))
    if any(note.end - note.start > LONGEST_NOTE for note in notes):
        return NONE
    title = TITLE.search(source, max(start, first - LONGEST_TITLE), first)
    return EndNotes(title.start() if title else first, notes, before)


def _marks(source: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the marks behind words, with a space that stands between."""
    for mark in MARK.finditer(source, start, end):
        begin = mark.start() - (source[mark.start() - 1 : mark.start()] in (" ", "\t"))
        if begin > start and source[begin - 1] not in NO_MARK_AFTER:
            yield begin, mark.end(), int(mark[1])


def _last_row(begins: Sequence[tuple[int, int, int]], first: int) -> list[tuple[int, int, int]]:
    """Return the last row of lines that count up from the first number."""
    starts = [i for i, (_, _, number) in enumerate(begins) if number == first]
    if not starts:
        return []
    row: list[tuple[int, int, int]] = []
    for begin in begins[starts[-1] :]:
        if not row or begin[2] == row[-1][2] + 1:
            row.append(begin)
    return row


def _end_of(source: str, start: int, end: int) -> int:
    """Return where the paragraph after `start` ends."""
    words = re.compile(r"\S").search(source, start, end)
    blank = re.compile(r"\n[ \t]*\n").search(source, words.end() if words else start, end)
    return blank.start() if blank else end


def inlined(source: str, found: EndNotes) -> str:
    """Return the text with each note in round brackets in the place of its mark, and without the list at the end."""
    words = {note.number: " ".join(source[note.words : note.end].split()) for note in found.notes}
    parts: list[str] = []
    at = 0
    for begin, end, number in found.marks:
        if number in words:
            parts += source[at:begin], f" ({words[number]})"
            at = end
    return "".join(parts) + source[at : found.start] + source[found.notes[-1].end :] if found.notes else source
