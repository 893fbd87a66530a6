"""The stage clock: what time it is and, when somebody measures, where the time went. Knows nothing of speech.

Stages are told to whatever clock is handed in. The ordinary one keeps nothing; a `Recorder` keeps what every stage
took, less what the stages inside it took, so that the parts add up to the whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

_NOTHING = nullcontext()


class Clock:
    """Tells the time and keeps nothing."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.perf_counter()

    def stage(self, name: str) -> AbstractContextManager[None]:
        """What runs in the `with` block belongs to the stage of that name."""
        del name
        return _NOTHING

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """The items; making each of them belongs to the stage."""
        del name
        return iter(items)

    def batch(self, indexes: Sequence[int], seconds: float) -> None:
        """An engine has made the chunks of these indexes at once, in so many seconds."""

    def settle(self, wait: Callable[[], object]) -> None:
        """What a device is still busy with belongs to this stage: whoever measures calls `wait`, which waits for it."""


OFF = Clock()


class Recorder(Clock):
    """Keeps how long every stage took, each time: `stages` maps names to seconds; and what was made in `batches`. Any
    thread may tell it.

    `tell` gives the time; a simulation hands in its own.
    """

    def __init__(self, tell: Callable[[], float] = time.perf_counter) -> None:
        self.stages: dict[str, list[float]] = {}
        self.batches: list[tuple[tuple[int, ...], float]] = []
        self._tell = tell
        self._threads = threading.local()

    def now(self) -> float:
        return self._tell()

    def stage(self, name: str) -> AbstractContextManager[None]:
        return _Stage(self, name)

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        source = iter(items)
        while True:
            with _Stage(self, name):
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item

    def batch(self, indexes: Sequence[int], seconds: float) -> None:
        self.batches.append((tuple(indexes), seconds))

    def settle(self, wait: Callable[[], object]) -> None:
        wait()

    def enter(self) -> tuple[float, float]:
        """The time, and the seconds of inner stages that the outer stage has had so far."""
        inner = getattr(self._threads, "inner", 0.0)
        self._threads.inner = 0.0
        return self._tell(), inner

    def leave(self, name: str, entered: tuple[float, float]) -> None:
        start, before = entered
        took = self._tell() - start
        self.keep(name, took - self._threads.inner)
        self._threads.inner = before + took

    def keep(self, name: str, seconds: float) -> None:
        """A stage took so long, once."""
        self.stages.setdefault(name, []).append(seconds)


@dataclass(slots=True)
class _Stage:
    recorder: Recorder
    name: str
    entered: tuple[float, float] = field(default=(0.0, 0.0), init=False)

    def __enter__(self) -> None:
        self.entered = self.recorder.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.recorder.leave(self.name, self.entered)


@dataclass(slots=True)
class Simulated:
    """Time that passes only while somebody sleeps: hours of waiting in no time, and every figure exact.

    `now` and `sleep` stand for `time.perf_counter` and `time.sleep`; one thread at a time may sleep.
    """

    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def hms(seconds: float) -> str:
    """Hours, minutes and seconds as on a player: 5:07, 1:02:11."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
