"""Slow judges for tests, and an engine whose takes tell which attempt they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from narrate.checking.examiner import Case
from narrate.checking.verdict import Verdict
from narrate.clip import Clip, Samples
from narrate.clock import Clock
from narrate.engines import Abilities, Request
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis.narrator import Narrator
from narrate.synthesis.trial import Trial
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import speech_like

RATE = 8000
STEP = 1 / 64  # between the loudness of two attempts
HALVES = 32  # is added to the attempt of a chunk that was cut in two

Rates = Callable[[Chunk, int], float | None]
"""Chunk and attempt to the rate of error; None for a take that cannot be judged."""


def take_of(chunk: Chunk, attempt: int) -> Samples:
    """A hum whose loudness is the attempt."""
    attempt += HALVES * (chunk.spoken != chunk.text)
    return (speech_like(chunk, RATE) / 0.3 * (attempt + 1) * STEP).astype(np.float32)


def attempt_of(samples: Samples) -> int:
    return round(float(np.abs(samples).max()) / STEP) - 1


@dataclass
class Takes:
    """An engine that answers each request at once, in batches of `rows`; `spoil` may change what it gives."""

    rows: int = 4
    deterministic: bool = False
    spoil: Callable[[Request, Clip], Clip | None] = lambda request, clip: clip
    asked: list[tuple[int, int, str]] = field(default_factory=list)
    name = "takes"
    fingerprint = {"engine": "takes"}  # noqa: RUF012
    sample_rate = RATE
    cancelled: list[str] = field(default_factory=list)

    @property
    def abilities(self) -> Abilities:
        return Abilities(frozenset({"en"}), deterministic=self.deterministic)

    def check(self, voice: Voice) -> None: ...

    def prepare(self, voice: Voice, clock: Clock) -> None: ...

    def cancel(self, ids: Iterable[str]) -> None:
        self.cancelled += ids

    def close(self) -> None: ...

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        source = iter(requests)
        ended = False
        while not ended:
            batch: list[Request] = []
            while len(batch) < self.rows:
                try:
                    request = next(source)
                except StopIteration:
                    ended = True
                    break
                if request is None:
                    break
                if request.begin():
                    batch.append(request)
            clips = [self._clip(request) for request in batch]
            yield [clip for clip in clips if clip is not None]
            if not batch:
                return

    def _clip(self, request: Request) -> Clip | None:
        self.asked.append((request.chunk.index, request.attempt, request.chunk.spoken))
        return self.spoil(request, request.clip(take_of(request.chunk, request.attempt), RATE))


@dataclass
class Judge:
    """Judges by `rates`; above `most` a take is bad. While `gate` is not set it takes its time."""

    rates: Rates = lambda chunk, attempt: 0.0
    batch: int = 4
    most: float = 0.15
    gate: threading.Event = field(default_factory=threading.Event)
    judged: list[tuple[int, int]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    cancelled: bool = False
    hears: bool = True

    def __post_init__(self) -> None:
        self.gate.set()

    def examine(self, cases: Sequence[Case]) -> list[Verdict | None]:
        self.gate.wait()
        self.batches.append(len(cases))
        return [self._verdict(case) for case in cases]

    def cancel(self) -> None:
        self.cancelled = True
        self.gate.set()

    def _verdict(self, case: Case) -> Verdict | None:
        attempt = attempt_of(case.samples)
        self.judged.append((case.chunk.index, attempt))
        rate = self.rates(case.chunk, attempt)
        if rate is None:
            return None
        return Verdict("it is bad" if rate > self.most else "", f"heard {attempt}", "judge", rate)


def key_of(chunk: Chunk) -> str:
    return f"{chunk.spoken}/{chunk.take}"


def a_narrator(engine: Any, trial: Trial | None, takes: MemoryTakes | None = None, **options: Any) -> Narrator:
    takes = MemoryTakes(1 << 30) if takes is None else takes
    return Narrator(engine, Voice(), takes, key_of, trial=trial, **options)


def copy_of(chunk: Chunk, index: int) -> Chunk:
    return replace(chunk, index=index)
