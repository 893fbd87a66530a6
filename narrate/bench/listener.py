"""What a listener at normal speed hears of clips that become ready one after the other: the first sound, and gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from narrate.clip import Clip
from narrate.sinks import Sink

DEVICE_SECONDS = 0.2  # of sound that a loudspeaker holds, as ours does


class Gap(NamedTuple):
    """Silence before the chunk numbered `chunk` where sound should have been; `at` since the start of the run."""

    chunk: int
    at: float
    seconds: float


@dataclass(slots=True)
class Listener:
    """Hears every clip as soon as it is ready and those before it are over; pauses are sound to it.

    `now` tells the time. `levels` are moments and how many seconds of sound were
    ready then and not yet heard.
    """

    now: Callable[[], float]
    started: float = field(init=False)
    first: float | None = field(default=None, init=False)
    gaps: list[Gap] = field(default_factory=list, init=False)
    levels: list[tuple[float, float]] = field(default_factory=list, init=False)
    _over: float = field(default=0.0, init=False)  # when all that is ready will have been heard

    def __post_init__(self) -> None:
        self.started = self.now()

    def hear(self, clip: Clip) -> None:
        now = self.now()
        if self.first is None:
            self.first = now - self.started
        elif now > self._over:
            self.gaps.append(Gap(clip.index, self._over - self.started, now - self._over))
        self._over = max(now, self._over) + clip.seconds + (clip.chunk.pause if clip.final else 0.0)
        self.levels.append((now - self.started, self._over - now))

    def buffered(self) -> float:
        """Seconds of sound that are ready and not yet heard."""
        return max(0.0, self._over - self.now()) if self.first is not None else 0.0


class NullSink(Sink):
    """A sink that takes everything at once. `heard` is told the clip of every write, as it comes."""

    def __init__(self, heard: Callable[[Clip], object] = lambda _: None) -> None:
        self._heard = heard

    def write(self, clip: Clip) -> None:
        self._heard(clip)


class Paced(NullSink):
    """A sink as slow as a loudspeaker: it holds `DEVICE_SECONDS` of sound, and `write` waits until there is room.

    `silences` is how long it was silent each time it ran dry.
    """

    def __init__(
        self,
        now: Callable[[], float],
        sleep: Callable[[float], object],
        heard: Callable[[Clip], object] = lambda _: None,
    ) -> None:
        super().__init__(heard)
        self.silences: list[float] = []
        self._now, self._sleep = now, sleep
        self._over: float | None = None

    def write(self, clip: Clip) -> None:
        super().write(clip)
        now = self._now()
        if self._over is not None and now > self._over:
            self.silences.append(now - self._over)
        self._over = max(now, self._over or now) + clip.seconds
        if (early := self._over - now - DEVICE_SECONDS) > 0:
            self._sleep(early)
