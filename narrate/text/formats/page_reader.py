"""Walks the tree of a page and writes down what a person would read there."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from narrate.text.characters import HAN, KANA
from narrate.text.document import ExcludedKind, Span
from narrate.text.encoding import visible
from narrate.text.formats.markup import (
    BLOCKS,
    GAIJI_CLASS,
    POEM_CLASS,
    begin_of,
    hidden_by,
    kept_in,
    silence,
    tag_of,
    types_of,
)
from narrate.text.formats.notation import Notation, Note
from narrate.text.formats.ruby import is_reading
from narrate.text.formats.text_builder import TextBuilder

INITIAL = re.compile("[“‘\"']?[A-ZÀ-Þ]")
# A Chinese word with a reading in kana, a word that ｜ marks, or one that 《《》》 emphasizes.
NOTATION = re.compile(f"[{HAN}ヶ]《[{KANA} 　]+》|[｜|][^｜|《》\n]{{1,20}}《[^《》\n]{{1,30}}》|《《[^《》\n]+》》")
LINE = re.compile(r"[^\n]*\n?")
HEADINGS = {f"h{level}": level for level in range(1, 7)}


class PageReader:
    """Writes the text of pages with a TextBuilder.

    `hidden` are classes (".x") and ids ("#x") that style sheets hide. `notes` are the elements that are footnotes. With
    `footnotes` they are written at the end of their page, otherwise they are left out. `contents` are the elements that
    are tables of contents, and `beside` those that stand beside the text; both are left out.
    """

    def __init__(
        self,
        builder: TextBuilder,
        hidden: Collection[str] = (),
        notes: Collection[Any] = (),
        footnotes: bool = False,
        contents: Collection[Any] = (),
        beside: Collection[Any] = (),
    ) -> None:
        self._builder = builder
        self._hidden_everywhere = self._hidden = frozenset(hidden)
        self._notes = frozenset(notes)
        self._contents = frozenset(contents)
        self._beside = frozenset(beside)
        self._footnotes = footnotes
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
        block = tag in BLOCKS
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
        elif tag in ("td", "th"):
            self._builder.separate()
        self._level = self._level or HEADINGS.get(tag, 0)
        self._pre += tag == "pre"
        self._poem += bool(POEM_CLASS.search(element.get("class") or "")) or "z3998:poem" in types_of(element)
        self._say(element.text)
        return False

    def _kind(self, element: Any, tag: str) -> ExcludedKind | None:
        """Return the kind of an element that is not read aloud, None for one that is."""
        if element in self._notes:
            return "footnote"
        if element in self._beside:
            return "beside"
        return "contents" if element in self._contents else silence(element, tag, self._hidden)

    def _finish(self, element: Any) -> None:
        tag = tag_of(element)
        if tag == "tr":
            self._builder.end_row()
        if tag in BLOCKS:
            self._end_paragraph()
        self._pre -= tag == "pre"
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
        if kind == "footnote" and self._footnotes:
            self._held.append(element)
            return
        kept = kept_in(element) if kind == "cover" and not self._in_title_page else []
        if kept:
            self._leave_out_around(element, kept)
        else:
            self._builder.leave_out(kind, "".join(element.itertext()), apart=block)

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
