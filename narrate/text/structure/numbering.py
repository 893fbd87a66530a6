"""Finds lines with numbers that count up through a text: headings such as "IV. A Title" or "四", and page numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from narrate.text.characters import FULLWIDTH_DIGITS, HAN_COUNT, HAN_DIGITS
from narrate.text.structure.headings import DECORATION, LONGEST, ROMAN
from narrate.text.structure.lines import Line, alone, distance, is_title

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
# A row of numbers that does not begin with 1, as in a second volume, has so many members.
ENOUGH_NUMBERS = 5
# So many numbers may be missing at one place of a row: the editor forgot them, or they stand in a line with text.
MOST_LEFT_OUT = 2
DIGIT_VALUES = {character: value for value, character in enumerate(HAN_DIGITS)}
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "І": 1, "Х": 10}


class Numbers(NamedTuple):
    """Lines that are only a number and count up: headings, those of them that never begin anew, and page numbers."""

    heads: set[int]
    through: set[int]
    pages: set[int]


def numbers(lines: Sequence[Line], taken: set[int]) -> Numbers:
    """Find the lines that are only a number and count up. Page numbers stand in the middle of sentences."""
    found = Numbers(set(), set(), set())
    for style, counting in _counting(lines, taken, BARE, 12).items():
        at_one = sum(value == 1 for _, value in counting)
        later = not at_one and len(counting) >= ENOUGH_NUMBERS
        chain = _chain(counting, restart=not later)
        bare = [i for i, _ in counting]
        cut = [i for i in bare if i and i - 1 not in taken and lines[i - 1].text[-1].isalpha()]
        if style in ("digits", "wide") and len(counting) >= 3 and 3 * len(cut) > len(counting):
            found.pages.update(bare)
        elif len(chain) >= (ENOUGH_NUMBERS if later else 2) and distance(lines, chain) > 200:
            found.heads.update(chain)
            found.through.update(chain if at_one < 2 else ())
    return found


def counted(lines: Sequence[Line], taken: set[int]) -> set[int]:
    """Return lines such as "IV. A Title" that count up through the whole text, far apart from one another."""
    found: set[int] = set()
    for counting in _counting(lines, taken, COUNTED, LONGEST).values():
        chain = _chain(counting, restart=False)
        begins = 3 if any(value == 1 for _, value in counting) else ENOUGH_NUMBERS
        if len(chain) >= begins and distance(lines, chain) > 800:
            found.update(chain)
            if begins == ENOUGH_NUMBERS:
                found.update(_first_without_title(lines, chain[0]))
    return found


def _first_without_title(lines: Sequence[Line], second: int) -> list[int]:
    """Return the line with only "I." before a row of titles that begins with II, if there is one."""
    for i in range(second - 1, -1, -1):
        if lines[i].text.strip(DECORATION) in ("I.", "I", "1.", "1") and alone(lines, i):
            return [i]
    return []


def _counting(
    lines: Sequence[Line], taken: set[int], pattern: re.Pattern[str], longest: int
) -> dict[str, list[tuple[int, int]]]:
    """Return line number and value of each line with a number as in `pattern`, by the style of the numeral."""
    found: dict[str, list[tuple[int, int]]] = {}
    for i, line in enumerate(lines):
        if len(line.text) > longest or i in taken or not heads_block(lines, i):
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

    If there is no 1, they count from the first number there is. A long row may leave a number or two out.
    """
    found = list(found)
    chain: list[int] = []
    expected = 1
    if found and not restart and not any(value == 1 for _, value in found):
        expected = found[0][1]
    for i, value in found:
        left_out = 0 < value - expected <= MOST_LEFT_OUT and len(chain) >= ENOUGH_NUMBERS
        if value == expected or (restart and value == 1) or (left_out and not restart):
            chain.append(i)
            expected = value + 1
    return chain


def heads_block(lines: Sequence[Line], i: int) -> bool:
    """Return True if a blank line stands before the line, and only lines of a title between it and the next one."""
    last = i
    while last + 1 < len(lines) and not lines[last + 1].gap and last < i + 3 and is_title(lines[last + 1].text):
        last += 1
    return (i == 0 or lines[i].gap > 0) and (last + 1 == len(lines) or lines[last + 1].gap > 0)


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
