"""Finds tables of contents as they are printed, lines that name the headings of the book, and indexes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterator, Sequence

from narrate.text.characters import COLONS, STOPS, WIDE_STOPS
from narrate.text.structure.headings import DECORATION, LONGEST, bare, number_of
from narrate.text.structure.lines import Line
from narrate.text.structure.numbering import BARE, COUNTED

CONTENTS = re.compile(
    r"(?:table of )?contents(?: of (?:the )?\w+(?: volume| \w+)?)?"
    r"|inhalt(?:sverzeichnis)?|table des matières|sommaire|[íi]ndice|sommario|sumário"
    r"|содержание|оглавление|차\s*례|목\s*차|目\s*[录錄次]|(?:list of )?illustrations",
    re.IGNORECASE,
)
LEADER = re.compile(r"[\s.,·…・—-]+(?:\d{1,4}|[ivxlc]{1,7})?$")
# A cell of a table before the cell with a title.
CELL = re.compile(r"(?:[\w.]{1,8}|[^\W\d]{1,12}\.? [\w.]{1,8})[,、] ?")
LONGEST_CONTENTS = 800
LED = re.compile(r"(?:[.·…・][ \t]?){3,}[ \t]*(?:\d{1,4}|[ivxlc]{1,7})$")
LED_BETWEEN, LONGEST_LEADER = 3, 80
PAGE_ENDS = frozenset("0123456789ivxlc")
# An entry with its number, and how many lines the title of a part has among the entries.
COUNTING = re.compile(r"(\d{1,4})\. *\S")
LONGEST_PART_TITLE = 6
# Under its heading, so many entries make a table of contents; without a heading, more. Between them stand lines such as
# "Page" and "Part Two", which name nothing.
ENTRIES, SILENT_ENTRIES, BETWEEN = 3, 5, 3
# After a sentence, still more.
MANY, SHORTEST_SENTENCE = 12, 20
# Contents without a heading stand among so many paragraphs at one of the ends of a book.
AROUND = 200
INDEX = re.compile(
    r"(?:general |subject |name )?index(?: of (?:names|persons|places|subjects|proper names))?"
    r"|(?:sach|namen?s?|personen|orts|stich ?wort)-?(?:register|verzeichnis)|register"
    r"|index des noms(?: .{1,30})?|table alphabétique(?: .{1,30})?"
    r"|[íi]ndice (?:alfab[ée]tic[oa]|onom[áa]stico|anal[íi]tic[oa]|de nombres|dei nomi|remissivo)"
    r"|(?:предметный |именной |алфавитный )?указатель(?: имён| имен)?|(?:人名|事項)?索引|색인|찾아보기",
    re.IGNORECASE,
)
# An index has so many entries, and of neighbours such a share stand in the order of the alphabet or end with a page.
INDEX_ENTRIES, IN_ORDER, LOCATED_SHARE = 20, 0.8, 0.6
LOCATED = re.compile(
    r"(?:\d{1,4}|[ivxlc]{1,7})(?:\s?[-–]\s?\d{1,4})?[.,]?$|\b(?:see|siehe|voir|véase|vedi) ", re.IGNORECASE
)


def name_of(text: str) -> str:
    """Return what the entry in the contents and the heading of a chapter have in common: the words of the title."""
    text = LEADER.sub("", text.strip(DECORATION))
    if match := COUNTED.fullmatch(text):
        text = match["title"]
    return re.sub(r"[\W_]+", " ", text).strip().casefold()


def led(lines: Sequence[Line]) -> set[int]:
    """Return lines with dots that lead to the number of a page: three or more of them, but for a line or two."""
    found: set[int] = set()
    row: list[int] = []
    for i, line in enumerate(lines):
        if line.text[-1] not in PAGE_ENDS or not LED.search(line.text[-LONGEST_LEADER:]):
            continue
        if row and i - row[-1] > LED_BETWEEN:
            found.update(range(row[0], row[-1] + 1) if len(row) >= ENTRIES else ())
            row = []
        row.append(i)
    found.update(range(row[0], row[-1] + 1) if len(row) >= ENTRIES else ())
    title = min(found, default=0) - 1
    if title >= 0 and CONTENTS.fullmatch(lines[title].text.strip(DECORATION + ".:[]【】")):
        found.add(title)
    return found


def key_of(text: str) -> object:
    """Return label and number of a heading or of its entry in the contents; its title if it has none."""
    return number_of(bare(text)) or name_of(text)


def announced(lines: Sequence[Line]) -> tuple[set[int], set[str]]:
    """Return the lines of tables of contents that have a heading of their own, and the titles that they list."""
    found: set[int] = set()
    listed: set[str] = set()
    for i, line in enumerate(lines):
        if i in found or len(line.text) > 40 or not CONTENTS.fullmatch(line.text.strip(DECORATION + ".:[]【】")):
            continue
        end = _counted_on(lines, i, _end(lines, i))
        found.update(range(i, end))
        listed.update(name_of(lines[j].text) for j in range(i + 1, end))
    return found, {name for name in listed if len(name) > 2 and not BARE.fullmatch(name.upper())}


def _counted_on(lines: Sequence[Line], i: int, end: int) -> int:
    """Return the end of contents of several parts: in the next part, the numbers of the entries go on."""
    last = max((int(match[1]) for line in lines[i + 1 : end] if (match := COUNTING.match(line.text))), default=0)
    while last:
        stop = min(len(lines), end + LONGEST_PART_TITLE)
        begins = f"{last + 1}."
        following = next((j for j in range(end, stop) if lines[j].text.startswith(begins)), stop)
        if following + 1 >= len(lines) or following == stop or lines[following + 1].gap:
            break
        end = following
        while end < len(lines) and (match := COUNTING.match(lines[end].text)) and int(match[1]) == last + 1:
            end, last = end + 1, last + 1
    return end


def _end(lines: Sequence[Line], i: int) -> int:
    """Return the first line after the table of contents that line `i` announces; `i` if there is no table."""
    first = i + 1
    last = next((j for j in range(first, len(lines)) if len(lines[j].text) > 2 * LONGEST), len(lines))
    last = min(last, i + LONGEST_CONTENTS)
    if first >= last:
        return i
    wanted = key_of(lines[first].text)
    for j in range(first + 1, last):
        if lines[j].gap >= 4:
            return j
        if key_of(lines[j].text) == wanted:
            return j - 1 if BARE.fullmatch(bare(lines[j - 1].text)) and not lines[j].gap else j
    if last == len(lines):
        seen = {key_of(line.text) for line in lines[:i] if len(line.text) <= LONGEST}
        if 2 * sum(key_of(line.text) in seen for line in lines[first:]) >= last - first:
            return last
    return next((j for j in range(first + 2, last) if lines[j].gap >= 3), i)


def silent(lines: Sequence[Line], levels: dict[int, int], known: set[int]) -> set[int]:
    """Return the lines of tables of contents without a heading.

    Such a table is three or more headings with no text between them, the first of which comes again later.
    """
    heads = [i for i in sorted(levels) if i not in known]
    keys = [key_of(lines[i].text) for i in heads]
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


def printed(texts: Sequence[str], heads: Collection[int]) -> set[int]:
    """Return the paragraphs of a page that are a printed table of contents. `heads` are those that are headings.

    Most of them name a heading of the book. They stand below "Contents", or many of them follow one another.
    """
    named: Counter[object] = Counter()
    for i in heads:
        named.update({key_of(texts[i]), name_of(texts[i])} - {""})
    found: set[int] = set()
    at = 0
    while at < len(texts):
        told = len(texts[at]) <= 40 and bool(CONTENTS.fullmatch(texts[at].strip(DECORATION + ".:[]【】")))
        row = _entries(texts, at + told, heads, named) if told or _may_begin(texts, at) else []
        enough = ENTRIES if told else MANY if at and _is_told(texts[at - 1]) else SILENT_ENTRIES
        whole = bool(row) and (told or row[-1] - at < len(row))
        if whole and len(row) >= enough:
            found.update(range(at, row[-1] + 1))
        at = row[-1] + 1 if whole else at + 1
    return found


def _may_begin(texts: Sequence[str], at: int) -> bool:
    return not AROUND < at < len(texts) - AROUND


def _is_told(text: str) -> bool:
    """Return True for a sentence with which what follows belongs together."""
    return len(text) > SHORTEST_SENTENCE and text.endswith((*STOPS, *COLONS))


def _entries(texts: Sequence[str], start: int, heads: Collection[int], named: Counter[object]) -> list[int]:
    """Return the paragraphs from `start` on that are entries of contents, up to a heading or a few that are none."""
    row: list[int] = []
    for i in range(start, min(len(texts), start + LONGEST_CONTENTS)):
        if i - (row[-1] if row else start) > BETWEEN or len(texts[i]) > 2 * LONGEST or i in heads:
            break
        keys = (key_of(texts[i]), *map(name_of, _cells(texts[i])))
        if any(named[key] for key in keys) and not texts[i].endswith(tuple(WIDE_STOPS + "．")):
            row.append(i)
    return row


def _cells(text: str) -> Iterator[str]:
    """Yield an entry, and the cell with its title: without the number before it and the page behind it."""
    yield text
    match = CELL.match(text)
    yield text[match.end() if match else 0 :].rstrip(".。")


def index_of(texts: Sequence[str], begins: Sequence[bool], heads: Container[int]) -> set[int]:
    """Return the lines of the index at the end of a book, with its heading. `begins` are lines behind a blank one."""
    found: set[int] = set()
    for i in range(len(texts) // 4, len(texts)):
        if i in found or len(texts[i]) > 40 or not INDEX.fullmatch(texts[i].strip(DECORATION + ".:")):
            continue
        end = next((j for j in range(i + 1, len(texts)) if j in heads), len(texts))
        entries = [texts[j] for j in range(i + 1, end) if begins[j]]
        entries = entries if len(entries) >= INDEX_ENTRIES else list(texts[i + 1 : end])
        if len(entries) >= INDEX_ENTRIES and _is_index(entries):
            found.update(range(i, end))
    return found


def _is_index(entries: Sequence[str]) -> bool:
    """Return True for entries in the order of the alphabet, or most of which end with the number of a page."""
    firsts = [text.lstrip("\"“'‘(*_—- ")[:1].casefold() for text in entries]
    ordered = sum(a <= b for a, b in zip(firsts, firsts[1:], strict=False))
    located = sum(bool(LOCATED.search(text)) for text in entries)
    return len(set(firsts)) >= 5 and ordered >= IN_ORDER * (len(firsts) - 1) or located >= LOCATED_SHARE * len(entries)
