"""The outline of a plain text: its headings, its tables of contents, its page numbers.

A line is a heading if it says so ("Chapter 3"), if it belongs to a row of numbers that runs through the book, or if the
table of contents names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from narrate.text.characters import (
    FULLWIDTH_DIGITS,
    HAN,
    HAN_COUNT,
    HAN_DIGITS,
    KANA,
    SEMICOLONS,
    WIDE_BRACKETS,
    ends_line,
)
from narrate.text.structure.chapters import Block
from narrate.text.structure.headings import (
    DECORATION,
    LONGEST,
    ROMAN,
    bare,
    heading_level,
    is_named,
    number_of,
    without_title,
)


class Line(NamedTuple):
    """A line that is not blank, without the space around it.

    `start` and `end` are offsets in the source, `indent` counts the spaces before the line, `gap` the blank lines.
    """

    text: str
    start: int
    end: int
    indent: int
    gap: int


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
COUNTERS = rf"(?P<roman>{ROMAN})|(?P<digits>\d{{1,3}})|(?P<wide>[{FULLWIDTH_DIGITS}]{{1,3}})|(?P<han>[{HAN_COUNT}]+)"
COUNT_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty",
    "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "un deux trois quatre cinq six sept huit neuf dix onze douze",
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "uno due tre quattro cinque sei sette otto nove dieci undici dodici",
    "um dois três quatro cinco seis sete oito nove dez onze doze",
    "один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
)
WORD_VALUES = {word: value for words in COUNT_WORDS for value, word in enumerate(words.split(), 1)}
WORD_VALUES |= {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60}
WORD = "|".join(sorted(WORD_VALUES, key=len, reverse=True))
BARE = re.compile(rf"[(（]?(?:{COUNTERS}|(?P<word>(?i:(?:{WORD})(?:[- ](?:{WORD}))?)))[)）]?[.、．]?")
COUNTED = re.compile(rf"(?:{COUNTERS})(?:[.、．:：]\s*|[ 　]+)(?P<title>\S.{{0,70}})")
STYLES = ("roman", "digits", "wide", "han", "word")
LEADER = re.compile(r"[\s.·…・—-]+(?:\d{1,4}|[ivxlc]{1,7})?$")
HAN_TITLE = re.compile(rf"[{HAN}{KANA}{WIDE_BRACKETS}\s]{{1,15}}")
LONGEST_CONTENTS = 800
# A heading has fewer lines. A paragraph has more, even if it begins like one.
RUN_IN_LINES = 5
# A row of numbers that does not begin with 1, as in a second volume, has so many members.
ENOUGH_NUMBERS = 5
# A line that begins like this is speech.
SPEECH = re.compile("[-–—―\"“‘«„']")
DIGIT_VALUES = {character: value for value, character in enumerate(HAN_DIGITS)}
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "І": 1, "Х": 10}


def outline(lines: Sequence[Line], known: Iterable[str] = ()) -> Outline:
    """Find the headings, contents and page numbers among the lines of a text. `known` are titles that it surely has."""
    levels = {i: level for i, line in enumerate(lines) if (level := heading_level(line.text)) and _is_heading(lines, i)}
    contents, listed = _contents(lines)
    listed |= {_name(title) for title in known}
    contents |= _silent_contents(lines, levels, contents)
    for i, line in enumerate(lines):
        spoken = SPEECH.match(line.text) and i not in contents
        if listed and len(line.text) <= LONGEST and _alone(lines, i) and _name(line.text) in listed and not spoken:
            levels.setdefault(i, 2)
    levels = {i: level for i, level in levels.items() if i not in contents}
    numbers, pages = _numbers(lines, contents | levels.keys())
    counted = _counted(lines, contents | levels.keys() | numbers | pages)
    levels |= dict.fromkeys(counted, 2)
    has_chapters = any(level == 2 and not is_named(lines[i].text) for i, level in levels.items())
    levels |= {i: levels.get(i + 1, 3 if has_chapters else 2) for i in numbers - counted}
    return Outline(_with_titles(lines, levels, contents), frozenset(contents), frozenset(pages))


def with_headings(source: str, blocks: list[Block], apart: bool = False) -> list[Block]:
    """Mark the headings among paragraphs in which none are marked: 第一章, or 一, 二, 三 with blank lines around them.

    `apart` says that every paragraph has blank lines around it, even if the source has none.
    """
    rows: list[Line] = []
    for block in blocks:
        start, end = block.paragraph.start, block.paragraph.end
        gap = max(int(apart), source.count("\n", rows[-1].end, start) - 1) if rows else 0
        rows.append(Line(block.paragraph.text, start, end, 0, gap))
    levels = outline(rows).levels
    return [
        Block(replace(block.paragraph, kind="heading"), levels[i]) if i in levels else block
        for i, block in enumerate(blocks)
    ]


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


def _heads(lines: Sequence[Line], i: int) -> bool:
    """Return True if a blank line stands before the line, and only lines of a title between it and the next one."""
    last = i
    while last + 1 < len(lines) and not lines[last + 1].gap and last < i + 3 and is_title(lines[last + 1].text):
        last += 1
    return (i == 0 or lines[i].gap > 0) and (last + 1 == len(lines) or lines[last + 1].gap > 0)


def _alone(lines: Sequence[Line], i: int) -> bool:
    """Return True if a blank line stands before and after the line."""
    return (i == 0 or lines[i].gap > 0) and (i + 1 == len(lines) or lines[i + 1].gap > 0)


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


def _numbers(lines: Sequence[Line], taken: set[int]) -> tuple[set[int], set[int]]:
    """Return two sets of lines that are only a number and count up: headings, and page numbers.

    Page numbers stand in the middle of sentences.
    """
    heads: set[int] = set()
    pages: set[int] = set()
    for style, found in _counting(lines, taken, BARE, 12).items():
        chain = _chain(found, restart=True)
        bare = [i for i, _ in found]
        cut = [i for i in bare if i and i - 1 not in taken and lines[i - 1].text[-1].isalpha()]
        if style in ("digits", "wide") and len(found) >= 3 and 3 * len(cut) > len(found):
            pages.update(bare)
        elif len(chain) >= 2 and _distance(lines, chain) > 200:
            heads.update(chain)
    return heads, pages


def _counted(lines: Sequence[Line], taken: set[int]) -> set[int]:
    """Return lines such as "IV. A Title" that count up through the whole text, far apart from one another."""
    heads: set[int] = set()
    for found in _counting(lines, taken, COUNTED, LONGEST).values():
        chain = _chain(found, restart=False)
        begins = 3 if any(value == 1 for _, value in found) else ENOUGH_NUMBERS
        if len(chain) >= begins and _distance(lines, chain) > 800:
            heads.update(chain)
            if begins == ENOUGH_NUMBERS:
                heads.update(_first_without_title(lines, chain[0]))
    return heads


def _first_without_title(lines: Sequence[Line], second: int) -> list[int]:
    """Return the line with only "I." before a row of titles that begins with II, if there is one."""
    for i in range(second - 1, -1, -1):
        if lines[i].text.strip(DECORATION) in ("I.", "I", "1.", "1") and _alone(lines, i):
            return [i]
    return []


def _counting(
    lines: Sequence[Line], taken: set[int], pattern: re.Pattern[str], longest: int
) -> dict[str, list[tuple[int, int]]]:
    """Return line number and value of each line with a number as in `pattern`, by the style of the numeral."""
    found: dict[str, list[tuple[int, int]]] = {}
    for i, line in enumerate(lines):
        if len(line.text) > longest or i in taken or not _heads(lines, i):
            continue
        match = pattern.fullmatch(line.text.strip(DECORATION))
        title = match.groupdict().get("title") or "A" if match else ""
        if match and not title[0].islower() and not title.endswith((",", ";", "。", "，", "、")):
            groups = match.groupdict()
            style = next(name for name in STYLES if groups.get(name))
            found.setdefault(style, []).append((i, _value(style, match[style])))
    return found


def _chain(found: Iterable[tuple[int, int]], restart: bool) -> list[int]:
    """Return the lines whose values count 1, 2, 3 and so on. With `restart` they may begin again at 1.

    If there is no 1, they count from the first number there is.
    """
    found = list(found)
    chain: list[int] = []
    expected = 1
    if found and not restart and not any(value == 1 for _, value in found):
        expected = found[0][1]
    for i, value in found:
        if value == expected or (restart and value == 1):
            chain.append(i)
            expected = value + 1
    return chain


def _distance(lines: Sequence[Line], chain: Sequence[int]) -> int:
    """Return the median number of characters between the lines of a chain."""
    steps = sorted(lines[b].start - lines[a].start for a, b in zip(chain, chain[1:], strict=False))
    return steps[len(steps) // 2] if steps else 0


def _value(style: str, text: str) -> int:
    if style == "word":
        return sum(WORD_VALUES[word] for word in re.split("[- ]", text.lower()))
    return roman_value(text) if style == "roman" else han_value(text) if style == "han" else int(text)


def roman_value(text: str) -> int:
    """Return the value of Roman numerals in capitals, up to C."""
    values = [ROMAN_VALUES[sign] for sign in text]
    return sum(-a if a < b else a for a, b in zip(values, (*values[1:], 0), strict=True))


def han_value(text: str) -> int:
    """Return the value of Chinese numerals, up to 百."""
    total = digit = 0
    for character in text:
        if unit := {"十": 10, "百": 100}.get(character, 0):
            total, digit = total + (digit or 1) * unit, 0
        else:
            digit = DIGIT_VALUES.get(character, 0)
    return total + digit


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
        if j != i + 1 or j == len(lines) or j in levels or j in contents or lines[j].gap > 4 or not _alone(lines, j):
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


def is_title(text: str) -> bool:
    """Return True for a title: it is short, its words have capitals, and no full stop ends it.

    If all its letters are capitals, a full stop may end it.
    """
    if HAN_TITLE.fullmatch(text):
        return True
    if len(text) > 60 or (text.endswith((".", ",", ";", ":", "!", "”", '"')) and not text.isupper()):
        return False
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 3 or text.isupper()]
    return bool(words) and sum(word[0].isupper() for word in words) >= 0.6 * len(words)
