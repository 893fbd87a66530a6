"""Reads Aozora Bunko: the book between its legend and its colophon, with headings and readings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from narrate.text.characters import FULLWIDTH_DIGITS, HAN, KANA, KANA_LETTERS
from narrate.text.document import Document, Excluded, Paragraph, Span
from narrate.text.formats.notation import Notation, Note
from narrate.text.formats.ruby import remember
from narrate.text.structure.chapters import Block, bind, opening_level
from narrate.text.structure.outline import with_headings
from narrate.text.structure.verse import with_verse

RULE = "[-－—─―=＝＊*]{8,}"
LEGEND = re.compile(rf"^{RULE}\n(?:.*\n){{0,120}}?{RULE}[ \t]*$", re.M)
LEGEND_SIGNS = re.compile("【テキスト中に現れる記号について】|《》：|［＃］：|（例）")
COLOPHON = re.compile(
    r"(?:\A|(?<=\n\n)|(?<=\n　\n)|(?<=］\n))[ 　]*"
    rf"(?:底本の?(?:親本)?[0-9{FULLWIDTH_DIGITS}]*[：:](?P<quoted>[「『])?"
    r"|(?P<alone>入力[：:]).*\n(?:.*\n){0,3}?[ 　]*校正[：:])"
)
VOLUNTEERS = re.compile("^[ 　]*(?:入力|校正|青空文庫作成ファイル|テキスト入力)[：:]", re.M)
NOTE = re.compile("［＃[^］\n]{0,1000}］")
OLD_NOTE = re.compile(rf"\[#([^\[\]\n]{{0,500}}[{HAN}{KANA_LETTERS}][^\[\]\n]{{0,500}})\]")
RUBY = re.compile(
    f"[{HAN}ヶ]《[{KANA}]+》|[｜|][^｜|《》\n]{{1,20}}《[^《》\n]{{1,30}}》|｜[^｜《》（）\n]{{1,20}}（[{KANA}]+）"
)
LINE = re.compile(r"[^\s](?:.*[^\s])?")
TRANSLATOR = re.compile("(?:訳|譯|編|校訂|註|注)$")

HEADING_AT = re.compile("「(.+)」は(?:同行|窓)?(大|中|小)見出し")
HEADING_FROM = re.compile("(?:ここから)?(?:同行|窓)?(大|中|小)?見出し")
HEADING_TO = re.compile("(?:ここで)?(?:同行|窓)?(大|中|小)?見出し終わり")
# The lines with title, author and translators have no more characters than this.
LONGEST_HEAD = 1500
LONGEST_COLOPHON, LONGEST_IMPRINT = 20_000, 1500
# A heading that nobody closes ends after so many characters.
LONGEST_HEADING = 200
LEVELS = {"大": 1, "中": 2, "小": 3, None: 2}


class Frame(NamedTuple):
    """Where the body begins and ends (offsets in the source), what the head says, and what is left out around it."""

    start: int
    end: int
    title: str
    author: str
    excluded: tuple[Excluded, ...]


def is_aozora(source: str) -> bool:
    """Return True for a text with the legend, notes, colophon or ruby of Aozora Bunko.

    Japanese novels of other origin use the ruby as well.
    """
    return bool(
        NOTE.search(source) or OLD_NOTE.search(source) or RUBY.search(source) or _legend(source) or _colophon(source)
    )


def read(source: str, ruby: Literal["reading", "base"] = "reading", ruby_memory: bool = True) -> Document:
    """Read a decoded text in Aozora notation. `ruby` and `ruby_memory` are those of readers.ReadOptions."""
    source = OLD_NOTE.sub(r"［＃\1］", source)
    frame = find_frame(source)
    excluded = list(frame.excluded)
    strict = not frame.excluded and not NOTE.search(source)
    found = _blocks(source, frame, Notation(source, ruby, strict), excluded)
    blocks = [block for block in found if block.paragraph.spans]
    if ruby == "reading" and ruby_memory:
        paragraphs = remember(block.paragraph for block in blocks)
        blocks = [Block(paragraph, block.level) for paragraph, block in zip(paragraphs, blocks, strict=True)]
    if not any(block.level for block in blocks):
        blocks = with_headings(source, blocks)
    blocks = with_verse(source, blocks)
    chapters = bind(blocks, opening_level(blocks))
    return Document(frame.title, frame.author, "ja", chapters, source, tuple(sorted(excluded, key=lambda e: e.start)))


def find_frame(source: str) -> Frame:
    """Find title and legend at the head, and the colophon at the foot."""
    legend, colophon = _legend(source), _colophon(source)
    end = colophon or len(source)
    excluded = [Excluded("colophon", end, len(source))] if colophon else []
    if not legend and not colophon:
        return Frame(0, end, "", "", ())
    head = source[: legend.start()] if legend else re.split(r"\n[ 　\t]*\n", source.lstrip("\n"), maxsplit=1)[0]
    lines = list(LINE.finditer(head))
    start = 0
    title = author = ""
    if lines and (legend or _are_titles(lines)):
        title, author = _names(lines)
        start = lines[-1].end()
        excluded.append(Excluded("header", lines[0].start(), start))
    if legend:
        start = legend.end()
        excluded.append(Excluded("legend", legend.start(), start))
    return Frame(start, max(start, end), title, author, tuple(excluded))


def _are_titles(lines: list[re.Match[str]]) -> bool:
    return len(lines) <= 8 and all(len(line[0]) < 60 and not line[0].endswith("。") for line in lines)


def _names(lines: list[re.Match[str]]) -> tuple[str, str]:
    """Return title and author: the first line, and the last line that names no translator."""
    names = [NOTE.sub("", re.sub("《[^》]*》|｜", "", line[0])) for line in lines]
    authors = [name for name in names[1:] if not TRANSLATOR.search(name)] or names[1:]
    return names[0], authors[-1] if authors else ""


def _legend(source: str) -> re.Match[str] | None:
    """Return the legend, if one stands near the beginning. Further on, such lines belong to the book."""
    match = LEGEND.search(source, 0, 12_000)
    return match if match and match.start() < LONGEST_HEAD and LEGEND_SIGNS.search(match[0]) else None


def _colophon(source: str) -> int:
    """Return where the colophon begins, 0 if there is none.

    It is short and stands at the end. 底本 further up belongs to the book.
    """
    for match in COLOPHON.finditer(source, max(0, len(source) - LONGEST_COLOPHON)):
        left = len(source) - match.start()
        if match["alone"] and 2 * left > len(source):
            continue
        if VOLUNTEERS.search(source, match.start()) or (match["quoted"] and left < LONGEST_IMPRINT):
            return match.start()
    return 0


def _blocks(source: str, frame: Frame, notation: Notation, excluded: list[Excluded]) -> Iterator[Block]:
    """Make paragraphs of lines. Notes are left out; those that name a heading make one."""
    level = 0
    last: Block | None = None
    for line in LINE.finditer(source, frame.start, frame.end):
        spans, notes = notation.line(line.start(), line.end())
        excluded.extend(Excluded("note", note.start, note.end) for note in notes)
        if not spans and not notes:
            continue
        if not notes and not level:
            if last:
                yield last
            last = _block(spans, 0)
            continue
        if line.end() - line.start() > LONGEST_HEADING:
            level = 0
        rows, level = _rows(spans, notes, level, last.paragraph.text if last else "")
        for row, row_level in rows:
            if not row and last and row_level:
                last = Block(Paragraph(last.paragraph.spans, "heading"), row_level)
            elif row:
                if last:
                    yield last
                last = _block(row, row_level)
    if last:
        yield last


def _rows(spans: list[Span], notes: list[Note], level: int, before: str) -> tuple[list[tuple[list[Span], int]], int]:
    """Cut a line where its notes say so. Return rows of spans with their level (0: prose), and the level that goes on.

    A row without spans but with a level makes a heading of the paragraph `before`, whose text the note names.
    """
    rows: list[tuple[list[Span], int]] = []
    row: list[Span] = []
    whole = True
    items: list[Span | Note] = sorted([*spans, *notes], key=lambda item: item.start)
    for item in items:
        if isinstance(item, Span):
            row.append(item)
        elif match := HEADING_AT.fullmatch(item.text):
            seen = "".join(span.text for span in row)
            if _bare(match[1]) in _bare(seen) if row else _bare(match[1]) == _bare(before):
                rows.append((row, LEVELS[match[2]]))
                row = []
        elif match := HEADING_FROM.fullmatch(item.text):
            rows.append((row, level if row else 0))
            row, level, whole = [], LEVELS[match[1]], item.text.startswith("ここから")
        elif item.text == "改行" or HEADING_TO.fullmatch(item.text):
            rows.append((row, level if row else 0))
            row, level = [], level if item.text == "改行" else 0
    rows.append((row, level if row else 0))
    return rows, level if whole else 0


def _bare(text: str) -> str:
    return re.sub(r"※?［＃[^］]*］|《[^》]*》|[\s※〓｜]", "", text)


def _block(spans: list[Span], level: int) -> Block:
    first, last = spans[0], spans[-1]
    if first.text[:1].isspace() and not first.whole:
        text = first.text.lstrip()
        spans = [Span(text, first.end - len(text), first.end), *spans[1:]]
    if last.text[-1:].isspace() and not last.whole:
        last = spans[-1]
        text = last.text.rstrip()
        spans = [*spans[:-1], Span(text, last.start, last.start + len(text))]
    kept = tuple(span for span in spans if span.text)
    return Block(Paragraph(kept, "heading" if level else "prose"), level)
