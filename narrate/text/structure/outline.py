"""The outline of a plain text: its headings, its tables of contents, its page numbers.

A line is a heading if it says so ("Chapter 3"), if it belongs to a row of numbers that runs through the book, or if the
table of contents names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from narrate.text.characters import FULLWIDTH_DIGITS, SEMICOLONS, ends_line
from narrate.text.structure.alike import alike
from narrate.text.structure.chapters import Block
from narrate.text.structure.headings import DECORATION, LONGEST, bare, heading_level, is_named, number_of, without_title
from narrate.text.structure.lines import SPEECH, Line, alone, is_title
from narrate.text.structure.numbering import BARE, COUNTED, counted, numbers


class Outline(NamedTuple):
    """The level of each line that is a heading, and the numbers of lines that are `contents` or page numbers."""

    levels: dict[int, int]
    contents: frozenset[int]
    pages: frozenset[int]


CONTENTS = re.compile(
    r"(?:table of )?contents(?: of (?:the )?\w+(?: volume| \w+)?)?"
    r"|inhalt(?:sverzeichnis)?|table des matières|sommaire|[íi]ndice|sommario|sumário"
    r"|содержание|оглавление|차\s*례|목\s*차|目\s*[录錄次]|(?:list of )?illustrations",
    re.IGNORECASE,
)
LEADER = re.compile(r"[\s.·…・—-]+(?:\d{1,4}|[ivxlc]{1,7})?$")
LONGEST_CONTENTS = 800
# A heading has fewer lines. A paragraph has more, even if it begins like one.
RUN_IN_LINES = 5
# So many headings with the same label are the chapters of a book.
FEWEST_CHAPTERS = 3
LONG_ENTRY = 20
# The number of a chapter that may stand alone: the first of a book that has no other.
FIRST = re.compile("1|I|ONE|FIRST|一|１")
# The spaces that set a line in are among so many characters before it, with the note that says how many they are.
LONGEST_INDENT = 60
INDENT = re.compile(rf"(?:^|\n)(?:［＃(?P<note>[\d{FULLWIDTH_DIGITS}]{{1,2}})字下げ］)?(?P<spaces>\u3000*)$")


def outline(lines: Sequence[Line], known: Iterable[str] = ()) -> Outline:
    """Find the headings, contents and page numbers among the lines of a text. `known` are titles that it surely has."""
    levels = {i: level for i, line in enumerate(lines) if (level := heading_level(line.text)) and _is_heading(lines, i)}
    contents, listed = _contents(lines)
    listed |= {_name(title) for title in known}
    contents |= _silent_contents(lines, levels, contents)
    levels = {i: level for i, level in levels.items() if i not in contents and not _is_in_a_list(lines, levels, i)}
    _without_strays(lines, levels)
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
    return Outline(_with_titles(lines, levels, contents), frozenset(contents), frozenset(counting.pages))


def _listed(lines: Sequence[Line], listed: set[str], contents: set[int]) -> Iterator[int]:
    """Yield the lines that the contents list as titles. Speech may have the words of a title."""
    for i, line in enumerate(lines):
        if len(line.text) > LONGEST or i in contents or not alone(lines, i) or SPEECH.match(line.text):
            continue
        if _name(line.text) in listed:
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
    if sum(len(row) >= FEWEST_CHAPTERS for row in rows.values()) != 1:
        return
    for (i, number), *others in rows.values():
        if not others and not FIRST.fullmatch(number):
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


def _is_heading(lines: Sequence[Line], i: int) -> bool:
    """Return True for a line that may be a heading where it stands: it begins something and is no run-in heading.

    A run-in heading is the first line of a long paragraph: "BOOK I. CHAPTER I.—This whale, among the".
    """
    last = i + RUN_IN_LINES
    runs_in = (
        last < len(lines) and lines[i + 1].text[0].islower() and not any(line.gap for line in lines[i + 1 : last + 1])
    )
    return _begins(lines, i) and not runs_in


def _is_over(text: str) -> bool:
    """Return True if what comes after the text does not belong to its sentence. A row of hyphens ends it as well."""
    return ends_line(text) or text.endswith(("-", ">", *SEMICOLONS))


def _name(text: str) -> str:
    """Return what the entry in the contents and the heading of a chapter have in common: the words of the title."""
    text = LEADER.sub("", text.strip(DECORATION))
    if match := COUNTED.fullmatch(text):
        text = match["title"]
    return re.sub(r"[\W_]+", " ", text).strip().casefold()


def _key(text: str) -> object:
    """Return label and number of a heading or of its entry in the contents; its title if it has none."""
    return number_of(bare(text)) or _name(text)


def _contents(lines: Sequence[Line]) -> tuple[set[int], set[str]]:
    """Return the lines of tables of contents that have a heading of their own, and the titles that they list."""
    found: set[int] = set()
    listed: set[str] = set()
    for i, line in enumerate(lines):
        if i in found or len(line.text) > 40 or not CONTENTS.fullmatch(line.text.strip(DECORATION + ".:[]【】")):
            continue
        end = _contents_end(lines, i)
        found.update(range(i, end))
        listed.update(_name(lines[j].text) for j in range(i + 1, end))
    return found, {name for name in listed if len(name) > 2 and not BARE.fullmatch(name.upper())}


def _contents_end(lines: Sequence[Line], i: int) -> int:
    """Return the first line after the table of contents that line `i` announces; `i` if there is no table."""
    first = i + 1
    last = next((j for j in range(first, len(lines)) if len(lines[j].text) > 2 * LONGEST), len(lines))
    last = min(last, i + LONGEST_CONTENTS)
    if first >= last:
        return i
    wanted = _key(lines[first].text)
    for j in range(first + 1, last):
        if lines[j].gap >= 4:
            return j
        if _key(lines[j].text) == wanted:
            return j - 1 if BARE.fullmatch(bare(lines[j - 1].text)) and not lines[j].gap else j
    if last == len(lines):
        seen = {_key(line.text) for line in lines[:i] if len(line.text) <= LONGEST}
        if 2 * sum(_key(line.text) in seen for line in lines[first:]) >= last - first:
            return last
    return next((j for j in range(first + 2, last) if lines[j].gap >= 3), i)


def _silent_contents(lines: Sequence[Line], levels: dict[int, int], known: set[int]) -> set[int]:
    """Return the lines of tables of contents without a heading.

    Such a table is three or more headings with no text between them, the first of which comes again later.
    """
    heads = [i for i in sorted(levels) if i not in known]
    keys = [_key(lines[i].text) for i in heads]
    last = {key: at for at, key in enumerate(keys)}
    found: set[int] = set()
    at = 0
    while at < len(heads):
        end = at + 1
        while end < len(heads) and heads[end] == heads[end - 1] + 1 and levels[heads[end]] == levels[heads[at]]:
            if keys[end] == keys[at]:
                break
            end += 1
        if end - at >= 3 and last[keys[at]] >= end:
            found.update(heads[at:end])
        at = end
    return found


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
