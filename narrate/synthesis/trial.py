"""Takes before slow judges, beside the making: a queue and a thread of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Protocol

from narrate.checking.examiner import Case
from narrate.checking.verdict import Verdict
from narrate.pipeline import Background

MOST_SECONDS = 900.0  # of sound that wait to be judged, if they need not be

Reply = Callable[[Verdict | None], object]


class Judging(Protocol):
    """What judges takes (checking/examiner.py)."""

    @property
    def batch(self) -> int: ...
    @property
    def hears(self) -> bool:
        """True if what is said is heard, not only measured."""
        ...

    def examine(self, cases: Sequence[Case]) -> Sequence[Verdict | None]: ...

    def cancel(self) -> None: ...


class Trial:
    """Judges the takes that are submitted, in their order, as many at once as the examiner likes.

    Any thread may submit. Close it when no more takes come.
    """

    def __init__(self, examiner: Judging, takes: int = 1, *, begin_seconds: float = 0.0) -> None:
        """`takes`: so many takes are made of each chunk, if there is time, and the best is kept. The first take is
        looked at `begin_seconds` after it came: until then the first sound has the machine to itself."""
        self.takes = takes
        self._begin_seconds = begin_seconds
        self._examiner = examiner
        self._waiting: deque[tuple[Case, Reply]] = deque()
        self._seconds = 0.0
        self._changed = Condition()
        self._closing = self._examining = False
        self._thread: Background[None] | None = None

    @property
    def hears(self) -> bool:
        """True if what is said is heard, not only measured."""
        return self._examiner.hears

    @property
    def waiting_seconds(self) -> float:
        """Seconds of sound that wait to be judged."""
        return self._seconds

    def submit(self, case: Case, reply: Reply, *, needed: bool) -> bool:
        """Have the take judged; `reply` is called in the thread here. False if nobody has the time, and it is not
        `needed`; then there will be no reply."""
        with self._changed:
            if self._closing or (self._seconds >= MOST_SECONDS and not needed):
                return False
            self._waiting.append((case, reply))
            self._seconds += case.seconds
            self._changed.notify_all()
            if self._thread is None:
                self._thread = Background(self._run, "narrate-trial")
            return True

    def close(self) -> None:
        """Judge no more. Raises what went wrong in the thread."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            while not self._thread.wait(0.05):
                if self._examining:
                    self._examiner.cancel()
            self._thread.result()

    def _run(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, self._begin_seconds)
        while batch := self._next():
            self._examining = True
            try:
                verdicts = self._examiner.examine([case for case, _ in batch])
            except BaseException:
                self._give_up(batch)
                raise
            finally:
                self._examining = False
            if self._closing:
                return
            for (_, reply), verdict in zip(batch, verdicts, strict=True):
                reply(verdict)

    def _next(self) -> list[tuple[Case, Reply]]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closing)
            count = 0 if self._closing else min(len(self._waiting), max(1, self._examiner.batch))
            batch = [self._waiting.popleft() for _ in range(count)]
            self._seconds -= sum(case.seconds for case, _ in batch)
            return batch

    def _give_up(self, batch: Sequence[tuple[Case, Reply]]) -> None:
        """A defect: nobody waits for a verdict any more. Whoever closes the trial is told."""
        with self._changed:
            self._closing = True
            left, self._waiting = [*batch, *self._waiting], deque()
        for _, reply in left:
            reply(None)
