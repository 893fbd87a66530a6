"""Writes the text of pages word by word, and keeps what is left out and where named points stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from narrate.text.characters import UNSPACED, ends_line
from narrate.text.document import Excluded, ExcludedKind, Paragraph, ParagraphKind, Span
from narrate.text.formats.ruby import is_reading
from narrate.text.structure.chapters import Block

SPACE = re.compile(r"[ \t\n\r\f\v]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
PREFORMATTED = re.compile(r"[^\n]*\S[^\n]*")


@dataclass(slots=True)
class TextBuilder:
    """Collects the text of pages.

    `source` has everything that was written or left out, `blocks` every finished paragraph. `marks` are the offsets of
    named points in the source. If `readings` is False, words are said as they are written and not by their reading.
    """

    readings: bool = True
    parts: list[str] = field(default_factory=list)
    length: int = 0
    blocks: list[Block] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    _lines: list[list[Span]] = field(default_factory=lambda: [[]])
    _space: str = ""
    _end: str = ""
    _in_row: bool = False

    @property
    def source(self) -> str:
        """The whole source so far."""
        return "".join(self.parts)

    def mark(self, name: str) -> None:
        """Give a name to the offset where the next words will stand."""
        self.marks.setdefault(name, self.length)

    def write(self, text: str) -> None:
        """Write words. White space becomes one space; a line end between East Asian characters becomes nothing."""
        if not text:
            return
        body = text.strip(" \t\n\r\f\v")
        if not body:
            self._space += text
            return
        self._space += text[: len(text) - len(text.lstrip(" \t\n\r\f\v"))]
        self._put(self._joint(body[0]) + SPACE.sub(lambda gap: _gap(gap, body), body))
        self._space = text[len(text.rstrip(" \t\n\r\f\v")) :]

    def write_lines(self, text: str) -> None:
        """Write preformatted text, whose lines stay lines."""
        for line in PREFORMATTED.finditer(text):
            self.end_line()
            self._put(line[0].strip().replace("\t", " "))
        if text.endswith("\n"):
            self.end_line()

    def write_ruby(self, base: str, reading: str) -> None:
        """Write a word (`base`) with its reading."""
        base, reading = "".join(base.split()), " ".join(reading.split())
        if not base:
            return
        before = self._joint(base[0])
        if before:
            self._put(before)
        said = reading if self.readings and reading and is_reading(reading, base) else None
        start = self.length
        self._append(base + reading)
        self._lines[-1].append(Span(base, start, self.length, said))
        self._end = base[-1]

    def separate(self) -> None:
        """Write a comma between two cells of a table."""
        if self._lines[-1] and self._end.isalnum():
            self._space = ""
            self._put("、" if _UNSPACED.match(self._end) else ", ")
            self._in_row = True

    def end_row(self) -> None:
        """Write a full stop after cells in one line, so that they are no sentence together with what follows."""
        if self._in_row and self._lines[-1] and self._end.isalnum():
            self._space = ""
            self._put("。" if _UNSPACED.match(self._end) else ".")

    def leave_out(self, kind: ExcludedKind, text: str, apart: bool = False) -> None:
        """Add text to the source that is not said. If it stands `apart`, a line end follows."""
        text = text.strip()
        if text:
            start = self.length
            self._append(text)
            self.excluded.append(Excluded(kind, start, self.length))
            if apart:
                self._append("\n")

    def end_line(self) -> None:
        """End the line within a paragraph."""
        self._space = self._end = ""
        self._in_row = False
        if self._lines[-1]:
            self._append("\n")
            self._lines.append([])

    def end_paragraph(self, kind: ParagraphKind = "prose", level: int = 0) -> None:
        """Finish the paragraph. Each of its lines becomes a paragraph; the lines of a heading stay together."""
        self.end_line()
        lines = [line for line in map(_trimmed, self._lines) if line]
        self._lines = [[]]
        if not lines:
            return
        if level:
            joined = [span for line in lines for span in (*line, Span(" ", line[-1].end, line[-1].end + 1))]
            self.blocks.append(Block(Paragraph(tuple(joined[:-1]), "heading"), level))
            return
        if kind == "prose" and len(lines) > 2:
            whole = sum(ends_line(line[-1].text) for line in lines[:-1])
            kind = "prose" if 2 * whole >= len(lines) - 1 else "verse"
        self.blocks.extend(Block(Paragraph(tuple(line), kind)) for line in lines)

    def _joint(self, first: str) -> str:
        """Return the space between what was written and a text that begins with `first`."""
        space, self._space = self._space, ""
        if not space or not self._lines[-1] or self._end == " ":
            return ""
        return "" if "\n" in space and _UNSPACED.match(self._end or " ") and _UNSPACED.match(first) else " "

    def _put(self, text: str) -> None:
        start = self.length
        self._append(text)
        line = self._lines[-1]
        if line and line[-1].spoken is None and line[-1].end == start and not line[-1].whole:
            line[-1] = Span(line[-1].text + text, line[-1].start, self.length)
        else:
            line.append(Span(text, start, self.length))
        self._end = text[-1]

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def _gap(gap: re.Match[str], text: str) -> str:
    if "\n" not in gap[0]:
        return " "
    before, after = text[gap.start() - 1], text[gap.end()]
    return "" if _UNSPACED.match(before) and _UNSPACED.match(after) else " "


def _trimmed(line: list[Span]) -> list[Span]:
    """Return a line without white space at both ends."""
    while line and not line[0].whole and not line[0].text.strip():
        line = line[1:]
    while line and not line[-1].whole and not line[-1].text.strip():
        line = line[:-1]
    if line and not line[0].whole:
        text = line[0].text.lstrip()
        line = [Span(text, line[0].end - len(text), line[0].end), *line[1:]]
    if line and not line[-1].whole:
        text = line[-1].text.rstrip()
        line = [*line[:-1], Span(text, line[-1].start, line[-1].start + len(text))]
    return line
