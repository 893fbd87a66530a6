"""How busy an engine is that many readings share, and how much sound it can make. Pure: it is told the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp

MEMORY_SECONDS = 30.0  # what is older counts for less than a third
KNOWN_SECONDS = 5.0  # after so much work without a pause it is known how much sound the engine can make


@dataclass(frozen=True, slots=True)
class Load:
    """The engine at this moment.

    `readings` have a seat, `ears` of them are listening. `waiting` takes have not begun, `in_hand` are with the engine,
    which works on `rows` of them. Of the last half minute: `busy_share` of it the engine worked, and it made
    `sound_rate` seconds of sound in a second. `capacity` is the most that it can make in a second, None if that is not
    known yet; `ears_rate` is what all ears together hear in one. `failure` says why the engine can do no more.
    """

    readings: int = 0
    ears: int = 0
    waiting: int = 0
    in_hand: int = 0
    rows: int = 0
    busy_share: float = 0.0
    sound_rate: float = 0.0
    ears_rate: float = 0.0
    capacity: float | None = None
    failure: str | None = None

    @property
    def rtf(self) -> float | None:
        """Seconds that a second of sound takes; None if nothing was made lately."""
        return self.busy_share / self.sound_rate if self.sound_rate else None


@dataclass(slots=True)
class _Average:
    """A sum per second of time, older things counting less."""

    total: float = 0.0
    seconds: float = 0.0

    def add(self, amount: float, seconds: float) -> None:
        kept = exp(-seconds / MEMORY_SECONDS)
        self.total = kept * self.total + amount
        self.seconds = kept * self.seconds + seconds

    @property
    def rate(self) -> float:
        return self.total / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Meter:
    """Counts the engine's work. `full` says whether, since the last time it was told, the engine had all it could
    take: only then what it makes is what it can make."""

    busy: _Average = field(default_factory=_Average)
    sound: _Average = field(default_factory=_Average)
    most: _Average = field(default_factory=_Average)
    _at: float | None = None
    _working: bool = False
    _counted_at: float = 0.0

    @property
    def capacity(self) -> float | None:
        return self.most.rate if self.most.seconds >= KNOWN_SECONDS else None

    def works(self, now: float, working: bool) -> None:
        """From now on the engine works, or does not."""
        self._pass(now, 0.0)
        self._working, self._counted_at = working, now

    def made(self, now: float, sound_seconds: float, *, full: bool) -> None:
        """So much sound came out now."""
        self._pass(now, sound_seconds)
        if full and now > self._counted_at:
            self.most.add(sound_seconds, now - self._counted_at)
        self._counted_at = now

    def look(self, now: float) -> None:
        """Let the time until now count."""
        self._pass(now, 0.0)

    def _pass(self, now: float, sound_seconds: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self.busy.add(passed * self._working, passed)
        self.sound.add(sound_seconds, passed)
