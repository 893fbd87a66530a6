"""The outline of a plain text: its headings, its tables of contents, its page numbers.

A line is a heading if it says so ("Chapter 3"), if it belongs to a row of numbers that runs through the book, or if the
table of contents names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from narrate.text.characters import FIRST_EAST_ASIAN, FULLWIDTH_DIGITS, HAN_NUMERALS, SEMICOLONS, ends_line
from narrate.text.structure.alike import alike
from narrate.text.structure.chapters import Block
from narrate.text.structure.contents import announced, index_of, led, name_of, silent
from narrate.text.structure.headings import LONGEST, bare, heading_level, is_named, number_of, without_title
from narrate.text.structure.lines import SPEECH, Line, alone, is_title
from narrate.text.structure.numbering import BARE, counted, numbers


class Outline(NamedTuple):
    """The level of each line that is a heading, and which lines are `contents`, page numbers, or the index."""

    levels: dict[int, int]
    contents: frozenset[int]
    pages: frozenset[int]
    index_lines: frozenset[int]


# A heading has fewer lines. A paragraph has more, even if it begins like one.
RUN_IN_LINES = 5
# The lines of a paragraph, but for its last, are longer than this share of the longest.
FULL_LINE = 0.8
# A heading that goes on in the next line has more characters.
SHORTEST_OPEN = 30
# So many headings with the same label are the chapters of a book.
FEWEST_CHAPTERS = 3
LONG_ENTRY = 20
LONGEST_TITLE_PAGE = 5000
# The number of a chapter that may stand alone: the first of a book that has no other.
FIRST = re.compile("1|I|ONE|FIRST|一|１")
# These number the poems of a chapter in a book with chapters: 其二.
POEM_NUMBER = re.compile(rf"(?:その|其の|其)[{HAN_NUMERALS}]+")
# The spaces that set a line in are among so many characters before it, with the note that says how many they are.
LONGEST_INDENT = 60
INDENT = re.compile(rf"(?:^|\n)(?:［＃(?P<note>[\d{FULLWIDTH_DIGITS}]{{1,2}})字下げ］)?(?P<spaces>\u3000*)$")


def outline(lines: Sequence[Line], known: Iterable[str] = ()) -> Outline:
    """Find the headings, contents and page numbers among the lines of a text. `known` are titles that it surely has."""
    levels = {i: level for i in range(len(lines)) if (level := _level(lines, i)) and _is_heading(lines, i)}
    contents, listed = announced(lines)
    index = index_of([line.text for line in lines], [not i or line.gap > 0 for i, line in enumerate(lines)], levels)
    contents |= index | led(lines)
    listed |= {name_of(title) for title in known}
    contents |= silent(lines, levels, contents)
    levels = {i: level for i, level in levels.items() if i not in contents and not _is_in_a_list(lines, levels, i)}
    _without_strays(lines, levels)
    _without_title_page(lines, levels)
    labelled = {i for i, level in levels.items() if level == 2 and not is_named(lines[i].text)}
    if listed:
        levels |= dict.fromkeys((i for i in _listed(lines, listed, contents) if i not in levels), 2)
    counting = numbers(lines, contents | levels.keys())
    titled = counted(lines, contents | levels.keys() | counting.heads | counting.pages)
    levels |= dict.fromkeys(titled, 2)
    if len(labelled) + len(titled) < FEWEST_CHAPTERS:
        levels |= alike(lines, contents | counting.pages | levels.keys(), counting)
    chapters = sum(level == 2 and not is_named(lines[i].text) for i, level in levels.items())
    more = not labelled and len(counting.through) > chapters
    for i in sorted(counting.heads - levels.keys()):
        below = chapters and not (more and i in counting.through)
        levels[i] = levels.get(i + 1, 3 if below else 2)
    levels = _with_titles(lines, levels, contents)
    return Outline(levels, frozenset(contents - index), frozenset(counting.pages), frozenset(index))


def _listed(lines: Sequence[Line], listed: set[str], contents: set[int]) -> Iterator[int]:
    """Yield the lines that the contents list as titles. Speech may have the words of a title."""
    for i, line in enumerate(lines):
        if len(line.text) > LONGEST or i in contents or not alone(lines, i) or SPEECH.match(line.text):
            continue
        if name_of(line.text) in listed:
            yield i


def _is_in_a_list(lines: Sequence[Line], levels: dict[int, int], i: int) -> bool:
    """Return True for a long line among others that begin as it does, as in a list of volumes for sale."""

    def is_like(j: int) -> bool:
        return levels.get(j) == levels[i] and len(lines[j].text) > LONG_ENTRY

    return any(
        all(map(is_like, (j, j + 1, j + 2))) and not lines[j + 1].gap and not lines[j + 2].gap
        for j in (i - 2, i - 1, i)
    )


def _without_strays(lines: Sequence[Line], levels: dict[int, int]) -> None:
    """Take away a heading whose label no other has, where another label makes the chapters: "Chapter 13." in a play."""
    rows: dict[str, list[tuple[int, str]]] = {}
    for i, level in levels.items():
        if level == 2 and (found := number_of(bare(lines[i].text))):
            rows.setdefault(found[0], []).append((i, found[1]))
    long = sum(len(row) >= FEWEST_CHAPTERS for row in rows.values())
    for i in [i for i in levels if long and POEM_NUMBER.fullmatch(bare(lines[i].text))]:
        del levels[i]
    for (i, number), *others in rows.values() if long == 1 else ():
        if not others and not FIRST.fullmatch(number):
            del levels[i]


def _without_title_page(lines: Sequence[Line], levels: dict[int, int]) -> None:
    """Take away "VOL. XII" and "TOME I" on the title page of a book that has no other volume."""
    parts = [i for i, level in levels.items() if level == 1 and number_of(bare(lines[i].text))]
    numbers_there = {number_of(bare(lines[i].text)) for i in parts}
    if len({label for label, _ in filter(None, numbers_there)}) != len(numbers_there):
        return
    for i in parts:
        if lines[i].start - lines[0].start < LONGEST_TITLE_PAGE and i + 1 not in levels:
            del levels[i]


def with_headings(source: str, blocks: list[Block], apart: bool = False) -> list[Block]:
    """Mark the headings among paragraphs in which none are marked: 第一章, or 一, 二, 三 with blank lines around them.

    `apart` says that every paragraph has blank lines around it, even if the source has none.
    """
    rows: list[Line] = []
    for block in blocks:
        start, end = block.paragraph.start, block.paragraph.end
        gap = max(int(apart), source.count("\n", rows[-1].end, start) - 1) if rows else 0
        rows.append(Line(block.paragraph.text, start, end, _indent(source, start), gap))
    levels = outline(rows).levels
    return [
        Block(replace(block.paragraph, kind="heading"), levels[i]) if i in levels else block
        for i, block in enumerate(blocks)
    ]


def _indent(source: str, start: int) -> int:
    """Return by how many wide spaces, or by what number in a note, a paragraph of Aozora Bunko is set in."""
    if source[start - 1 : start] not in ("\u3000", "］"):
        return 0
    match = INDENT.search(source[max(0, start - LONGEST_INDENT) : start])
    return int(match["note"] or 0) + len(match["spaces"]) if match else 0


def _begins(lines: Sequence[Line], i: int) -> bool:
    """Return True if a blank line stands before the line, or at least no unfinished sentence."""
    before = lines[i - 1].text if i else ""
    return not i or lines[i].gap > 0 or len(before) < 30 or _is_over(before) or heading_level(before) > 0


def _level(lines: Sequence[Line], i: int) -> int:
    """Return the level of a line that says that it is a heading. If it ends with a comma, its block must go on."""
    text = lines[i].text
    if not text.endswith((",", ";")):
        return heading_level(text)
    last = _rest_of_title(lines, i) if len(text) > SHORTEST_OPEN else i
    return heading_level(text[:-1]) if last > i and not lines[last].text.endswith((",", ";")) else 0


def _is_heading(lines: Sequence[Line], i: int) -> bool:
    """Return True for a line that may be a heading where it stands: it begins something and is no run-in heading.

    A run-in heading is the first line of a long paragraph: "BOOK I. CHAPTER I.—This whale, among the".
    """
    if not _begins(lines, i):
        return False
    block = lines[i : i + RUN_IN_LINES]
    if len(block) < RUN_IN_LINES or any(line.gap for line in block[1:]):
        return True
    longest = max(len(line.text) for line in block)
    full = all(len(line.text) > FULL_LINE * longest for line in block[:-1])
    return not (block[1].text[0].islower() or (full and block[0].text[0] < FIRST_EAST_ASIAN))


def _is_over(text: str) -> bool:
    """Return True if what comes after the text does not belong to its sentence. A row of hyphens ends it as well."""
    return ends_line(text) or text.endswith(("-", ">", *SEMICOLONS))


def _with_titles(lines: Sequence[Line], levels: dict[int, int], contents: set[int]) -> dict[int, int]:
    """Add the lines with the title of the heading before them: the rest of its block, or one short line."""
    extended = dict(levels)
    for i, level in levels.items():
        j = i + 1
        opens = i == 0 or lines[i].gap > 0
        last = _rest_of_title(lines, i) if opens else i
        while j < min(len(lines), i + 4) and opens and not lines[j].gap:
            if j > last and not is_title(lines[j].text):
                break
            extended.setdefault(j, level)
            j += 1
        if j != i + 1 or j == len(lines) or j in levels or j in contents or lines[j].gap > 4 or not alone(lines, j):
            continue
        text = bare(lines[i].text)
        if (without_title(text) or BARE.fullmatch(text)) and is_title(lines[j].text):
            extended[j] = level
    return extended


def _rest_of_title(lines: Sequence[Line], i: int) -> int:
    """Return the last line of a heading of several lines from `i` on; `i` if the block is too long or a sentence."""
    last = next((j for j in range(i, min(len(lines), i + 4) - 1) if lines[j + 1].gap), i)
    size = sum(len(line.text) for line in lines[i : last + 1])
    return i if size > 2 * LONGEST or _is_over(lines[last].text) else last
