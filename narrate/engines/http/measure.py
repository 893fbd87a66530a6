"""How many requests at once a server holds well, found out while it works."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

FIRST = 2
BETTER = 1.1  # times as much sound a second makes twice the requests worth while
CEILING = 256


@dataclass(slots=True)
class Slots:
    """Begins with few requests and doubles them while that makes more sound a second, up to `usual`, or `most` if that
    is given. Halves them when the server refuses."""

    usual: int
    most: int | None = None
    count: int = field(default=FIRST, init=False)
    _best: float = field(default=0.0, init=False)  # seconds of sound a second, with fewer requests
    _ended: deque[tuple[float, float, float]] = field(default_factory=deque, init=False)  # begun, ended, seconds
    _settled: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.count = min(FIRST, self._ceiling)

    @property
    def _ceiling(self) -> int:
        return min(CEILING, self.most or self.usual)

    def refused(self) -> None:
        """The server takes no more now."""
        self.count = max(1, self.count // 2)
        self._settled = True
        self._ended.clear()

    def made(self, seconds: float, begun: float, ended: float) -> None:
        """A request was answered with so many seconds of sound."""
        self._ended.append((begun, ended, seconds))
        if self._settled or len(self._ended) < 2 * self.count:
            return
        span = max(end for _, end, _ in self._ended) - min(begin for begin, _, _ in self._ended)
        rate = sum(each for _, _, each in self._ended) / max(1e-6, span)
        self._ended.clear()
        if rate < BETTER * self._best:
            self.count = max(1, self.count // 2)
            self._settled = True
        elif self.count >= self._ceiling:
            self._settled = True
        else:
            self._best = rate
            self.count = min(self._ceiling, 2 * self.count)
