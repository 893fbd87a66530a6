"""A reading's place at an engine that many share."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Abilities, Request
from narrate.synthesis.schedule import Asked, Reading
from narrate.voice import Voice

if TYPE_CHECKING:
    from narrate.synthesis.exchange import Exchange


@dataclass(slots=True, eq=False)
class Seat:
    """A place at an engine that many share: an `Engine` for one reading. `close` ends the reading, not the engine.

    The requests' `due` is asked in the engine's thread too; all else that belongs to the reading stays in its own.
    `begin` is called there as well, soon after the engine has begun; if the answer is False the take is dropped.
    """

    exchange: Exchange
    reading: Reading
    closed: bool = field(default=False, init=False)
    clips: list[Clip] = field(default_factory=list, init=False)
    """Ready, and not yet taken."""
    begun: list[Asked] = field(default_factory=list, init=False)
    """The engine has begun these; their `begin` is still to be called."""
    changed: threading.Condition = field(init=False)
    _clock: Clock = field(default=OFF, init=False)

    def __post_init__(self) -> None:
        self.changed = self.exchange.condition()

    @property
    def name(self) -> str:
        return self.exchange.engine.name

    @property
    def abilities(self) -> Abilities:
        return self.exchange.engine.abilities

    @property
    def fingerprint(self) -> Mapping[str, str]:
        return self.exchange.engine.fingerprint

    @property
    def sample_rate(self) -> int | None:
        return self.exchange.engine.sample_rate

    def check(self, voice: Voice) -> None:
        self.exchange.engine.check(voice)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """The engine tells its own clock where the time goes, because it cannot tell for whom; `clock` only says what
        time `due` means."""
        self._clock = clock
        self.exchange.prepare(voice, self)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """See `Engine.synthesize`. Clips come as soon as they are ready, in any order."""
        source = iter(requests)
        more, ended = True, False  # may there be a request now; were there all
        taken: list[Clip] = []
        try:
            while True:
                while more and not ended and self.exchange.has_place(self.reading):
                    try:
                        request = next(source)
                    except StopIteration:
                        ended = True
                        break
                    if request is None:
                        more = False
                    else:
                        self.exchange.add(self._on_their_clock(request), self)
                if not (self.reading.out or self.clips):
                    return
                yield []
                self.exchange.wait(self, for_place=more and not ended)
                begun, clips = self.exchange.take(self)
                left_out = self._left_out(begun)
                clips = [clip for clip in clips if clip.request_id not in left_out]
                if clips or left_out:
                    more, taken = True, clips
                    yield clips
                    self.exchange.settle(clips)
                    taken = []
        finally:
            clips = [*self.clips, *taken]
            self.exchange.drop([*self.reading.out, *(clip.request_id for clip in clips)], self)

    def cancel(self, ids: Collection[str]) -> None:
        self.exchange.drop(ids, self)

    def close(self) -> None:
        """The reading has ended. May be called twice, and by any thread."""
        self.exchange.leave(self)

    def _left_out(self, begun: Iterable[Asked]) -> set[str]:
        """Tell the reading what has begun. Returns what it does not want any more, which is dropped."""
        unwanted = {asked.request.id for asked in begun if not asked.request.begin()}
        if unwanted:
            self.exchange.drop(unwanted, self)
        return unwanted

    def _on_their_clock(self, request: Request) -> Request:
        """The request, with its `due` on the engine's clock instead of the reading's."""
        own, theirs, due = self._clock, self.exchange.clock, request.due
        if own is theirs:
            return request
        return replace(request, due=lambda: due() - own.now() + theirs.now())
