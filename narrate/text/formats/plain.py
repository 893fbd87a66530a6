"""Reads plain text: joins lines that an editor broke, keeps the lines of verse, finds headings, leaves contents out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from narrate.text.characters import QUOTE_ENDS, STOPS, UNSPACED, WIDE_CLAUSE_MARKS, WIDE_STOPS, ends_line
from narrate.text.document import Document, Excluded, Paragraph, ParagraphKind, Span
from narrate.text.formats.end_notes import NONE, end_notes
from narrate.text.structure.chapters import Block, bind, opening_level, without_repeats
from narrate.text.structure.lines import Line
from narrate.text.structure.outline import Outline, outline
from narrate.text.structure.title_line import Named, author_of, named_in
from narrate.text.structure.verse import with_verse

# This sign, which no decoded text holds, overwrites what is left out. All offsets stay the same.
HOLE = "\x00"
# This sign overwrites a hyphen that only cut a word at the end of a line.
CUT = "\x01"
LINE = re.compile(f"[^\\s{HOLE}{CUT}](?:.*[^\\s{HOLE}{CUT}])?")
ITALIC = re.compile(r"_(?:(?<![\w_]_)(?=[^\s_])|(?<=[^\s_]_)(?![\w_]))")
AUTHOR = re.compile(r"^[ 　]*作\s*者[:：](.{1,40})$", re.MULTILINE)
_UNSPACED = re.compile(f"[{UNSPACED}]")
STOPPED = re.compile(f"[{STOPS}][{re.escape(''.join(QUOTE_ENDS))}]*$")
INNER_MARK = re.compile(f"[{WIDE_STOPS}{WIDE_CLAUSE_MARKS}]")
# A running head that is left out may stand between the two parts of a word.
HYPHEN = re.compile(rf"-\n(?:[ \t]*{HOLE}[ \t{HOLE}]*\n)*[ \t{HOLE}]*([^\W\d_]+)")
BEFORE_HYPHEN = re.compile(r"[^\W\d_]+\Z")
LONGEST_PART = 60
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
# A title with so many characters may go on in the next line.
FULL_TITLE = 40
# Editors break lines at a column of these.
COLUMNS = range(30, 161)
# A line with a full stop at its end that is shorter than this share of the column ends a paragraph.
SHORT_LINE = 0.75


def read(source: str, footnotes: Literal["skip", "end"] = "skip") -> Document:
    """Read decoded text. Title and author are "" if the text does not name them; the language is always "".

    Notes at the end are left out with their marks, or said where the text has them.
    """
    named = named_in(first[0]) if (first := LINE.search(source)) else Named()
    author = AUTHOR.search(source, 0, 1000)
    found = end_notes(source, 0, len(source)) if footnotes == "skip" else NONE
    excluded = [Excluded("footnote", note.start, note.end) for note in found.notes]
    if found.notes and found.start < found.notes[0].start:
        excluded.append(Excluded("footnote", found.start, found.notes[0].start))
    excluded += (Excluded("reference", begin, end) for begin, end, _ in found.marks)
    left_out = [(part.start, part.end) for part in excluded]
    masked = mask(source, [*left_out, *(match.span() for match in ITALIC.finditer(source))])
    masked = without_hyphens(source, masked)
    return build(source, masked, excluded, named.title, named.author or (author_of(author[1]) if author else ""))


def build(
    source: str,
    masked: str,
    excluded: list[Excluded],
    title: str = "",
    author: str = "",
    listed: Iterable[str] = (),
) -> Document:
    """Make a book of `masked`: `source` with a HOLE for each character that is left out. `listed` are known titles."""
    rows = list(lines(masked))
    found = outline(rows, listed)
    excluded += (Excluded("contents", rows[i].start, rows[i].end) for i in sorted(found.contents))
    excluded += (Excluded("index", rows[i].start, rows[i].end) for i in sorted(found.index_lines))
    excluded += (Excluded("page", rows[i].start, rows[i].end) for i in sorted(found.pages))
    blocks = with_verse(source, list(_blocks(masked, rows, found)))
    chapters, repeats = without_repeats(bind(blocks, opening_level(blocks)))
    for chapter in repeats:
        excluded += (Excluded("repeat", each.start, each.end) for each in chapter.paragraphs)
    warnings = tuple(f"{chapter.title!r} stands twice in the file; it is said once" for chapter in repeats)
    excluded.sort(key=lambda part: part.start)
    return Document(title, author, "", chapters, source, tuple(excluded), warnings=warnings)


def mask(source: str, spans: Iterable[tuple[int, int]]) -> str:
    """Overwrite stretches of the source with holes. Line ends stay."""
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= at:
            parts += source[at:start], re.sub(r"[^\n]", HOLE, source[start:end])
            at = end
    return "".join(parts) + source[at:]


def without_hyphens(source: str, masked: str, eager: bool = False) -> str:
    """Overwrite the hyphens that only cut a word at the end of a line with CUT.

    The whole word must stand elsewhere in the text. If `eager`, it is enough that the word with the hyphen does not.
    """
    breaks = [match for match in HYPHEN.finditer(masked) if match[1][0].islower()]
    if not breaks:
        return masked
    words = set(WORD.findall(source.lower()))
    cut: list[int] = []
    for match in breaks:
        at = match.start()
        before = BEFORE_HYPHEN.search(masked, max(0, at - LONGEST_PART), at)
        first, second = before[0].lower() if before else "", match[1].lower()
        if first and (first + second in words or (eager and f"{first}-{second}" not in words)):
            cut.append(at)
    parts = [masked[a + 1 : b] for a, b in zip([-1, *cut], [*cut, len(masked)], strict=True)]
    return CUT.join(parts)


def lines(masked: str) -> Iterator[Line]:
    """Yield the lines that are not blank."""
    end = number = 0
    for match in LINE.finditer(masked):
        feeds = masked.count("\n", end, match.start())
        margin = masked.rfind("\n", end, match.start()) + 1 or end
        gap = feeds - 1 if number else feeds
        before = masked[margin : match.start()]
        # A sign that is left out takes no room: what stands after it is not indented.
        indent = len(before) if before.isspace() else len(before) - len(before.lstrip())
        yield Line(match[0], match.start(), match.end(), indent, gap)
        end, number = match.end(), number + 1


def width(text: str) -> int:
    """Return the columns of a text on a screen. East Asian characters take two; other scripts are nearly right."""
    return len(text) if text.isascii() else (len(text.encode("utf-8", "replace")) + len(text)) // 2


def wrap_width(rows: Sequence[Line]) -> int:
    """Return the column at which an editor broke the lines of a text, 0 if every line is a paragraph.

    In broken prose, most lines do not end a sentence, and the next word would not have fitted on them. In verse,
    nearly every line begins with a capital.
    """
    pairs = _pairs(rows)
    column = _widest(pairs)
    following = [b.text for a, b in pairs if not ends_line(a.text)]
    if not pairs or sum(text[0].isupper() for text in following) > 0.8 * len(following):
        return 0
    forced = sum(_forced(a, b, column) for a, b in pairs)
    wrapped = column in COLUMNS and len(following) > 0.4 * len(pairs) and forced > 0.5 * len(pairs)
    return column if wrapped else 0


def _pairs(rows: Sequence[Line]) -> list[tuple[Line, Line]]:
    """Return some thousand pairs of lines with no blank line between them."""
    return [(a, b) for a, b in zip(rows, rows[1:], strict=False) if not b.gap][:4000]


def _widest(pairs: Sequence[tuple[Line, Line]]) -> int:
    """Return the width of the widest lines that are not exceptions, 0 if there are none."""
    widths = sorted(a.indent + width(a.text) for a, _ in pairs)
    return widths[int(0.95 * (len(widths) - 1))] if widths else 0


def wrap_columns(rows: Sequence[Line]) -> list[int]:
    """Return the column at which an editor broke the lines, for every line; 0 where a line is a paragraph.

    Where most of a text is not broken, it is decided for every block of lines: prose among lists, verse and dialogue.
    """
    column = wrap_width(rows)
    if column:
        return [column] * len(rows)
    column = _widest([pair for pair in _pairs(rows) if width(pair[0].text) in COLUMNS])
    columns: list[int] = []
    while column in COLUMNS and len(columns) < len(rows):
        start = len(columns)
        end = next((i for i in range(start + 1, len(rows)) if rows[i].gap), len(rows))
        columns += [column if _is_broken(rows[start:end], column) else 0] * (end - start)
    return columns or [0] * len(rows)


def _is_broken(block: Sequence[Line], column: int) -> bool:
    """Return True for a block of lines in which a sentence goes on from a full line to a small letter in the next."""
    pairs = list(zip(block, block[1:], strict=False))
    forced = [(a, b) for a, b in pairs if _forced(a, b, column)]
    return 2 * len(forced) >= len(pairs) and any(b.text[0].islower() and not ends_line(a.text) for a, b in forced)


def _forced(line: Line, following: Line, column: int) -> bool:
    """Return True if the next word would not have fitted on the line, with a few columns of tolerance."""
    first = following.text[:1] if _UNSPACED.match(following.text) else following.text.split(maxsplit=1)[0]
    return line.indent + width(line.text) + 1 + width(first) >= column - 6


def _blocks(masked: str, rows: Sequence[Line], found: Outline) -> Iterator[Block]:
    columns = wrap_columns(rows)
    block: list[Line] = []
    level = column = 0
    for i, line in enumerate(rows):
        left_out = i in found.contents or i in found.pages or i in found.index_lines
        here = found.levels.get(i, 0)
        following = rows[i + 1] if i + 1 < len(rows) else None
        if block and (
            left_out
            or here != level
            or not (
                masked[block[-1].end] == CUT
                or (_same_title(block[-1], line) if here else _continues(block, line, following, columns[i]))
            )
        ):
            yield from _finished(masked, block, column, level)
            block = []
        level = here
        column = max(column, columns[i]) if block else columns[i]
        if not left_out:
            block.append(line)
    yield from _finished(masked, block, column, level)


def _finished(masked: str, block: list[Line], column: int, level: int) -> Iterator[Block]:
    if block and level:
        yield Block(Paragraph(tuple(spans(masked, block)), "heading"), level)
    else:
        yield from _paragraphs(masked, block, column)


def _same_title(line: Line, following: Line) -> bool:
    """Return True if a title goes on in the next line."""
    return not following.gap and (following.text[0].islower() or line.text.endswith(",") or len(line.text) > FULL_TITLE)


def _continues(block: Sequence[Line], line: Line, following: Line | None, column: int) -> bool:
    """Return True if a line belongs to the block before it."""
    before = block[-1]
    if not line.gap and column:
        return True
    if ends_line(before.text):
        return False
    if column and _forced(before, line, column) and (line.text[0].islower() or _UNSPACED.match(line.text)):
        return True  # a page number or a picture stood between the two
    if not _UNSPACED.match(before.text[-1]) or not _UNSPACED.match(line.text):
        return False
    # These are East Asian lines with blank lines around them that were cut in the middle of a sentence.
    if before.text[-1] in "，、" and line.indent <= before.indent + 2:
        return True
    near = 20 <= len(before.text) <= 45 and len(line.text) <= 45
    return near and all(INNER_MARK.search(row.text) for row in (before, line))


def _paragraphs(masked: str, block: list[Line], column: int) -> Iterator[Block]:
    """Make one paragraph of a block of lines, several if lines are indented, or lines of verse."""
    if not block:
        return
    if not column or len(block) == 1:
        yield _paragraph(masked, block, "prose")
        return
    margin = min(line.indent for line in block)
    loose = sum(not _flows(a, b, column) for a, b in zip(block, block[1:], strict=False))
    if 2 * loose > len(block) - 1:
        for line in block:
            yield _paragraph(masked, [line], "verse")
        return
    indented = {i for i, line in enumerate(block) if i and line.indent > margin}
    ended = {i for i, line in enumerate(block[:-1], 1) if _ends_short(line, column)}
    starts = sorted({0, len(block)} | (indented if 2 * len(indented) < len(block) else set()) | ended)
    for start, end in zip(starts, starts[1:], strict=False):
        yield _paragraph(masked, block[start:end], "prose")


def _ends_short(line: Line, column: int) -> bool:
    return line.indent + width(line.text) < SHORT_LINE * column and bool(STOPPED.search(line.text))


def _flows(line: Line, following: Line, column: int) -> bool:
    """Return True if a sentence goes on in the next line: the line is full, or the next begins with a small letter."""
    if _forced(line, following, column):
        return True
    return not line.indent and not ends_line(line.text) and following.text[0].islower()


def _paragraph(masked: str, block: Sequence[Line], kind: ParagraphKind) -> Block:
    return Block(Paragraph(tuple(spans(masked, block)), kind))


def spans(masked: str, block: Sequence[Line]) -> Iterator[Span]:
    """Yield the spans of lines that belong together, without holes.

    A line end becomes a space in scripts that have spaces.
    """
    start = block[0].start
    for line, following in zip(block, (*block[1:], None), strict=True):
        spaced = following and masked[line.end] != CUT and _spaced(line.text, following.text)
        if following is None:
            yield from _solid(masked, start, line.end)
        elif spaced and following.start == line.end + 1:
            continue
        else:
            yield from _solid(masked, start, line.end)
            if spaced:
                end = masked.index("\n", line.end)
                yield Span(" ", end, end + 1)
            start = following.start


def _spaced(before: str, after: str) -> bool:
    """Return True if two lines are joined with a space."""
    if _UNSPACED.match(before[-1]) or _UNSPACED.match(after):
        return False
    return not (before.endswith(("—", "--")) or (before.endswith("-") and before[-2:-1].isalpha()))


def _solid(masked: str, start: int, end: int) -> Iterator[Span]:
    text = masked[start:end].replace("\n", " ").replace("\t", " ")
    if HOLE not in text and CUT not in text:
        yield Span(text, start, end)
        return
    at = start
    for part in re.split(f"([{HOLE}{CUT}]+)", text):
        if part and part[0] not in (HOLE, CUT):
            yield Span(part, at, at + len(part))
        at += len(part)
