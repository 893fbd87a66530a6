"""Two engines as one: what the first does not speak, the second says, at the first one's sample rate (`--mixed`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from narrate.clip import Clip, Samples, join
from narrate.clock import OFF, Clock
from narrate.engines import Abilities, Engine, Request
from narrate.engines.in_hand import InHand
from narrate.engines.resample import resampled
from narrate.voice import Voice

FOREIGN_AT_HAND = 10  # requests for the second engine that are collected before the first gets no more


@dataclass(slots=True, eq=False)
class Mixed:
    """`first` gets the voice that was asked for; `second` the voice it has itself for a chunk's language.

    The first engine pulls. Requests that it does not speak are put aside, and the second engine says them whenever the
    first one yields, as soon as none of the first one's requests is due earlier; so the ear gets both in order, and
    nothing waits for long.
    """

    first: Engine
    second: Engine
    _clock: Clock = field(default=OFF, init=False)
    _native: InHand = field(default_factory=InHand, init=False)
    _foreign: InHand = field(default_factory=InHand, init=False)

    @property
    def name(self) -> str:
        return self.first.name

    @property
    def sample_rate(self) -> int | None:
        return self.first.sample_rate

    @property
    def abilities(self) -> Abilities:
        first, second = self.first.abilities, self.second.abilities
        return replace(
            first,
            languages=first.languages | second.languages,
            deterministic=first.deterministic and second.deterministic,
            uses_seed=first.uses_seed or second.uses_seed,
        )

    @property
    def fingerprint(self) -> Mapping[str, str]:
        other = {f"second {name}": value for name, value in self.second.fingerprint.items()}
        return {**self.first.fingerprint, **other}

    def check(self, voice: Voice) -> None:
        self.first.check(voice)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Load the first engine. The second is loaded when it has something to say, which may be never."""
        self._clock = clock
        self.first.prepare(voice, clock)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """The clips of both engines; those of the second are whole, and resampled."""
        natives = _Natives(requests, self.first.abilities.languages, self._native, self._foreign)
        try:
            while True:
                for clips in self.first.synthesize(iter(natives)):
                    self._native.release(clip.request_id for clip in clips if clip.final)
                    yield clips
                    yield from self._speak(self._due_first())
                # The first engine has nothing in hand: that was all, or there is none now, or enough is put aside.
                left = self._foreign.requests
                yield from self._speak(left)
                if natives.ended or not left:
                    return
        finally:
            self._native.clear()
            self._foreign.clear()

    def cancel(self, ids: Collection[str]) -> None:
        self._native.release(ids)
        self._foreign.release(ids)
        self.first.cancel(ids)
        self.second.cancel(ids)

    def close(self) -> None:
        self.first.close()
        self.second.close()

    def _due_first(self) -> list[Request]:
        """The requests put aside that are due no later than any that the first engine has in hand."""
        foreign = self._foreign.requests
        earliest = min((request.due() for request in self._native.requests), default=inf) if foreign else inf
        return [request for request in foreign if request.due() <= earliest]

    def _speak(self, requests: Sequence[Request]) -> Iterator[list[Clip]]:
        """What the second engine makes of the requests."""
        if not requests:
            return
        self.second.prepare(Voice(), self._clock)
        plain = [replace(request, voice=Voice(seed=request.voice.seed)) for request in requests]
        pieces: dict[str, list[Samples]] = {}
        for clips in self.second.synthesize(plain):
            for clip in clips:
                pieces.setdefault(clip.request_id, []).append(clip.samples)
            whole = [replace(clip, samples=join(pieces.pop(clip.request_id))) for clip in clips if clip.final]
            yield [self._resampled(clip) for clip in whole]
        self._foreign.release(request.id for request in requests)

    def _resampled(self, clip: Clip) -> Clip:
        rate = self.sample_rate or clip.sample_rate
        return replace(clip, samples=resampled(clip.samples, clip.sample_rate, rate), sample_rate=rate)


class _Natives:
    """The requests for the first engine; those for the second are put aside on the way.

    It may be iterated again after a None: it goes on where it was.
    """

    def __init__(
        self, requests: Iterable[Request | None], languages: Collection[str], native: InHand, foreign: InHand
    ) -> None:
        self._source = iter(requests)
        self._languages = languages
        self._native, self._foreign = native, foreign
        self.ended = False

    def __iter__(self) -> Iterator[Request | None]:
        while not self.ended:
            if len(self._foreign.requests) >= FOREIGN_AT_HAND:
                yield None
                continue
            try:
                request = next(self._source)
            except StopIteration:
                self.ended = True
                return
            if request is None:
                yield None
            elif request.chunk.language in self._languages:
                self._native.take(request)
                yield replace(request, begin=self._begin(request))
            else:
                self._foreign.take(request)

    def _begin(self, request: Request) -> Callable[[], bool]:
        def begin() -> bool:
            begun = request.begin()
            if not begun:
                self._native.release([request.id])
            return begun

        return begin
