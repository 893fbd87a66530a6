"""The deciding half of the fast runtime: which chunk sits in which slot, and when a slot is given to the next. Pure.

A batch runs until its longest row ends; slots are filled again one by one, as soon as their row ends, from the chunks
in reading order. So nobody waits for a neighbour, and a row that never ends costs one slot for as long as it may last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

_TOO_MANY = 4  # frames past a row's limit: more than the last block of a row that advances can have


@dataclass(slots=True)
class Row(Generic[Item]):
    """Something being made in a slot: `frames` so far, at most `limit`; `computed` for it so far, living or not."""

    item: Item
    slot: int
    limit: int
    frames: int = 0
    computed: int = 0

    @property
    def overdue(self) -> bool:
        return self.frames >= self.limit

    @property
    def stuck(self) -> bool:
        """More was computed than the row can need: its frames do not advance, whatever the device says."""
        return self.computed > self.limit + _TOO_MANY


@dataclass(slots=True)
class Work:
    """Where the frames of all slots went: `computed`, of these `made` for a living row, `late` after a row's end but
    before it was noticed; the rest had no row."""

    computed: int = 0
    made: int = 0
    late: int = 0

    @property
    def alive(self) -> float:
        """The share of slots that were alive, 0 … 1."""
        return self.made / self.computed if self.computed else 1.0


@dataclass(slots=True)
class Scheduler(Generic[Item]):
    """`slots` places for rows. `limit` tells how many frames an item may take.

    The first admission is of one row, so that its sound begins at once; from then on all free slots are filled,
    `at_once` at a time: an eighth of the slots if not given, and no fewer than 8, so that rows of any length worth
    speaking are followed as fast as they end.
    """

    slots: int
    limit: Callable[[Item], int]
    at_once: int = 0
    rows: dict[int, Row[Item]] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    arriving: bool = True
    _begun: bool = False

    def __post_init__(self) -> None:
        self.at_once = self.at_once or rows_at_once(self.slots)

    @property
    def width(self) -> int:
        """How many of the first slots must be computed for every living row to be among them."""
        return max(self.rows, default=-1) + 1

    @property
    def done(self) -> bool:
        return not self.arriving and not self.rows

    def admit(self, items: Iterator[Item | None], most: int | None = None) -> list[Row[Item]]:
        """Seat the next items in the lowest free slots, up to `most` rows in all; fewer when a None says that no more
        have arrived yet."""
        free = [slot for slot in range(self.slots) if slot not in self.rows]
        if most is not None:
            free = free[: max(0, most - len(self.rows))]
        seated: list[Row[Item]] = []
        for slot in free[: self.at_once if self._begun else 1]:
            item = self._next(items)
            if item is None:
                break
            self.rows[slot] = Row(item, slot, self.limit(item))
            seated.append(self.rows[slot])
        self._begun = self._begun or bool(seated)
        return seated

    def advance(self, frames: Mapping[int, int], block: int) -> None:
        """`block` frames were computed in every slot; `frames` tells how many each row has now, by slot."""
        self.work.computed += self.slots * block
        for slot, row in self.rows.items():
            made = frames[slot] - row.frames
            self.work.made += made
            self.work.late += block - made
            row.frames = frames[slot]
            row.computed += block

    def retire(self, row: Row[Item]) -> None:
        """The row has ended, or is given up: its slot is free."""
        del self.rows[row.slot]

    def _next(self, items: Iterator[Item | None]) -> Item | None:
        if not self.arriving:
            return None
        try:
            return next(items)
        except StopIteration:
            self.arriving = False
            return None


def rows_at_once(slots: int) -> int:
    """How many rows are begun together at most."""
    return max(8, slots // 8)
