"""Which chunks go into the next batch: a quick start, then full batches of like length. Pure; knows no engine.

A batch runs until its longest row ends, so chunks of like length belong together; the ear wants them in reading order,
so only chunks that are not needed soon may wait. What "soon" is follows from the seconds of sound already waiting to be
heard and from what batches have cost so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from narrate.pace import expected_seconds
from narrate.text.document import Chunk


def chunk_seconds(chunk: Chunk) -> float:
    """How long the chunk's sound will be, about."""
    return expected_seconds(chunk.spoken, chunk.language)


@dataclass(slots=True)
class Planner:
    """Plans batches for one narration; keep it when the narration is taken up again, it has learned the engine's cost.

    `buffered` tells how many seconds of sound wait to be heard. `look_ahead` is how many batches' worth of chunks are
    looked at to find chunks of like length.
    """

    batch_size: int = 10
    look_ahead: int = 4
    buffered: Callable[[], float] = lambda: 0.0
    ramp: int = 1
    _cost: float | None = field(default=None, init=False)

    def restart(self) -> None:
        """Begin again with one short chunk: the listener jumped to a place that is not made yet."""
        self.ramp = 1

    def learn(self, batch: list[Chunk], seconds: float) -> None:
        """A batch took `seconds` of wall time; its cost goes by its longest row."""
        cost = seconds / max(map(chunk_seconds, batch))
        self._cost = cost if self._cost is None else 0.7 * self._cost + 0.3 * cost

    def batches(self, chunks: Iterable[Chunk | None]) -> Iterator[list[Chunk]]:
        """Batches of 1 … `batch_size` chunks; every chunk in exactly one, the earliest never left waiting.

        None among the chunks says that no more have arrived yet: what is in hand is planned, then more is asked for.
        """
        source = iter(chunks)
        waiting: list[Chunk] = []
        arriving = True
        while arriving or waiting:
            wanted = self.ramp if self.ramp < self.batch_size else self.batch_size * self.look_ahead
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
                self.ramp = min(self.batch_size, self.ramp * 2)
                yield batch

    def _choose(self, waiting: list[Chunk]) -> list[Chunk]:
        """The chunks needed soon, in reading order, filled up with those nearest to them in length."""
        if len(waiting) <= self.ramp:
            return list(waiting)
        due = waiting[: max(1, min(self.ramp, self._needed_soon(waiting)))]
        longest = max(map(chunk_seconds, due))
        others = sorted(waiting[len(due) :], key=lambda chunk: abs(chunk_seconds(chunk) - longest))
        return sorted(due + others[: self.ramp - len(due)], key=lambda chunk: chunk.index)

    def _needed_soon(self, waiting: list[Chunk]) -> int:
        """How many of the first chunks will be heard before the batch after this one can be ready."""
        if self._cost is None:
            return self.ramp
        longest = max(chunk_seconds(chunk) for chunk in waiting)
        horizon = 2 * self._cost * longest - self.buffered()
        needed = 1
        heard = chunk_seconds(waiting[0]) + waiting[0].pause
        while needed < len(waiting) and heard < horizon:
            heard += chunk_seconds(waiting[needed]) + waiting[needed].pause
            needed += 1
        return needed
