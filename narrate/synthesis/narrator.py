"""The one job: chunks and an engine become clips in reading order. Listening, export, bench and server all come here.

chunks ─▶ feed ─▶ planner ─▶ engine ─▶ feed judges: good takes are kept and go on, bad ones go round again
                                              └─▶ in_order ─▶ clips
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import BatchEngine, Engine
from narrate.engines.planner import Planner
from narrate.errors import EngineError, NarrateError
from narrate.pipeline import in_order
from narrate.synthesis.queue import Feed, Takes, Tally
from narrate.text.document import Chunk
from narrate.voice import Voice

GLANCE = 0.02  # seconds between two looks at what another process is making
PATIENCE = 5  # chunks in a row that an engine may raise over, with nothing made in between, before it is given up


@dataclass(slots=True)
class Narrator:
    """An engine with a voice, and where its takes are kept. `clips` may be called again, for another place.

    `share`: rather wait for a take that another process is making than make it twice (for exports, not for the ear).
    `clock` is told where the time goes.
    """

    engine: Engine | BatchEngine
    voice: Voice
    takes: Takes
    key: Callable[[Chunk], str]
    planner: Planner = field(default_factory=Planner)
    tally: Tally = field(default_factory=Tally)
    share: bool = False
    clock: Clock = OFF
    _feed: Feed | None = field(default=None, init=False)
    _prepared: bool = field(default=False, init=False)

    def has_begun(self, index: int) -> bool:
        """True if the running `clips` has made the chunk, is just making it, or found it in the store."""
        return self._feed is not None and index in self._feed.begun

    def interrupt(self) -> None:
        """End the running `clips` soon. May be called from any thread, again and again."""
        if self._feed is not None:
            self._feed.cancel()
        self.engine.cancel()

    def clips(self, chunks: Iterable[Chunk | None], first: int = 0) -> Iterator[Clip]:
        """The clips of the chunks, whose indexes count up from `first`, in order.

        None among the chunks: no more have arrived yet. Raises `EngineError` when the engine can do no more.
        """
        repeats = getattr(self.engine, "repeats", False)
        rate = self.engine.sample_rate
        if hasattr(self.engine, "clock"):
            self.engine.clock = self.clock  # one that can tell more than that it spoke
        feed = Feed(chunks, self.key, self.takes, self.tally, rate, repeats=repeats, share=self.share, clock=self.clock)
        self._feed = feed  # at once, not when the first clip is asked for: it may be interrupted before
        return self._ordered(feed, first)

    def _ordered(self, feed: Feed, first: int) -> Iterator[Clip]:
        try:
            yield from in_order(self._rounds(feed), first)
        except LookupError:
            if not feed.cancelled:
                raise

    def _rounds(self, feed: Feed) -> Iterator[Clip]:
        """Let the engine work until it has nothing in hand, hear what needed no engine, and so on until the end."""
        stumbles = _Stumbles()
        work = self._stream if hasattr(self.engine, "synthesize") else self._batches
        while not feed.done:
            yield from feed.stored()
            if not feed.done:  # else the engine need not even load
                yield from work(feed, stumbles)
            yield from feed.passed()
            if feed.waits_for_others:
                time.sleep(GLANCE)

    def _batches(self, feed: Feed, stumbles: _Stumbles) -> Iterator[Clip]:
        engine: BatchEngine = self.engine  # type: ignore[assignment]
        for planned in self.clock.each("plan", self.planner.batches(feed)):
            if feed.cancelled:
                return
            batch = feed.begin(planned)
            yield from feed.passed()  # before the engine gets to work: the listener may be waiting for it
            if not batch:
                continue
            try:
                self._prepare()
                start = self.clock.now()
                with self.clock.stage("speak"):
                    clips = engine.synthesize_batch(batch, self.voice)
            except NarrateError:
                raise
            except Exception as error:
                yield from stumbles.over(error, batch, feed)
                continue
            seconds = self.clock.now() - start
            self.tally.engine_seconds += seconds
            if feed.cancelled:
                return
            if clips:
                stumbles.forget()
                self.planner.learn(batch, seconds)
            # All are kept before the first is passed on: whoever takes it may be slow to ask for the next.
            judged = [each for clip in clips for each in self._judged(clip, feed)]
            yield from judged + feed.lost(batch)
            yield from feed.passed()

    def _stream(self, feed: Feed, stumbles: _Stumbles) -> Iterator[Clip]:
        engine: Engine = self.engine  # type: ignore[assignment]
        try:
            self._prepare()
            start = self.clock.now()
            for clip in self.clock.each("speak", engine.synthesize(_noted(feed), self.voice)):
                self.tally.engine_seconds += self.clock.now() - start
                stumbles.forget()
                yield from self._judged(clip, feed)
                yield from feed.passed()
                start = self.clock.now()
        except NarrateError:
            raise
        except Exception as error:
            yield from stumbles.over(error, feed.out, feed)
            return
        if not feed.cancelled:
            yield from feed.lost(feed.out)

    def _prepare(self) -> None:
        """Let the engine load its model, if it can tell loading from speaking: no batch is to blame for that."""
        if not self._prepared and (prepare := getattr(self.engine, "prepare", None)) is not None:
            with self.clock.stage("load engine"):
                prepare(self.voice)
        self._prepared = True

    def _judged(self, clip: Clip, feed: Feed) -> list[Clip]:
        with self.clock.stage("judge"):
            return feed.come_back(clip)


def _noted(feed: Feed) -> Iterator[Chunk | None]:
    """The feed; what is taken from it has begun."""
    for chunk in feed:
        if chunk is None or feed.begin([chunk]):
            yield chunk


@dataclass(slots=True)
class _Stumbles:
    """Over which chunks the engine raised since it last made something. Too many, and it is given up."""

    chunks: set[int] = field(default_factory=set)

    def over(self, error: Exception, batch: list[Chunk], feed: Feed) -> list[Clip]:
        """Find out which chunk of the batch was at fault, or fail the one that was."""
        if len(batch) != 1:
            feed.suspect(batch)
            return []
        self.chunks.add(batch[0].index)
        why = f"{type(error).__name__}: {error}"
        if len(self.chunks) > PATIENCE:
            message = f"The voice engine fails again and again ({why}). Try another with --engine."
            raise EngineError(message) from error
        return feed.raised(batch[0], why)

    def forget(self) -> None:
        self.chunks.clear()
