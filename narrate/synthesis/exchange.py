"""Many readings at one engine."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping

from narrate.clip import Clip
from narrate.clock import Clock
from narrate.engines import Abilities, Engine, Request
from narrate.voice import Voice


class Exchange:
    """Shares an engine among readings, each of which has a seat."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.lock = threading.Lock()

    def seat(self) -> Seat:
        """An `Engine` for one reading."""
        return Seat(self)

    def close(self) -> None:
        with self.lock:
            self.engine.close()


class Seat:
    """The engine as one reading sees it. The requests of all readings take turns."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._engine = exchange, exchange.engine

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def abilities(self) -> Abilities:
        return self._engine.abilities

    @property
    def fingerprint(self) -> Mapping[str, str]:
        return self._engine.fingerprint

    @property
    def sample_rate(self) -> int | None:
        return self._engine.sample_rate

    def check(self, voice: Voice) -> None:
        self._engine.check(voice)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        with self._exchange.lock:
            self._engine.prepare(voice, clock)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        for request in requests:
            if request is None:
                return
            with self._exchange.lock:
                clips = [clip for ready in self._engine.synthesize(iter([request])) for clip in ready]
            yield clips

    def cancel(self, ids: Collection[str]) -> None:
        self._engine.cancel(ids)

    def close(self) -> None:
        """The reading has ended; the engine stays."""
