"""The one job: chunks and an engine become clips in reading order. Listening, export, bench and server all come here.

chunks ─▶ feed ─▶ planner ─▶ engine ─▶ feed judges: good takes are kept and go on, bad ones go round again
                                              └─▶ in_order ─▶ clips
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from narrate.clip import Clip
from narrate.engines import BatchEngine, Engine
from narrate.errors import EngineError, NarrateError
from narrate.feed import Feed, Takes, Tally
from narrate.pipeline import in_order
from narrate.planner import Planner
from narrate.text.document import Chunk
from narrate.voice import Voice

PATIENCE = 12  # times in a row an engine may raise, with nothing made in between, before it is given up


@dataclass(slots=True)
class Narrator:
    """An engine with a voice, and where its takes are kept. `clips` may be called again, for another place."""

    engine: Engine | BatchEngine
    voice: Voice
    takes: Takes
    key: Callable[[Chunk], str]
    planner: Planner = field(default_factory=Planner)
    tally: Tally = field(default_factory=Tally)
    _feed: Feed | None = field(default=None, init=False)

    @property
    def reach(self) -> int:
        """The highest chunk index that is made, being made or stored since the last call of `clips`."""
        return self._feed.reach if self._feed else -1

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
        feed = Feed(chunks, self.key, self.takes, self.tally, self.engine.sample_rate, repeats)
        self._feed = feed
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
            yield from work(feed, stumbles)
            yield from feed.passed()

    def _batches(self, feed: Feed, stumbles: _Stumbles) -> Iterator[Clip]:
        for batch in self.planner.batches(feed):
            if feed.cancelled:
                return
            start = time.perf_counter()
            clips = self._try(batch, stumbles)
            if clips is None and len(batch) > 1:  # one of them is at fault: find out which
                alone = [(chunk, self._try([chunk], stumbles)) for chunk in batch if not feed.cancelled]
                clips = [clip for _, answer in alone for clip in answer or ()]
            seconds = time.perf_counter() - start
            self.tally.engine_seconds += seconds
            if feed.cancelled:
                return
            if clips:
                self.planner.learn(batch, seconds)
            for clip in clips or ():
                yield from feed.come_back(clip)
            yield from feed.lost(batch, stumbles.last or "the engine returned nothing")
            yield from feed.passed()

    def _try(self, batch: list[Chunk], stumbles: _Stumbles) -> list[Clip] | None:
        """The clips of a batch; None if the engine raised."""
        engine: BatchEngine = self.engine  # type: ignore[assignment]
        try:
            clips = engine.synthesize_batch(batch, self.voice)
        except NarrateError:
            raise
        except Exception as error:
            stumbles.add(error)
            return None
        stumbles.forget()
        return clips

    def _stream(self, feed: Feed, stumbles: _Stumbles) -> Iterator[Clip]:
        engine: Engine = self.engine  # type: ignore[assignment]
        start = time.perf_counter()
        try:
            for clip in engine.synthesize(feed, self.voice):
                self.tally.engine_seconds += time.perf_counter() - start
                stumbles.forget()
                yield from feed.come_back(clip)
                yield from feed.passed()
                start = time.perf_counter()
        except NarrateError:
            raise
        except Exception as error:
            stumbles.add(error)
            if stumbles.count == 1:
                feed.resend()
                return
        if not feed.cancelled:
            yield from feed.lost(why=stumbles.last or "the engine returned nothing")


@dataclass(slots=True)
class _Stumbles:
    """How often in a row the engine raised with nothing made in between. Too often, and it is given up."""

    count: int = 0
    last: str = ""

    def add(self, error: Exception) -> None:
        self.count += 1
        self.last = f"{type(error).__name__}: {error}"
        if self.count > PATIENCE:
            raise EngineError(
                f"The voice engine fails again and again ({self.last}). Try another with --engine."
            ) from error

    def forget(self) -> None:
        self.count, self.last = 0, ""
