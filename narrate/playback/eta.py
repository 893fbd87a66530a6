"""How long a file still takes to make, told by the batches in which sound has arrived so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0  # of wall time that tell how fast sound is made
SURE_SECONDS = 2.0  # of wall time between two batches, from which the pace is known
LEAST_SHARE = 0.05  # of what was foreseen is left as long as more is to be made


@dataclass(slots=True)
class Eta:
    """Foresees the end. Seconds of sound are as they are played, at the speed the listener chose."""

    _made: deque[tuple[float, float]] = field(default_factory=deque)  # wall seconds, seconds of sound made by then

    def tell(self, now: float, made_seconds: float) -> None:
        """At this moment, in wall seconds, so much sound had been made in all."""
        if made_seconds > (self._made[-1][1] if self._made else 0.0):
            self._made.append((now, made_seconds))
        while len(self._made) > 2 and now - self._made[1][0] > WINDOW_SECONDS:
            self._made.popleft()

    def pace(self, engine_pace: float | None) -> float | None:
        """Seconds of sound made in a second of wall time: lately, else as the engine says of itself. None: unknown."""
        if not self._made:
            return None
        (then, before), (last, most) = self._made[0], self._made[-1]
        return (most - before) / (last - then) if last - then > SURE_SECONDS else engine_pace

    def left_seconds(self, now: float, unmade_seconds: float, engine_pace: float | None) -> float | None:
        """Wall seconds until so much more sound is made; None if the pace is not known.

        Sound is made in batches, so it is known what is left when one has arrived; from then on time passes.
        """
        pace = self.pace(engine_pace)
        if pace is None:
            return None
        left = max(0.0, unmade_seconds) / pace
        return max(LEAST_SHARE * left, left - (now - self._made[-1][0]))
