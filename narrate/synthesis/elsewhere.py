"""Work that another process is doing: it is waited for, and what follows goes on meanwhile, but not without limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

AT_ONCE = 40  # takes that are waited for while other processes make them
INDEXES_PAST = 200  # how far past the first of them work may go on; what it makes waits in memory

T = TypeVar("T")


class Elsewhere(Generic[T]):
    """Items that other processes are making, in the order of their indexes."""

    def __init__(self) -> None:
        self._items: list[tuple[int, T]] = []
        self._reached = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    @property
    def full(self) -> bool:
        """True if work must not go on until one of the items is done."""
        first = self._items[0][0] if self._items else self._reached
        return len(self._items) >= AT_ONCE or self._reached - first >= INDEXES_PAST

    def reached(self, index: int) -> None:
        """The work here has come to the item of that index."""
        self._reached = index

    def add(self, item: T, index: int) -> None:
        self._items.append((index, item))

    def take(self, ours: Callable[[T], bool]) -> T | None:
        """The first item that is `ours` now: another process has made it meanwhile, or has given it up."""
        for place, (_, item) in enumerate(self._items):
            if ours(item):
                del self._items[place]
                return item
        return None
