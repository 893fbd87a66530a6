"""Which chunks go into the next batch: sound soon, then no gap, then little work. Pure; knows no engine.

A batch is ready when its longest row is, so chunks of like length belong together; the ear wants them in reading order.
While enough sound waits to be heard, a batch is the next chunk with those nearest to it in length. When sound runs
short, all ways to cut the next chunks into batches are weighed, by what batches have cost so far, and the one that
leaves the least silence is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from math import inf

import numpy as np

from narrate.pace import chunk_seconds
from narrate.text.document import Chunk

AHEAD = 24  # chunks over which silence is weighed: two batches and a bit; beyond that the costs are too uncertain
GROWTH = 2  # a batch has at most so many times the rows of the largest one before: what it costs is not known yet
MARGIN = 1.15  # batches take up to so much longer than foreseen
ALIKE = 1.02  # of plans that end about as soon the one with the larger batch: it tells what further rows cost
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
    """Plans batches for one narration; keep it when the narration is taken up again, it has learned the engine's cost.

    `buffered` tells how many seconds of sound wait to be heard; infinitely many if nobody waits. `look_ahead` is how
    many batches' worth of chunks are looked at to find chunks of like length.
    """

    batch_size: int = 10
    look_ahead: int = 4
    buffered: Callable[[], float] = lambda: 0.0
    cost: Cost = field(default_factory=Cost)
    _largest: int = field(default=0, init=False)  # rows of the largest batch so far

    def learn(self, batch: list[Chunk], seconds: float) -> None:
        """A batch took `seconds` of wall time."""
        self._largest = max(self._largest, len(batch))
        self.cost.learn([chunk_seconds(chunk) for chunk in batch], seconds)

    def batches(self, chunks: Iterable[Chunk | None]) -> Iterator[list[Chunk]]:
        """Batches of 1 … `batch_size` chunks; every chunk in exactly one, the earliest never left waiting.

        None among the chunks says that no more have arrived yet: what is in hand is planned, then more is asked for.
        """
        source = iter(chunks)
        waiting: list[Chunk] = []
        arriving = True
        while arriving or waiting:
            wanted = self.batch_size * self.look_ahead if self._rows > 1 else 1
            while arriving and len(waiting) < wanted:
                try:
                    chunk = next(source)
                except StopIteration:
                    arriving = False
                    break
                if chunk is None:
                    break
                waiting.append(chunk)
            if waiting:
                waiting.sort(key=lambda chunk: chunk.index)
                batch = self._choose(waiting)
                chosen = set(map(id, batch))
                waiting = [chunk for chunk in waiting if id(chunk) not in chosen]
                yield batch

    @property
    def _rows(self) -> int:
        """The most rows that the next batch may have."""
        return self.batch_size if self.buffered() == inf else min(self.batch_size, max(1, GROWTH * self._largest))

    def _choose(self, waiting: list[Chunk]) -> list[Chunk]:
        buffered, rows = self.buffered(), min(self._rows, len(waiting))
        if rows == 1:
            return waiting[:1]
        lengths = [chunk_seconds(chunk) for chunk in waiting]
        due = [buffered]  # in how many seconds each chunk will be needed
        for chunk, length in zip(waiting, lengths, strict=True):
            due.append(due[-1] + length + chunk.pause)
        for urgent in range(1, rows + 1):
            batch = _with_likes(lengths, urgent, rows)
            ready = self._foreseen([lengths[at] for at in batch])
            if ready > buffered:
                break
            rest = [at for at in range(len(waiting)) if at not in batch][:rows]
            if not rest or ready + self._foreseen([lengths[at] for at in rest]) <= due[rest[0]]:
                return [waiting[at] for at in batch]
        return waiting[: self._least_silence(lengths[:AHEAD], due, rows)]

    def _foreseen(self, lengths: Sequence[float]) -> float:
        return MARGIN * self.cost.of(lengths) if self.cost.known else 0.0

    def _least_silence(self, lengths: Sequence[float], due: Sequence[float], rows: int) -> int:
        """How many of the chunks should go first so that the least silence is heard until all are."""
        count = len(lengths)

        @cache
        def seconds(begin: int, end: int) -> float:
            return self._foreseen(lengths[begin:end])

        def finished(silence: float, first: Iterable[int]) -> float:
            """When all can be made, if no batch comes later than `silence` allows and `first` many chunks begin."""
            ready = [0.0] + [inf] * count  # by how many chunks are made
            for end in range(1, count + 1):
                for begin in range(max(0, end - self.batch_size), end):
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
    """The least number from 0 on that is `enough`, to within a twentieth, if every greater one is."""
    if enough(0.0):
        return 0.0
    low, high = 0.0, 0.1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 0.05 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
