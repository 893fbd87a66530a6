"""Reads FictionBook (.fb2), the XML that Russian libraries keep books in."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import replace
from typing import Any

from narrate.errors import InputError
from narrate.text.document import Document, Edition
from narrate.text.encoding import decode
from narrate.text.formats import pages
from narrate.text.formats.choices import Choices
from narrate.text.formats.markup import DECLARED, parse_text, tag_of, text_of

ROOT = re.compile(r"<(?:\w+:)?FictionBook[\s>]")
HREF = "{http://www.w3.org/1999/xlink}href"
DEEPEST = 6  # levels of headings that a page has
# What an element is on a page. All others keep their children and lose their name.
TAGS = {
    "p": "p", "subtitle": "p", "text-author": "p", "v": "p", "emphasis": "em", "strong": "strong", "sup": "sup",
    "sub": "sub", "strikethrough": "s", "table": "table", "tr": "tr", "td": "td", "th": "th", "cite": "blockquote",
    "epigraph": "blockquote", "annotation": "blockquote", "section": "section", "date": "p", "code": "span",
}  # fmt: skip


def is_fictionbook(data: bytes) -> bool:
    """Return True for a file that begins as FictionBook does."""
    head = data[:3000]
    return bool(ROOT.search(head.replace(b"\x00", b"").decode("latin-1")))


def read(data: bytes, choices: Choices = Choices()) -> Document:  # noqa: B008 - it is frozen
    """Read a book. Raises InputError if it is damaged."""
    declared = DECLARED.search(data[:2000])
    tree = parse_text(decode(data, hint=declared[1].decode() if declared else None).text, xml=True)
    bodies = [element for element in tree if tag_of(element) == "body"] if tree is not None else []
    if not bodies:
        raise InputError("is a damaged FictionBook: no text is left in it; fetch it again")
    page = _Page()
    for body in bodies:
        page.add_body(body)
    document = pages.read_page(page.root, choices)
    about = _first(tree, "title-info")
    return replace(
        document,
        title=_text(about, "book-title") or document.title,
        author=_author(about),
        language=_text(about, "lang")[:2].lower(),
        edition=_edition(tree, about),
        cover=_cover(tree, about),
    )


class _Page:
    """The book as a page of HTML, which is read as every page is."""

    def __init__(self) -> None:
        from lxml import etree

        self._etree = etree
        self.root = etree.Element("html")
        self._body = etree.SubElement(self.root, "body")

    def add_body(self, body: Any) -> None:
        """Add a body: the first is the book, one with a name holds its notes."""
        if (body.get("name") or "").lower() in ("notes", "comments", "footnotes"):
            for section in body.iter():
                if tag_of(section) == "section":
                    note = self._etree.SubElement(self._body, "aside", role="doc-footnote", id=section.get("id") or "")
                    self._add_children(section, note, 0)
        else:
            self._add_children(body, self._body, 0)

    def _add_children(self, element: Any, to: Any, depth: int) -> None:
        _say(to, element.text)
        for child in element:
            self._add(child, to, depth)
            _say(to, child.tail)

    def _add(self, element: Any, to: Any, depth: int) -> None:
        """Add an element that lies within `depth` sections. The parser allows elements to be nested 256 deep."""
        name = tag_of(element)
        if name in ("image", "binary", "empty-line", ""):
            self._etree.SubElement(to, "span")  # what follows is put behind it, in one step
            return
        if name == "title":
            heading = self._etree.SubElement(to, f"h{min(depth + 1, DEEPEST)}")
            lines = [text_of(line) for line in element if text_of(line)] or [text_of(element)]
            for line in filter(None, lines):
                if heading.text:
                    self._etree.SubElement(heading, "br").tail = line
                else:
                    heading.text = line
            return
        if name == "a":
            kind = {"role": "doc-noteref"} if element.get("type") == "note" else {}
            inner = self._etree.SubElement(to, "a", href=element.get(HREF) or "", **kind)
        elif name == "poem":
            inner = self._etree.SubElement(to, "div", {"class": "poem"})
        elif name in TAGS:
            inner = self._etree.SubElement(to, TAGS[name])
        elif name == "stanza":
            inner = self._etree.SubElement(to, "div")
        else:
            inner = self._etree.SubElement(to, "span")
        if element.get("id"):
            inner.set("id", element.get("id"))
        self._add_children(element, inner, depth + (name == "section"))


def _say(to: Any, text: str | None) -> None:
    """Add text behind what the element holds."""
    if not text:
        return
    if len(to):
        to[-1].tail = (to[-1].tail or "") + text
    else:
        to.text = (to.text or "") + text


def _first(tree: Any, name: str) -> Any:
    return next((element for element in tree.iter() if tag_of(element) == name), None) if tree is not None else None


def _text(element: Any, name: str) -> str:
    found = _first(element, name)
    return text_of(found) if found is not None else ""


def _author(about: Any) -> str:
    """Return the authors' names as a title page has them."""
    names = []
    for author in about if about is not None else ():
        if tag_of(author) == "author":
            parts = [_text(author, part) for part in ("first-name", "middle-name", "last-name")]
            names.append(" ".join(filter(None, parts)) or _text(author, "nickname"))
    return ", ".join(filter(None, names))


def _edition(tree: Any, about: Any) -> Edition:
    series = _first(about, "sequence")
    publisher = _first(tree, "publish-info")
    return Edition(
        description=_text(about, "annotation"),
        publisher=_text(publisher, "publisher"),
        date=_text(publisher, "year") or _text(about, "date"),
        series=(series.get("name") or "") if series is not None else "",
        part=(series.get("number") or "") if series is not None else "",
    )


def _cover(tree: Any, about: Any) -> bytes | None:
    page = _first(about, "coverpage")
    image = _first(page, "image")
    name = (image.get(HREF) or "").lstrip("#") if image is not None else ""
    for binary in tree if name else ():
        if tag_of(binary) == "binary" and binary.get("id") == name:
            try:
                data = b64decode("".join((binary.text or "").split()))
            except (binascii.Error, ValueError):
                return None
            return data if data.startswith((b"\xff\xd8\xff", b"\x89PNG")) else None
    return None
