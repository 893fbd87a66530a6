"""Finds the footnotes in pages: what the small numbers point to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from narrate.text.formats.archive import resolve
from narrate.text.formats.markup import BLOCKS, is_reference, is_short, tag_of, text_of

LONGEST_NOTE = 20_000
TITLE = re.compile(
    r"\W*(?:(?:foot|end)?notes?|fu(?:ß|ss)noten|anmerkungen|notas?|note|примечания|脚注|註釈|注釈?|注释|註釋|각주)\W*",
    re.IGNORECASE,
)


class Notes(NamedTuple):
    """The elements that are footnotes, and for each link to one the elements of its note."""

    elements: frozenset[Any]
    of: Mapping[Any, Sequence[Any]]


NONE = Notes(frozenset(), {})


def notes_of(pages: Mapping[str, Any]) -> Notes:
    """Return the footnotes: links such as ¹ point to them from before. `pages` are trees by path."""
    positions = {
        (path, name): (at, element)
        for path, tree in pages.items()
        for at, element in enumerate(tree.iter())
        for name in (element.get("id"), element.get("name"))
        if isinstance(element.tag, str) and name
    }
    order = {path: number for number, path in enumerate(pages)}
    notes: set[Any] = set()
    boxes: dict[Any, list[Any]] = {}  # that were looked at
    of: dict[Any, Sequence[Any]] = {}
    for path, tree in pages.items():
        for at, link in enumerate(tree.iter()):
            if tag_of(link) != "a" or not is_reference(link):
                continue
            target = resolve(path, link.get("href"))
            if target not in positions or (order[target[0]], positions[target][0]) < (order[path], at):
                continue
            if not any(up in notes for up in link.iterancestors()):
                box = _box(positions[target][1])
                if box not in boxes:
                    boxes[box] = list(_note(box))
                    notes.update(boxes[box])
                of[link] = boxes[box]
    return Notes(frozenset(notes.union(*map(_title, notes))), of)


def _title(note: Any) -> list[Any]:
    """Return the heading "Footnotes" above the first of them."""
    title = note.getprevious()
    return [title] if title is not None and TITLE.fullmatch(text_of(title)) else []


def _box(element: Any) -> Any:
    """Return the paragraph, list item or box that holds the point which a link names."""
    while tag_of(element) not in BLOCKS and element.getparent() is not None:
        element = element.getparent()
    return element


def _note(element: Any) -> Iterator[Any]:
    """Yield what belongs to the note in a box, nothing if there is no note."""
    tag = tag_of(element)
    if tag == "dt":
        yield element
        element = element.getnext()
    if (
        element is not None
        and tag not in ("body", "html", "section", "article", "main")
        and is_short(element, LONGEST_NOTE)
    ):
        yield element
