"""Walks the tree of a page and writes down what a person would read there."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from narrate.text.characters import HAN, KANA
from narrate.text.document import ExcludedKind, Span
from narrate.text.encoding import visible
from narrate.text.formats.choices import CODE, PICTURE, Choices
from narrate.text.formats.footnotes import NONE, Notes
from narrate.text.formats.markup import (
    BLOCKS,
    GAIJI_CLASS,
    POEM_CLASS,
    begin_of,
    hidden_by,
    kept_in,
    silence,
    tag_of,
    text_of,
    types_of,
)
from narrate.text.formats.notation import Notation, Note
from narrate.text.formats.ruby import is_reading
from narrate.text.formats.text_builder import TextBuilder

INITIAL = re.compile("[“‘\"']?[A-ZÀ-Þ]")
# A Chinese word with a reading in kana, a word that ｜ marks, or one that 《《》》 emphasizes.
NOTATION = re.compile(f"[{HAN}ヶ]《[{KANA} 　]+》|[｜|][^｜|《》\n]{{1,20}}《[^《》\n]{{1,30}}》|《《[^《》\n]+》》")
LINE = re.compile(r"[^\n]*\n?")
PREFORMATTED = ("pre", "template")  # a template is the code of Markdown
NOTE_HEAD = re.compile(r"^\W*(?:\d{1,4}|[a-z*†‡])[.)\]:]?\s+")
NO_DESCRIPTION = re.compile(
    r"\S+\.(?:jpe?g|png|gif|svg|webp)|(?:the )?(?:image|img|cover|picture|photo|illustration|figure|logo)\W*\d*",
    re.IGNORECASE,
)
MOST_COLUMNS = 100
HEADINGS = {f"h{level}": level for level in range(1, 7)}


@dataclass(slots=True)
class _Table:
    """The heads of a table's columns, and the column of the next cell; -1 in the row of the heads."""

    heads: list[str]
    at: int = 0


class PageReader:
    """Writes the text of pages with a TextBuilder.

    `hidden` are classes (".x") and ids ("#x") that style sheets hide, `notes` the footnotes. `contents` are the
    elements that are tables of contents, and `beside` those that stand beside the text; both are left out.
    """

    def __init__(
        self,
        builder: TextBuilder,
        hidden: Collection[str] = (),
        notes: Notes = NONE,
        choices: Choices = Choices(),  # noqa: B008 - it is frozen
        contents: Collection[Any] = (),
        beside: Collection[Any] = (),
    ) -> None:
        self._builder = builder
        self._hidden_everywhere = self._hidden = frozenset(hidden)
        self._notes = notes
        self._inlined: set[int] = set()  # lists of elements, by their identity
        self._choices = choices
        self._tables: list[_Table] = []
        self._contents = frozenset(contents)
        self._beside = frozenset(beside)
        self._held: list[Any] = []
        self._level = 0
        self._poem = self._pre = 0
        self._page = ""
        self._in_title_page = False
        self._judged: tuple[Any, bool] = (None, False)  # a heading with pictures in it, and whether it has no words

    def read(self, tree: Any, page: str = "") -> None:
        """Write the text of a page. Its named points are marked as "page#id", its beginning as "page"."""
        self._page = page
        self._builder.mark(page)
        own = set().union(*(hidden_by("".join(e.itertext())) for e in tree.iter() if tag_of(e) == "style"))
        self._hidden = self._hidden_everywhere | own
        self._walk(tree)
        while self._held:
            self._walk(self._held.pop(0), asked=True)

    def read_kept(self, tree: Any, page: str) -> None:
        """Leave a title page out, but for what the author wrote there."""
        self._page = page
        self._builder.mark(page)
        self._leave_out_around(tree, kept_in(tree))

    def _walk(self, root: Any, asked: bool = False) -> None:
        from lxml import etree

        walker = etree.iterwalk(root, events=("start", "end"))
        skipped = None
        for event, element in walker:
            if event == "start":
                if self._begin(element, asked and element is root):
                    skipped = element
                    walker.skip_subtree()
            else:
                if element is not skipped:
                    self._finish(element)
                if element is not root:
                    self._say(element.tail)
        self._builder.end_paragraph()

    def _begin(self, element: Any, asked: bool) -> bool:
        """Begin an element. Return True if nothing inside it is to be read any more."""
        tag = tag_of(element)
        block = tag in BLOCKS or tag == "template"
        if block:
            self._end_paragraph()
        self._mark(element)
        kind = None if asked else self._kind(element, tag)
        if kind:
            self._silence(element, kind, block)
            return True
        if tag == "ruby":
            self._ruby(element)
            return True
        if tag == "br":
            self._builder.end_line()
        elif tag == "img":
            self._picture(element)
        elif tag in ("table", "tr", "td", "th"):
            self._begin_in_table(element, tag)
        self._level = self._level or HEADINGS.get(tag, 0)
        self._pre += tag in PREFORMATTED
        self._poem += bool(POEM_CLASS.search(element.get("class") or "")) or "z3998:poem" in types_of(element)
        self._say(element.text)
        return False

    def _kind(self, element: Any, tag: str) -> ExcludedKind | None:
        """Return the kind of an element that is not read aloud, None for one that is."""
        if element in self._notes.elements:
            return "footnote"
        if element in self._beside:
            return "beside"
        kind = "contents" if element in self._contents else silence(element, tag, self._hidden)
        return None if kind == "code" and tag in PREFORMATTED and self._choices.code == "read" else kind

    def _finish(self, element: Any) -> None:
        tag = tag_of(element)
        if tag == "tr":
            self._builder.end_row()
        if tag == "table" and self._tables:
            self._tables.pop()
        if tag in BLOCKS or tag == "template":
            self._end_paragraph()
        self._pre -= tag in PREFORMATTED
        self._poem -= bool(POEM_CLASS.search(element.get("class") or "")) or "z3998:poem" in types_of(element)
        if tag in HEADINGS:
            self._level = 0

    def _end_paragraph(self) -> None:
        self._builder.end_paragraph("verse" if self._poem or self._pre else "prose", self._level)

    def _say(self, text: str | None) -> None:
        if not text:
            return
        text = visible(text)  # entities may have added invisible characters
        if self._pre:
            self._builder.write_lines(text)
        elif "《" in text and NOTATION.search(text):
            self._say_notation(text)
        else:
            self._builder.write(text)

    def _say_notation(self, text: str) -> None:
        """Write text with readings 《》 in it, as Japanese novels on the web have them."""
        notation = Notation(text, "reading" if self._builder.readings else "base", strict=True)
        for line in LINE.finditer(text):
            spans, notes = notation.line(*line.span())
            parts: list[Span | Note] = sorted([*spans, *notes], key=lambda part: part.start)
            for part in parts:
                if isinstance(part, Note):
                    self._builder.leave_out("note", text[part.start : part.end])
                elif part.spoken:
                    self._builder.write_ruby(part.text, part.spoken)
                elif part.spoken is None:
                    self._builder.write(part.text)

    def _mark(self, element: Any) -> None:
        for name in (element.get("id"), element.get("name")):
            if name:
                self._builder.mark(f"{self._page}#{name}")

    def _silence(self, element: Any, kind: ExcludedKind, block: bool) -> None:
        """Leave an element out. Its named points are still marked."""
        for inner in element.iter():
            if inner is not element and isinstance(inner.tag, str):
                self._mark(inner)
        if kind == "footnote" and self._choices.footnotes == "end":
            self._held.append(element)
            return
        if kind == "code" and tag_of(element) in PREFORMATTED and self._choices.code == "announce":
            self._builder.write(CODE.get(self._choices.language, CODE["en"]))
            self._end_paragraph()
        kept = kept_in(element) if kind == "cover" and not self._in_title_page else []
        if kept:
            self._leave_out_around(element, kept)
        else:
            self._builder.leave_out(kind, "".join(element.itertext()), apart=block)
        if kind == "reference" and self._choices.footnotes == "inline":
            self._say_note(element)

    def _say_note(self, link: Any) -> None:
        """Write the note that a link leads to, once, in round brackets and without its number."""
        note = self._notes.of.get(link, ())
        if note and id(note) not in self._inlined:
            self._inlined.add(id(note))
            words = NOTE_HEAD.sub("", " ".join(map(text_of, note))).rstrip(" ↩↑\ufe0e")
            self._builder.write(f" ({words})" if words else "")

    def _begin_in_table(self, element: Any, tag: str) -> None:
        """Say what stands above the column of a cell, if the listener wants it."""
        if tag == "table":
            self._tables.append(_Table([]))
        table = self._tables[-1] if self._tables else None
        if table and tag == "tr":
            cells = [cell for cell in element if tag_of(cell) in ("td", "th")]
            if not table.heads and len(cells) > 1 and all(tag_of(cell) == "th" for cell in cells):
                table.heads = [visible(text_of(cell)) for cell in cells for _ in range(_columns(cell))]
                table.at = -1
            else:
                table.at = 0
        if tag in ("td", "th"):
            self._builder.separate()
            if table and table.at >= 0:
                head = table.heads[table.at] if table.at < len(table.heads) and tag == "td" else ""
                table.at += _columns(element)
                if head and self._choices.tables == "headed":
                    self._builder.write(f"{head}: ")

    def _leave_out_around(self, element: Any, kept: Collection[Any]) -> None:
        """Leave a title page out, but for what the author wrote there."""
        from lxml import etree

        among = set(kept)
        words: list[str] = []
        self._in_title_page = True
        walker = etree.iterwalk(element, events=("start", "end"))
        for event, inner in walker:
            if event == "start" and inner in among:
                self._builder.leave_out("cover", "".join(words), apart=True)
                words.clear()
                self._walk(inner, asked=True)
                walker.skip_subtree()
            elif event == "start":
                words.append(inner.text or "")
            elif inner is not element:
                words.append(inner.tail or "")
        self._builder.leave_out("cover", "".join(words), apart=True)
        self._in_title_page = False

    def _picture(self, element: Any) -> None:
        """Write what a picture shows if it is a rare character, the first letter of a chapter, or a whole heading."""
        alt = visible(element.get("alt") or "").strip()
        character = 0 < len(alt) <= 2 and alt.isalnum() and GAIJI_CLASS.search(element.get("class") or "")
        initial = INITIAL.fullmatch(alt) and (element.tail or "")[:1].isalpha()
        heading = next((up for up in element.iterancestors() if tag_of(up) in HEADINGS), None) if alt else None
        if character or initial or (heading is not None and self._is_wordless(heading)):
            self._builder.write(alt)
        elif self._choices.alt and len(alt) > 2 and not NO_DESCRIPTION.fullmatch(alt):
            self._end_paragraph()
            self._builder.write(PICTURE.get(self._choices.language, PICTURE["en"]) + alt)
            self._end_paragraph()

    def _is_wordless(self, heading: Any) -> bool:
        if self._judged[0] is not heading:
            self._judged = (heading, not begin_of(heading, 0))
        return self._judged[1]

    def _ruby(self, ruby: Any) -> None:
        """Write a word with its reading. Parts of it without a reading are said as they are written."""
        base, reading = "", ""
        waiting = ruby.text or ""
        for part in ruby:
            tag, text = tag_of(part), "".join(part.itertext())
            if tag == "rt":
                base += waiting
                reading += text if text.strip() and is_reading(text.strip(), waiting) else waiting
                waiting = ""
            elif tag == "rtc" and not reading:
                base, reading, waiting = base + waiting, text, ""
            elif tag not in ("rp", "rtc"):
                waiting += text
            waiting += part.tail or ""
        said = "".join((reading + waiting).split())
        self._builder.write_ruby(visible(base + waiting), visible(said))


def _columns(cell: Any) -> int:
    """Return over how many columns a cell of a table goes."""
    wide = cell.get("colspan") or "1"
    return min(MOST_COLUMNS, max(1, int(wide))) if wide.isascii() and wide.isdigit() else 1
