"""Feeding an ear from slots that are filled again: how many rows at once, and when the first sound may go out.

Rows in slots share the machine. On a processor a row alone may be slower than speech, and many together quicker: then
every further row makes more sound in all and each single row later. For each number of rows it is foreseen when every
chunk will be ready and when the ear will want it; the most rows with which nothing comes late are worked on. While an
ear waits and something would still come late, what is ready is kept back: one silence at the start instead of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import ceil, inf

MARGIN = 1.05  # all may take so many times longer than foreseen
NEARLY = 1.02  # delays within 2 % count as equal: then more rows go, which make more sound
SUSTAINED = 0.9  # seconds for a second of sound, at most: with fewer rows nothing would be gained while an ear listens
SURE_ROUNDS = 8  # after so many rounds it is clear what one costs
FORGET = 0.97  # of what an older round counts for, per newer one
_FURTHER = 0.1  # a further row costs so much of the first one, until two numbers of rows have been seen
_SUPPOSED = 0.01  # the weight of that guess


@dataclass(frozen=True, slots=True)
class Pending:
    """A chunk that is being made or waits for it: `left` seconds of its sound are still to be made, the last of them
    within `due` seconds; infinity if no ear waits."""

    left: float
    due: float = inf


class RoundCost:
    """Foresees what a round costs: a + c × its rows, in seconds, fitted to the rounds seen.

    Least squares, older rounds counting less, nothing below zero.
    """

    def __init__(self, a: float = 0.0, c: float = 0.0) -> None:
        self.known = a > 0 or c > 0
        self.a, self.c = a, c
        self.rounds = 0  # seen
        self._given = self.known
        self._sums = [0.0] * 5
        if self.known:
            for rows in (1, 10):
                self._add(rows, a + c * rows, 1.0)

    @property
    def sure(self) -> bool:
        """True if it was known before, or has been seen often enough."""
        return self._given or self.rounds >= SURE_ROUNDS

    def of(self, rows: int) -> float:
        return self.a + self.c * rows

    def learn(self, rows: int, seconds: float) -> None:
        """A round of so many rows took so many `seconds`."""
        self.rounds += 1
        if self.known:
            self._sums = [FORGET * total for total in self._sums]
            self._add(rows, seconds, 1.0)
        else:  # the very first round may be slow for reasons of its own: it counts for little
            self.known = True
            self._add(rows, seconds, _SUPPOSED)
            self._add(2 * rows, seconds * (1 + _FURTHER * rows), _SUPPOSED)
        self._fit()

    def _add(self, rows: int, seconds: float, weight: float) -> None:
        for place, fact in enumerate((1.0, rows, rows * rows, seconds, rows * seconds)):
            self._sums[place] += weight * fact

    def _fit(self) -> None:
        one, n, nn, s, ns = self._sums
        free = one * nn - n * n
        found = ((s * nn - ns * n) / free, (ns * one - s * n) / free) if free > 1e-9 * one * nn else (-1.0, -1.0)
        if min(found) < 0:  # one of the two is nothing: the other explains what it can
            found = (s / one, 0.0) if s * s / one > ns * ns / nn else (0.0, ns / nn)
        self.a, self.c = found


@dataclass(slots=True)
class Feed:
    """Plans for an engine with `slots` places, whose rounds make `round_seconds` of sound in each; keep it as long as
    the engine, because it learns what rounds cost, and what it costs to begin a row (`seat_seconds`)."""

    slots: int
    round_seconds: float
    cost: RoundCost = field(default_factory=RoundCost)
    seat_seconds: float = 0.0
    told: bool = False  # has the listener been told that gaps cannot be avoided

    @property
    def quick(self) -> bool:
        """True if even with all slots taken every row is made more quickly than it is heard, or nothing is known."""
        return not self.cost.known or self.cost.of(self.slots) <= self.round_seconds

    @property
    def rtf(self) -> float:
        """Seconds that a second of sound takes with all slots taken."""
        return self.cost.of(self.slots) / (self.slots * self.round_seconds)

    @property
    def head_start(self) -> float:
        """How many seconds before the ear the work would have to begin for every second of the book, so that no gap
        comes; 0 for an engine that keeps up."""
        return max(0.0, self.rtf - 1.0) if self.cost.sure else 0.0

    def learn_seats(self, rows: int, seconds: float) -> None:
        """To begin so many rows took so many `seconds`."""
        each = seconds / rows
        self.seat_seconds += (each - self.seat_seconds) * (0.2 if self.seat_seconds else 1.0)

    def rows(self, working: Sequence[Pending], waiting: Sequence[Pending]) -> int:
        """How many rows should be worked on now, if `working` are and those `waiting` follow in this order."""
        someone_listens = any(each.due < inf for each in (*working, *waiting))
        if someone_listens and not self.cost.known and self.round_seconds < inf:
            return max(1, len(working))  # the first round tells
        if self.quick or not someone_listens or len(working) >= self.slots:
            return self.slots
        late = {rows: self.late(working, waiting, rows) for rows in self._numbers(len(working))}
        least = max(0.0, min(late.values()))
        return max(rows for rows, delay in late.items() if delay <= NEARLY * least)

    def late(self, working: Sequence[Pending], waiting: Sequence[Pending], rows: int) -> float:
        """By how many seconds the latest of them will be late, with so many rows at once; below zero if none is."""
        ready = self._ready([each.left for each in working], [each.left for each in waiting], rows)
        every = zip(ready, (*working, *waiting), strict=True)
        return max((MARGIN * seconds - each.due for seconds, each in every), default=-inf)

    def _numbers(self, working: int) -> range:
        """The numbers of rows that come into question. Fewer than keep up with the ear never do, if any do."""
        every = range(1, self.slots + 1)
        enough = (rows for rows in every if self.cost.of(rows) <= SUSTAINED * rows * self.round_seconds)
        return range(max(1, working, next(enough, self.slots)), self.slots + 1)

    def _ready(self, working: Sequence[float], waiting: Sequence[float], rows: int) -> list[float]:
        """In how many seconds each will be made. All rows grow alike; who ends is followed by the next who waits."""
        ends: list[tuple[int, int]] = []  # the round in which each row ends, and its number
        ready = [0.0] * (len(working) + len(waiting))
        seconds = 0.0
        passed = following = 0
        for number, left in enumerate(working):
            heappush(ends, (self._rounds(left), number))
        while ends or following < len(waiting):
            while following < len(waiting) and len(ends) < max(1, rows):
                seconds += self.seat_seconds
                heappush(ends, (passed + self._rounds(waiting[following]), len(working) + following))
                following += 1
            seconds += (ends[0][0] - passed) * self.cost.of(len(ends))
            passed = ends[0][0]
            while ends and ends[0][0] == passed:
                ready[heappop(ends)[1]] = seconds
        return ready

    def _rounds(self, left: float) -> int:
        return max(1, ceil(left / self.round_seconds))
