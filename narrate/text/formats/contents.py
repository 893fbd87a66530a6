"""Finds tables of contents in pages: lists of links into the book. They are left out, as the headings say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from narrate.text.characters import COLONS, STOPS
from narrate.text.formats.archive import resolve
from narrate.text.formats.markup import BLOCKS, begin_of, is_reference, is_short, tag_of, text_of
from narrate.text.structure.contents import CONTENTS

# So many links make a table of contents; fewer are enough where "Contents" stands above them.
ENOUGH, ANNOUNCED = 4, 2
# So many links are contents even if a sentence stands before them: "This book has the following chapters:"
MANY = 12
LONGEST_ENTRY, LONGEST_TITLE = 150, 40
TITLES = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "caption", "center"))
PROSE = frozenset(("p", "li", "dd", "td"))
SENTENCE_ENDS = (*STOPS, *COLONS)
DEEPEST = 50  # pages whose boxes stand deeper in one another were made by no tool
LISTS = frozenset(("table", "tbody", "ul", "ol", "dl", "p", "div", "section", "blockquote", "center"))


@dataclass(slots=True)
class _Links:
    """The links of a page that lead further into the book, and which lines were found to be entries of contents."""

    ahead: set[Any]
    entries: dict[Any, bool] = field(default_factory=dict)


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
        inside: set[Any] = set()
        for at, link in enumerate(tree.iter()):
            if tag_of(link) == "a" and link.get("href") and not is_reference(link):
                target = resolve(path, link.get("href"))
                if (order.get(target[0], -1), positions.get(target, 0)) > (order[path], at):
                    ahead.add(link)
                if target[0] in order:
                    inside.add(link)
        if len(ahead) >= ANNOUNCED:
            found.update(_lists(tree, _Links(ahead)))
        if len(inside) >= ENOUGH:
            found.update(_announced(tree, _Links(inside)))
    return found


def _announced(tree: Any, links: _Links) -> Iterator[Any]:
    """Yield contents at the end of a book, below their title, with the title. Their links lead back."""
    for title in tree.iter():
        if tag_of(title) not in TITLES or not is_short(title, LONGEST_TITLE):
            continue
        if CONTENTS.fullmatch(text_of(title).strip(" .:")):
            row = []
            for one in title.itersiblings():
                if begin_of(one, 0) and not (_is_entry(one, links) or _is_list(one, links)):
                    break
                row.append(one)
            if sum(link in links.ahead for one in row for link in one.iter()) >= ENOUGH:
                yield from (title, *row)


def _lists(element: Any, links: _Links, before: Any = None, depth: int = 0) -> Iterator[Any]:
    """Yield elements that are lists of links, and rows of neighbours that are one together.

    `before` is the element that stands before the first of them.
    """
    if depth > DEEPEST:
        return
    row: list[Any] = []
    for child in element:
        if not begin_of(child, 0):
            continue
        if _is_entry(child, links) or _is_list(child, links):
            row.append(child)
            continue
        yield from _listed(before, row, links)
        yield from _lists(child, links, before if not row else row[-1], depth + 1)
        row, before = [], child
    yield from _listed(before, row, links)


def _listed(before: Any, row: list[Any], links: _Links) -> list[Any]:
    """Return the row if it has enough links, with the title above it if that says "Contents".

    A few links after a sentence, or to be read with it, belong to the text.
    """
    count = sum(link in links.ahead for one in row for link in one.iter())
    announced = before is not None and bool(CONTENTS.fullmatch(text_of(before).strip(" .:")))
    if announced and count >= ANNOUNCED:
        return [before, *row]
    told = before is not None and tag_of(before) in PROSE and text_of(before).endswith(SENTENCE_ENDS)
    return row if count >= (MANY if told else ENOUGH) else []


def _is_list(element: Any, links: _Links) -> bool:
    """Return True for an element that consists of links, or of lines most of which are entries."""
    if tag_of(element) not in LISTS:
        return False
    texts = [text_of(link) for link in element.iter() if link in links.ahead]
    whole = text_of(element)
    if len(texts) >= ANNOUNCED and sum(map(len, texts)) > 0.6 * len(whole):
        return not _is_sentence(element, whole, texts)
    lines = [line for line in element.iter() if tag_of(line) in ("tr", "li", "p", "dt", "dd") and begin_of(line, 0)]
    entries = sum(_is_entry(line, links) for line in lines)
    return entries >= ANNOUNCED and 3 * entries >= 2 * len(lines)


def _is_entry(line: Any, links: _Links) -> bool:
    """Return True for a short line that is a link further into the book, or that ends with one (a page number)."""
    if line not in links.entries:
        links.entries[line] = _judge_entry(line, links.ahead)
    return links.entries[line]


def _judge_entry(line: Any, ahead: set[Any]) -> bool:
    if tag_of(line) not in BLOCKS or tag_of(line) in ("table", "body") or not is_short(line, LONGEST_ENTRY):
        return False
    text = text_of(line)
    texts = [text_of(link) for link in line.iter() if link in ahead]
    if not text or not texts or _is_sentence(line, text, texts):
        return False
    return sum(map(len, texts)) > 0.6 * len(text) or text.endswith(texts[-1])


def _is_sentence(line: Any, text: str, links: list[str]) -> bool:
    """Return True for a sentence with links in it: it ends with a full stop, and words stand between its links."""
    own = sum(map(str.isalnum, text)) - sum(map(str.isalnum, "".join(links)))
    return tag_of(line) in PROSE and text.endswith(SENTENCE_ENDS) and own > 0 and not text.endswith(links[-1])
