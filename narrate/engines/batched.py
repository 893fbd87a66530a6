"""A batch engine as an engine: it plans batches, times them, and finds the request over which a batch failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Abilities, BatchEngine, Request
from narrate.engines.in_hand import InHand
from narrate.engines.planner import Planner
from narrate.engines.tuning import best_batch_size
from narrate.errors import InputError, NarrateError
from narrate.voice import Voice

BATCH = 10  # rows at once, where nothing else is known

Rows = int | Literal["auto"] | None
"""How many requests an engine takes at once: "auto" is what was measured to be best here, None its own choice."""


class Batched:
    """An `Engine` that speaks with a `BatchEngine`.

    The planner looks at more requests than go into the next batch, and learns what batches cost.
    """

    def __init__(self, engine: BatchEngine, rows: Rows = None) -> None:
        self.engine = engine
        self._rows = rows
        self._planner: Planner | None = None
        self._clock: Clock = OFF
        self._in_hand = InHand()

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def abilities(self) -> Abilities:
        return self.engine.abilities

    @property
    def fingerprint(self) -> Mapping[str, str]:
        return self.engine.fingerprint

    @property
    def sample_rate(self) -> int | None:
        return self.engine.sample_rate

    @property
    def planner(self) -> Planner:
        if self._planner is None:
            rows = best_batch_size(self.fingerprint) if self._rows == "auto" else self._rows
            self._planner = Planner(rows or BATCH)
        return self._planner

    @planner.setter
    def planner(self, planner: Planner) -> None:
        self._planner = planner

    def check(self, voice: Voice) -> None:
        self.engine.check(voice)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        self._clock = clock
        self.engine.prepare(voice, clock)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """See `Engine.synthesize`. The clips of a batch come together, with an empty list before each batch."""
        source = iter(requests)
        waiting: list[Request] = []
        ended = False
        try:
            while True:
                ended = ended or self._pull(source, waiting)
                if not waiting:
                    return
                waiting = self._still_wanted(waiting)
                if waiting:
                    with self._clock.stage("plan"):
                        batch = self.planner.choose(waiting, self._clock.now())
                    chosen = {request.id for request in batch}
                    waiting = [request for request in waiting if request.id not in chosen]
                    yield from self._speak(batch)
                    self._in_hand.release(chosen)
        finally:
            self._in_hand.clear()

    def cancel(self, ids: Collection[str]) -> None:
        if mine := self._in_hand.cancel(ids):
            self.engine.cancel(mine)

    def close(self) -> None:
        self.engine.close()

    def _pull(self, source: Iterator[Request | None], waiting: list[Request]) -> bool:
        """Take as many requests as the planner wants to look at, or as there are now. True if there are no more."""
        while len(waiting) < self.planner.wanted(waiting):
            try:
                request = next(source)
            except StopIteration:
                return True
            if request is None:
                return False
            self._in_hand.take(request)
            waiting.append(request)
        return False

    def _still_wanted(self, requests: Sequence[Request]) -> list[Request]:
        """Those that were not cancelled; the others are forgotten."""
        dropped = [request.id for request in requests if self._in_hand.is_cancelled(request.id)]
        self._in_hand.release(dropped)
        return [request for request in requests if request.id not in dropped]

    def _speak(self, planned: Sequence[Request]) -> Iterator[list[Clip]]:
        batch = [request for request in planned if request.begin()]
        yield []  # who waits for the clips may hear what was found in the store while requests were pulled
        if batch:
            yield from self._made(batch)

    def _made(self, batch: list[Request]) -> Iterator[list[Clip]]:
        """The clips of the batch. If it fails, each of its requests is tried alone, to find the one at fault."""
        start = self._clock.now()
        try:
            with self._clock.stage("speak"):
                clips = self.engine.synthesize_batch(batch)
        except Exception as error:
            if isinstance(error, NarrateError) and not isinstance(error, InputError):
                raise
            yield from self._tried_alone(batch, error)
            return
        wanted = [request for request in batch if not self._in_hand.is_cancelled(request.id)]
        if len(wanted) == len(batch):
            seconds = self._clock.now() - start
            self.planner.learn(batch, seconds)
            self._clock.batch([request.chunk.index for request in batch], seconds)
        yield self._answers(wanted, clips)

    def _tried_alone(self, batch: list[Request], error: Exception) -> Iterator[list[Clip]]:
        if len(batch) > 1:
            for request in batch:
                if not self._in_hand.is_cancelled(request.id):
                    yield from self._made([request])
            return
        if not self._in_hand.is_cancelled(batch[0].id):
            why = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            yield [batch[0].failed(why, self.sample_rate or 0, raised=True)]

    def _answers(self, wanted: Sequence[Request], clips: Sequence[Clip]) -> list[Clip]:
        """One clip for every request that is still wanted."""
        known = {request.id for request in wanted}
        kept = [clip for clip in clips if clip.request_id in known]
        answered = {clip.request_id for clip in kept}
        missing = [request for request in wanted if request.id not in answered]
        return kept + [request.failed("the engine returned nothing", self.sample_rate or 0) for request in missing]
