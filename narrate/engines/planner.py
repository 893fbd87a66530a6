"""Which requests go into the next batch: sound soon, then no gap, then little work. Pure; knows no engine.

A batch is ready when its longest row is, so chunks of like length belong together; the ear wants them in reading order.
While enough sound waits to be heard, a batch is the request that is due first with those nearest to it in length. When
sound runs short, all ways to cut the next requests into batches are weighed by what batches have cost so far, and the
one that leaves the least silence is begun. That holds for one listener. Where several share the engine, small batches
would cost each of them what they win for one, so their batches stay full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from math import inf

import numpy as np

from narrate.engines import Request
from narrate.pace import chunk_seconds

AHEAD = 24  # requests over which silence is weighed: two batches and a bit; beyond that the costs are too uncertain
GROWTH = 2  # a batch has at most so many times the rows of the largest one before, since its cost is not known yet
MARGIN = 1.15  # a batch may take so many times longer than foreseen
ALIKE = 1.02  # plans that end within 2 % of one another count as equal: then the larger first batch goes, to learn from
FORGET = 0.9  # of what an older batch counts for, per newer one: voices warm up, machines get busy

_CHOICES = [list(kept) for count in (1, 2, 3) for kept in combinations(range(3), count)]


class Cost:
    """Foresees what a batch costs: a + b × its longest row + c × all its rows, fitted to the batches seen.

    Least squares of the relative error, older batches counting less, nothing below zero. What a first batch leaves open
    is taken for granted where it can do no harm: an engine that is slower than speech with one row can only serve if
    further rows cost it nothing, of a quicker one it is not expected.
    """

    def __init__(self) -> None:
        self.known = False
        self._squares = np.zeros((3, 3))
        self._products = np.zeros(3)
        self._weights = [0.0, 0.0, 0.0]

    @property
    def weights(self) -> tuple[float, float, float]:
        """a (seconds), b and c (seconds per second of sound)."""
        a, b, c = self._weights
        return a, b, c

    def learn(self, rows: Sequence[float], seconds: float) -> None:
        """A batch of `rows` (the seconds of sound expected of each) took so many `seconds`."""
        seconds = max(seconds, 1e-6)
        if not self.known:
            self._suppose(rows, seconds)
        facts = np.array([1.0, max(rows), sum(rows)]) / seconds
        self._squares = FORGET * self._squares + np.outer(facts, facts)
        self._products = FORGET * self._products + facts
        self._fit()

    def of(self, rows: Sequence[float]) -> float:
        """The seconds that a batch of `rows` will take."""
        a, b, c = self._weights
        return a + b * max(rows) + c * sum(rows)

    def _suppose(self, rows: Sequence[float], seconds: float) -> None:
        """Begin with a guess that weighs a tenth of a batch."""
        rate = seconds / sum(rows)
        guess = np.array([0.0, 0.0, rate] if rate < 1 else [0.0, rate, 0.1 * rate])
        self._squares = 0.1 * np.diag([0.3, 1.0, 1.0]) / rate**2
        self._products = self._squares @ guess
        self.known = True

    def _fit(self) -> None:
        """Of all choices of weights that may be above zero, the one that explains most with none below."""
        squares = self._squares + 1e-9 * np.diag(np.diag(self._squares))  # batches may all be alike
        most = 0.0
        for kept in _CHOICES:
            found = np.linalg.solve(squares[np.ix_(kept, kept)], self._products[kept])
            explained = float(found @ self._products[kept])
            if (found >= 0).all() and explained > most:
                most = explained
                self._weights = [0.0, 0.0, 0.0]
                for which, weight in zip(kept, found, strict=True):
                    self._weights[which] = float(weight)


@dataclass(slots=True)
class Planner:
    """Plans the batches of an engine; keep it as long as the engine, because it learns what batches cost.

    `rows` is the most requests in a batch. `look_ahead` is how many batches' worth of requests are looked at to find
    some of like length.
    """

    rows: int = 10
    look_ahead: int = 4
    cost: Cost = field(default_factory=Cost)
    _largest: int = field(default=0, init=False)  # rows of the largest batch so far

    def wanted(self, waiting: Sequence[Request]) -> int:
        """How many requests to have at hand before the next batch is chosen.

        A listener gets the first request at once, before any others are asked for.
        """
        if not waiting or self.rows == 1:
            return 1
        someone_listens = any(request.due() < inf for request in waiting)
        return 1 if self._largest == 0 and someone_listens else self.rows * self.look_ahead

    def choose(self, waiting: Sequence[Request], now: float) -> list[Request]:
        """The next batch: 1 … `rows` of the requests that wait, the one that is due first among them.

        `now` is on the clock that `Request.due` tells the time of.
        """
        due = {request.id: request.due() - now for request in waiting}

        def order(request: Request) -> tuple[float, int, int]:
            nobody_listens = due[request.id] == inf
            return due[request.id], request.reading if nobody_listens else 0, request.chunk.index

        ordered = sorted(waiting, key=order)
        lengths = [chunk_seconds(request.chunk) for request in ordered]
        listeners = len({request.reading for request in ordered if due[request.id] < inf})
        places = self._batch(lengths, [due[request.id] for request in ordered], shared=listeners > 1)
        return [ordered[at] for at in places]

    def learn(self, batch: Sequence[Request], seconds: float) -> None:
        """A batch took `seconds` of wall time."""
        self._largest = max(self._largest, len(batch))
        self.cost.learn([chunk_seconds(request.chunk) for request in batch], seconds)

    def _most_rows(self, due: float) -> int:
        """The most rows that the next batch may have, if the first of them is due in so many seconds."""
        return self.rows if due == inf else min(self.rows, max(1, GROWTH * self._largest))

    def _batch(self, lengths: Sequence[float], due: Sequence[float], *, shared: bool = False) -> Sequence[int]:
        """The places of the next batch among requests in the order in which they are due.

        `lengths` are the seconds of sound expected of each, `due` in how many seconds each will be needed. `shared`:
        several listeners wait for them.
        """
        rows = min(self._most_rows(due[0]), len(lengths))
        if rows == 1:
            return [0]
        full = shared and rows == self.rows
        for urgent in range(1, rows + 1):
            batch = _with_likes(lengths, urgent, rows)
            ready = self._foreseen([lengths[at] for at in batch])
            if ready > due[0] and not full:
                break
            rest = [at for at in range(len(lengths)) if at not in batch][:rows]
            if not rest or ready + self._foreseen([lengths[at] for at in rest]) <= due[rest[0]]:
                return batch
        return range(rows if full else self._least_silence(lengths[:AHEAD], due, rows))

    def _foreseen(self, lengths: Sequence[float]) -> float:
        return MARGIN * self.cost.of(lengths) if self.cost.known else 0.0

    def _least_silence(self, lengths: Sequence[float], due: Sequence[float], rows: int) -> int:
        """How many of the requests should go first, so that the least silence is heard until all are made.

        A plan cuts the requests, in order, into batches. With `ready[end]` the earliest time at which the first `end`
        requests can be made, and a batch from `begin` to `end` allowed only if it is ready when its first request is
        due, or at most `silence` later,

            ready[end] = min over begin of (ready[begin] + cost of the batch begin … end).

        The least silence for which a plan exists is found by bisection; of the plans with that silence the one that
        ends first counts.
        """
        count = len(lengths)

        @cache
        def seconds(begin: int, end: int) -> float:
            return self._foreseen(lengths[begin:end])

        def finished(silence: float, first: Iterable[int]) -> float:
            """When all can be made, if the first batch has one of the sizes `first`; infinity if they cannot."""
            ready = [0.0] + [inf] * count
            for end in range(1, count + 1):
                for begin in range(max(0, end - self.rows), end):
                    done = ready[begin] + seconds(begin, end)
                    if done < ready[end] and done <= due[begin] + silence and (begin or end in first):
                        ready[end] = done
            return ready[count]

        firsts = range(1, min(rows, count) + 1)
        silence = _least(lambda silence: finished(silence, firsts) < inf)
        ends = {first: finished(silence, (first,)) for first in firsts}
        return max(first for first in firsts if ends[first] <= ALIKE * min(ends.values()))


def _with_likes(lengths: Sequence[float], urgent: int, rows: int) -> list[int]:
    """The first `urgent` places, filled up to `rows` with those nearest in length to the longest of them; in order."""
    longest = max(lengths[:urgent])
    others = sorted(range(urgent, len(lengths)), key=lambda at: abs(lengths[at] - longest))
    return sorted([*range(urgent), *others[: rows - urgent]])


def _least(enough: Callable[[float], bool]) -> float:
    """The least number of seconds from 0 on that is `enough`, if every greater one is; at most a twentieth or a
    millisecond too many."""
    if enough(0.0):
        return 0.0
    low, high = 0.0, 0.1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > max(0.05 * high, 0.001):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
