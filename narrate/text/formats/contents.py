"""Finds tables of contents in pages: lists of links into the book. They are left out, as the headings say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from narrate.text.formats.archive import resolve
from narrate.text.formats.markup import BLOCKS, is_reference, tag_of, text_of
from narrate.text.structure.outline import CONTENTS

# So many links make a table of contents; fewer are enough where "Contents" stands above them.
ENOUGH, ANNOUNCED = 4, 2
LONGEST_ENTRY = 150
LISTS = frozenset(("table", "tbody", "ul", "ol", "dl", "p", "div", "section", "blockquote", "center"))


def contents_of(pages: Mapping[str, Any]) -> set[Any]:
    """Return the elements that are tables of contents, with the line that announces them. `pages` are trees by path."""
    positions = {
        (path, name): at
        for path, tree in pages.items()
        for at, element in enumerate(tree.iter())
        for name in (element.get("id"), element.get("name"))
        if isinstance(element.tag, str) and name
    }
    order = {path: number for number, path in enumerate(pages)}
    found: set[Any] = set()
    for path, tree in pages.items():
        ahead: set[Any] = set()
        for at, link in enumerate(tree.iter()):
            if tag_of(link) == "a" and link.get("href") and not is_reference(link):
                target = resolve(path, link.get("href"))
                if (order.get(target[0], -1), positions.get(target, 0)) > (order[path], at):
                    ahead.add(link)
        if len(ahead) >= ANNOUNCED:
            found.update(_lists(tree, ahead))
    return found


def _lists(element: Any, ahead: set[Any]) -> Iterator[Any]:
    """Yield elements that are lists of links, and rows of neighbours that are one together."""
    row: list[Any] = []
    title = None
    for child in element:
        if not text_of(child):
            continue
        if _is_entry(child, ahead) or _is_list(child, ahead):
            row.append(child)
            continue
        yield from _listed(title, row, ahead)
        row, title = [], child
        yield from _lists(child, ahead)
    yield from _listed(title, row, ahead)


def _listed(title: Any, row: list[Any], ahead: set[Any]) -> list[Any]:
    """Return the row if it has enough links, with the title above it if that says "Contents"."""
    links = sum(link in ahead for one in row for link in one.iter())
    announced = title is not None and bool(CONTENTS.fullmatch(text_of(title).strip(" .:")))
    if announced and links >= ANNOUNCED:
        return [title, *row]
    return row if links >= ENOUGH else []


def _is_list(element: Any, ahead: set[Any]) -> bool:
    """Return True for an element that consists of links, or of lines most of which are entries."""
    if tag_of(element) not in LISTS:
        return False
    links = [text_of(link) for link in element.iter() if link in ahead]
    if len(links) >= ANNOUNCED and sum(map(len, links)) > 0.6 * len(text_of(element)):
        return True
    lines = [line for line in element.iter() if tag_of(line) in ("tr", "li", "p", "dt", "dd") and text_of(line)]
    entries = sum(_is_entry(line, ahead) for line in lines)
    return entries >= ANNOUNCED and 3 * entries >= 2 * len(lines)


def _is_entry(line: Any, ahead: set[Any]) -> bool:
    """Return True for a short line that is a link further into the book, or that ends with one (a page number)."""
    text = text_of(line)
    if tag_of(line) not in BLOCKS or tag_of(line) in ("table", "body") or not 0 < len(text) <= LONGEST_ENTRY:
        return False
    links = [text_of(link) for link in line.iter() if link in ahead]
    return bool(links) and (sum(map(len, links)) > 0.6 * len(text) or text.endswith(links[-1]))
