"""The one job: chunks and an engine become clips in reading order. Listening, export, bench and server all come here.

chunks ─▶ queue ─▶ engine ─▶ queue judges: good takes are kept and go on, bad ones go round again
                                 └─▶ in_order ─▶ clips
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import inf

from narrate.clip import Clip, join, on_grid
from narrate.clock import OFF, Clock
from narrate.engines import Engine, Request
from narrate.errors import NarrateError
from narrate.pipeline import in_order
from narrate.store.takes import Takes
from narrate.synthesis.judge import Judge, first_fault, judges, trim
from narrate.synthesis.queue import WorkQueue
from narrate.synthesis.retry import FailureLimit
from narrate.synthesis.stats import Stats
from narrate.synthesis.trial import Trial
from narrate.text.document import Chunk
from narrate.voice import Voice

POLL_SECONDS = 0.02  # between two looks at what another process is making


@dataclass(slots=True)
class Narrator:
    """An engine with a voice, and where its takes are kept. `clips` may be called again, for another place.

    `key` names the take of a chunk. `judges` is what a take must satisfy; None is those that suit the engine.
    `wait_for_others`: rather wait for a take that another process is making than make it twice (for files, not for the
    ear). `trial` is where slow judges hear the takes. `clock` is told where the time goes, `ready` of every clip when
    it is ready to be heard.
    """

    engine: Engine
    voice: Voice
    takes: Takes
    key: Callable[[Chunk], str]
    judges: tuple[Judge, ...] | None = None
    stats: Stats = field(default_factory=Stats)
    wait_for_others: bool = False
    trial: Trial | None = None
    clock: Clock = OFF
    ready: Callable[[Clip], object] = lambda _: None
    _queue: WorkQueue | None = field(default=None, init=False)
    _prepared: bool = field(default=False, init=False)

    def has_begun(self, index: int) -> bool:
        """True if the running `clips` has made the chunk, is just making it, or found it in the store."""
        return self._queue is not None and index in self._queue.begun

    @property
    def asked_for_all(self) -> bool:
        """True if the running `clips` has asked for its last chunk: soon the engine will have less to do."""
        return self._queue is not None and self._queue.asked_for_all

    def interrupt(self) -> None:
        """End the running `clips` soon. May be called from any thread, again and again."""
        if self._queue is not None:
            self._queue.cancel()
            self.engine.cancel(self._queue.out)

    def another(self, chunk: Chunk, attempt: int) -> Clip:
        """Another take of the chunk, which is not stored; with a `failure` if it is bad. Raises `EngineError`."""
        self._prepare()
        request = Request(f"another-{chunk.index}-{attempt}", chunk, self.voice, self.key(chunk), attempt)
        clips = [clip for made in self.engine.synthesize([request]) for clip in made]
        samples, rate = join(clip.samples for clip in clips), clips[-1].sample_rate if clips else 1
        asked = judges(deterministic=self.engine.abilities.deterministic) if self.judges is None else self.judges
        failure = next((clip.failure for clip in clips if clip.failure), None)
        failure = failure or first_fault(asked, samples, rate, chunk)
        return Clip(chunk, on_grid(trim(samples, rate)), rate, failure=failure)

    def clips(
        self,
        chunks: Iterable[Chunk | None],
        first: int = 0,
        *,
        buffered: Callable[[], float] = lambda: inf,
        ahead_seconds: float = inf,
    ) -> Iterator[Clip]:
        """The clips of the chunks, whose indexes count up from `first`, in order.

        None among the chunks: no more have arrived yet. `buffered` tells how many seconds of sound wait to be heard,
        infinitely many if nobody listens. As long as the engine has something in hand, it is asked for no more than
        `ahead_seconds` of sound beyond the ear. Raises `EngineError` when the engine can do no more.
        """
        abilities = self.engine.abilities
        queue = WorkQueue(
            chunks,
            voice=self.voice,
            key=self.key,
            takes=self.takes,
            judges=judges(deterministic=abilities.deterministic) if self.judges is None else self.judges,
            stats=self.stats,
            sample_rate=lambda: self.engine.sample_rate or 0,
            deterministic=abilities.deterministic,
            wait_for_others=self.wait_for_others,
            buffered=buffered,
            ahead_seconds=ahead_seconds,
            clock=self.clock,
            trial=self.trial,
        )
        self._queue = queue  # at once, not when the first clip is asked for: it may be interrupted before
        return self._ordered(queue, first)

    def _ordered(self, queue: WorkQueue, first: int) -> Iterator[Clip]:
        try:
            for clip in in_order(self._rounds(queue), first):
                self.ready(clip)
                with self.clock.stage("room wait"):
                    yield clip
        except LookupError:
            if not queue.cancelled:
                raise

    def _rounds(self, queue: WorkQueue) -> Iterator[Clip]:
        """Let the engine work until it has nothing in hand, take what needed no engine, and so on until the end."""
        limit = FailureLimit()
        while not queue.done:
            yield from queue.from_store()
            if not queue.done:  # else the engine need not even load
                yield from self._round(queue, limit)
            yield from queue.take_ready()
            if queue.waits_for_others:
                time.sleep(POLL_SECONDS)

    def _round(self, queue: WorkQueue, limit: FailureLimit) -> Iterator[Clip]:
        self._prepare()
        answers = self.engine.synthesize(queue.requests())
        while True:
            try:
                clips = self._next(answers, queue)
            except NarrateError:
                raise
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                if len(queue.out) == 1:
                    limit.count(queue.in_hand[0].index, why, error)
                yield from queue.raised(why)
                return
            if clips is None:
                break
            # All are kept before the first is passed on: whoever takes it may be slow to ask for the next.
            ready = [each for clip in clips for each in self._accepted(clip, queue, limit)]
            yield from ready + queue.take_ready()
        if not queue.cancelled:
            yield from queue.missing()

    def _next(self, answers: Iterator[list[Clip]], queue: WorkQueue) -> list[Clip] | None:
        """What the engine has made next; None at the end of the round."""
        start, elsewhere = self.clock.now(), queue.seconds
        with self.clock.stage("speak") if self.engine.abilities.streams else nullcontext():
            clips = next(answers, None)
        self.stats.engine_seconds += self.clock.now() - start - (queue.seconds - elsewhere)
        return clips

    def _prepare(self) -> None:
        """Let the engine load its model: no batch is to blame for that."""
        if not self._prepared:
            with self.clock.stage("load engine"):
                self.engine.prepare(self.voice, self.clock)
        self._prepared = True

    def _accepted(self, clip: Clip, queue: WorkQueue, limit: FailureLimit) -> list[Clip]:
        if clip.raised:
            limit.count(clip.index, clip.failure or "")
        elif clip.failure is None:
            limit.forget()
        with self.clock.stage("judge"):
            return queue.accept(clip)
