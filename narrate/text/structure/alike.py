"""Finds titles that only the shape of the whole book tells: lines that stand alike, all through it.

A title without "Chapter" and without a number looks like any other short line. But its fellows stand as it does: set in
by as many spaces, behind as many blank lines, or with a date. The rows of a book are judged, never a single line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from narrate.text.characters import CLAUSE_MARKS, FIRST_EAST_ASIAN, STOPS, ends_line
from narrate.text.structure.headings import DECORATION, LONGEST
from narrate.text.structure.lines import SPEECH, Line, alone, distance
from narrate.text.structure.numbering import BARE, Numbers

# So many titles make a row; of letters of the alphabet, of dates and of lines that stand out to the left, more do.
FEWEST, MORE, MOST = 3, 5, 10
# The text below a title has so many characters, by how sure the shape is.
BELOW_SET_IN, BELOW_LETTER, BELOW_DATE, BELOW_FAR, BELOW_OUTDENTED = 40, 200, 300, 800, 1000
# Two lines that are no farther apart belong to one title page, one title or one list.
TOGETHER = 150
# Of the lines that stand in the same way, such a share are titles.
PURE = 0.6
# A title has no more characters, in scripts with and without spaces.
LONGEST_TITLE, LONGEST_WIDE = 60, 40
# Half of the titles of a row have no more. Lines of quoted poems, which are set in as well, have more.
TYPICAL_WIDE = 12
LONGEST_DATE = 50
END = re.compile(
    r"\W*(?:the end|finis|fin|ende|fine|fim|конец|끝|完|終|了|おわり|the end of .{1,40})\W*", re.IGNORECASE
)
LETTER = re.compile(r"[A-Z]\.?")
MONTHS = (
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sept sep oct nov dec januar jänner februar märz mai juni juli oktober dezember janvier février mars avril juin "
    "juillet août septembre octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre "
    "setiembre octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre "
    "janeiro fevereiro março maio junho julho setembro outubro dezembro января февраля марта апреля мая июня июля "
    "августа сентября октября ноября декабря"
)
MONTH = "|".join(sorted(MONTHS.split(), key=len, reverse=True))
DAY = r"\d{1,2}(?:-?(?:st|nd|rd|th|er|го|ое|е|º|°|\.))?"
DATE = re.compile(
    rf"(?:[^\W\d]{{2,20}}[.,]? ){{0,4}}(?:the |le |den |am |el |il )?"
    rf"(?:{DAY} (?:of |de |di )?(?:{MONTH})\b|(?:{MONTH})\.? (?:the |,)?{DAY})"
    r"(?:,? (?:de |del |di )?\d{4})?(?:[.,:;—–-]* ?\(?[^\W\d]{0,20}\)?)[.—–-]*",
    re.IGNORECASE,
)
KOREAN_DATE = re.compile(r"(?:\d{4}년 ?)?\d{1,2}월 ?\d{1,2}일.{0,20}")
HAN_DATE = re.compile(r"(?:\S{1,4}年)?[〇一二三四五六七八九十\d]{1,3}月[〇一二三四五六七八九十\d]{1,3}日.{0,12}")

Found = dict[int, int]


def alike(lines: Sequence[Line], taken: set[int], counting: Numbers) -> Found:
    """Return the level of each line that belongs to a row of titles; nothing if the book has none.

    `taken` are lines that are known to be something else, `counting` those that are only a number.
    """
    if found := _set_in(lines, taken, counting):
        return found
    if counting.through:
        return {}
    finders: tuple[Callable[[Sequence[Line], set[int]], list[int]], ...] = (_lettered, _dated, _far_apart, _outdented)
    for find in finders:
        if row := find(lines, taken):
            return dict.fromkeys(row, 2)
    return {}


def _set_in(lines: Sequence[Line], taken: set[int], counting: Numbers) -> Found:
    """Return titles that wide spaces set in, as Japanese books have them: all by as many, with blank lines around.

    A row whose titles stand right above those of another row are parts.
    """
    rows: dict[int, list[int]] = {}
    others: dict[int, int] = {}
    for i, line in enumerate(lines):
        if line.indent < 2 or line.text[0] < FIRST_EAST_ASIAN and i not in counting.heads:
            continue
        if i not in taken and alone(lines, i) and _may_be_title(line.text):
            rows.setdefault(line.indent, []).append(i)
        elif any(map(str.isalnum, line.text)):
            others[line.indent] = others.get(line.indent, 0) + 1
    kept = []
    for indent, row in rows.items():
        named = [i for i in row if not BARE.fullmatch(lines[i].text)]
        pure = len(row) >= PURE * (len(row) + others.get(indent, 0))
        if named and len(row) >= FEWEST and pure and _typical(lines, row) and distance(lines, row) > BELOW_SET_IN:
            kept.append(row)
    every = {i for row in kept for i in row}
    found: Found = {}
    for row in kept:
        above = sum(i + 1 in every and i + 1 not in row for i in row)
        found |= dict.fromkeys(row, 1 if 2 * above > len(row) else 2)
    return found


def _typical(lines: Sequence[Line], row: Sequence[int]) -> bool:
    lengths = sorted(len(lines[i].text) for i in row)
    return lengths[len(lengths) // 2] <= TYPICAL_WIDE


def _may_be_title(text: str) -> bool:
    wide = text[0] >= FIRST_EAST_ASIAN
    if len(text) > (LONGEST_WIDE if wide else LONGEST_TITLE) or END.fullmatch(text):
        return False
    if text.endswith(tuple(CLAUSE_MARKS)) or (wide and text.endswith(("。", "…", "―"))) or SPEECH.match(text):
        return False
    return any(map(str.isalnum, text)) and (wide or not text[0].islower())


def _lettered(lines: Sequence[Line], taken: set[int]) -> list[int]:
    """Return the letters above the parts of a dictionary: A, B, C …, each of them once."""
    row: list[int] = []
    last = ""
    for i, line in enumerate(lines):
        if len(line.text) > 12 or i in taken or not LETTER.fullmatch(line.text.strip(DECORATION)):
            continue
        letter = line.text.strip(DECORATION)[0]
        if letter > last and alone(lines, i):
            row.append(i)
            last = letter
    return row if len(row) >= MOST and distance(lines, row) > BELOW_LETTER else []


def _dated(lines: Sequence[Line], taken: set[int]) -> list[int]:
    """Return the dates above the letters, or the days of a diary, that a book consists of."""
    row = [
        i for i, line in enumerate(lines) if i not in taken and len(line.text) <= LONGEST_DATE and _is_date(line.text)
    ]
    row = [i for i in row if alone(lines, i)]
    return row if len(row) >= MORE and distance(lines, row) > BELOW_DATE else []


def _is_date(text: str) -> bool:
    text = text.strip(DECORATION + "[]()")
    return any(map(str.isnumeric, text)) and bool(
        DATE.fullmatch(text) or KOREAN_DATE.fullmatch(text) or HAN_DATE.fullmatch(text)
    )


def _far_apart(lines: Sequence[Line], taken: set[int]) -> list[int]:
    """Return titles that stand behind more blank lines than paragraphs do, all of them behind about as many."""
    apart = [i for i, line in enumerate(lines) if line.gap >= 2]
    for least in (2, 3, 4):
        wide = [i for i in apart if lines[i].gap >= least and any(map(str.isalnum, lines[i].text))]
        titles = [i for i in wide if i not in taken and alone(lines, i) and _stands_for_itself(lines[i].text)]
        near = {a for a, b in zip(titles, titles[1:], strict=False) if lines[b].start - lines[a].end < TOGETHER}
        row = [i for i in titles if i not in near]
        if row and lines[-1].end - lines[row[-1]].end < TOGETHER:
            row.pop()
        if len(row) >= FEWEST and len(titles) >= PURE * len(wide) and distance(lines, row) > BELOW_FAR:
            return row
    return []


def _stands_for_itself(text: str) -> bool:
    """Return True for a line that is no sentence: a title of a few words."""
    if not _may_be_title(text) or len(text) > LONGEST:
        return False
    words = text.split()
    return not text.endswith(tuple(STOPS)) or text.isupper() or (len(words) <= 3 and text.endswith("."))


def _outdented(lines: Sequence[Line], taken: set[int]) -> list[int]:
    """Return titles that begin at the margin where every paragraph is set in, and that have no blank lines around."""
    if sum(not line.indent for line in lines) > (1 - PURE) * len(lines):
        return []
    row = [i for i in _at_the_margin(lines) if i not in taken and _stands_for_itself(lines[i].text)]
    return row if len(row) >= MORE and distance(lines, row) > BELOW_OUTDENTED else []


def _at_the_margin(lines: Sequence[Line]) -> Iterator[int]:
    """Yield the short lines without indent between the end of a paragraph and the beginning of the next."""
    for i, (line, after) in enumerate(zip(lines, lines[1:], strict=False)):
        begins = not line.indent and after.indent and (i == 0 or ends_line(lines[i - 1].text))
        longest = LONGEST_TITLE if line.text.isascii() else LONGEST_WIDE // 2
        if begins and len(line.text) <= longest and not ends_line(line.text):
            yield i
