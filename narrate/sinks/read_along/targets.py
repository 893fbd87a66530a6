"""Parts of a page that can be pointed at: a span around a sentence, or the element that holds it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from narrate.sinks.read_along.elements import CDATA, Edit, Element, XmlFile

PHRASING = frozenset(
    "a abbr acronym area audio b bdi bdo big br button cdata cite code data del dfn em font i img input ins kbd label "
    "map mark math meter object output picture progress q ruby s samp small span strong sub sup svg time tt u var "
    "video wbr".split()
)
"""Elements that may stand in a line (HTML, 3.2.5.2.5), so that a span may go around them."""
PARTS = frozenset("option optgroup param rb rp rt rtc source track".split())  # of elements of a line
FOREIGN = frozenset(("math", "svg"))  # what is in them has rules of its own
# Elements in which no span may stand. Some are of a line themselves: then a span may go around all of it.
CLOSED = frozenset(
    "cdata colgroup dl hgroup html math menu ol picture ruby select svg table tbody tfoot thead tr ul".split()
)


class Target(NamedTuple):
    """The characters `first` … `last` - 1 of a page, and where they begin and end in its file.

    `element` is what holds exactly them, if no span can go around them; else None and `parent` is what the span is in.
    """

    first: int
    last: int
    start: int
    end: int
    element: Element | None
    parent: Element


class Targets:
    """Finds the targets of a page. A target begins and ends in one element, and is the outermost that holds no more."""

    def __init__(self, file: XmlFile) -> None:
        self._file = file
        self._starts = [element.start for element in file.elements]

    def around(self, ranges: Sequence[tuple[int, int]]) -> tuple[list[Target], list[int]]:
        """The targets that hold the ranges of characters, in order and apart from one another; and the number of its
        target for each range. Ranges that cannot be told apart by tags share one."""
        made: list[tuple[Target, list[int]]] = []
        for number in sorted(range(len(ranges)), key=lambda number: ranges[number]):
            target, held = self._fit(*ranges[number]), [number]
            while made and made[-1][0].last > target.first:
                before, more = made.pop()
                held = more + held
                target = self._fit(min(before.first, target.first), max(before.last, target.last))
            made.append((target, held))
        of_range = {number: place for place, (_, held) in enumerate(made) for number in held}
        return [target for target, _ in made], [of_range[number] for number in range(len(ranges))]

    def _fit(self, first: int, last: int) -> Target:
        """The smallest target that holds these characters."""
        file = self._file
        while True:
            left, right = list(_up(file.owners[first])), list(_up(file.owners[last - 1]))
            common = next(element for element in left if any(element is other for other in right))
            left, right = left[: left.index(common)], right[: right.index(common)]
            low = min([first, *(element.first for element in left)])
            high = max([last, *(element.last for element in right)])
            if (low, high) != (first, last):
                first, last = low, high
                continue
            start = left[-1].start if left else file.begins[first]
            end = right[-1].end if right else file.ends[last - 1]
            while common.tag in PHRASING and (common.first, common.last) == (first, last) and common.parent:
                start, end, common = common.start, common.end, common.parent
            whole = (common.first, common.last) == (first, last)
            if common.tag not in CLOSED and self._in_line(start, end):
                return Target(first, last, start, end, None, common)
            if whole or common.parent is None:
                return Target(common.first, common.last, common.start, common.end, common, common)
            first, last = common.first, common.last

    def _in_line(self, start: int, end: int) -> bool:
        """True if a span may hold text[start:end]."""
        at = bisect_left(self._starts, start)
        while at < len(self._starts) and self._starts[at] < end:
            element = self._file.elements[at]
            if element.tag not in PHRASING | PARTS:
                return False
            at = bisect_left(self._starts, element.end) if element.tag in FOREIGN else at + 1
        return True


def _up(element: Element) -> Iterator[Element]:
    """The element, and all that it is in."""
    at: Element | None = element
    while at is not None:
        yield at
        at = at.parent


def mark(target: Target, name: str) -> tuple[str, list[Edit]]:
    """The name by which the target can be pointed at, and the edits that give it one; `name` if it has none yet."""
    element = target.element
    if element is None:
        tag = f"{target.parent.prefix}span"
        opened = Edit(target.start, target.start, f'<{tag} id="{name}">', 1)
        return name, [opened, Edit(target.end, target.end, f"</{tag}>", 0)]
    known = element.get("id")
    if known:
        return known, []
    at = element.start + 1 + len(element.name)
    return name, [Edit(at, at, f' id="{name}"')]


assert CDATA in PHRASING & CLOSED
