"""Readings come, leave, fail and are cancelled as they please: each request is answered once, and nothing stays."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.clip import Clip, Samples
from narrate.clock import OFF
from narrate.engines import Request
from narrate.engines.batched import Batched
from narrate.engines.tone import Tone, ToneStream
from narrate.pipeline import Background
from narrate.synthesis.exchange import Exchange
from narrate.synthesis.seat import Seat
from narrate.voice import Voice
from tests.speech import a_chunk, whole

RATE = 100


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5.0)
    assert set(threading.enumerate()) <= before


def nothing(_: float) -> None:
    """No waiting."""


class Stream(ToneStream):
    """It raises an error over what contains the word, whatever else is in hand."""

    def _take(self, request: Request) -> Samples:
        if "poison" in request.chunk.spoken:
            raise ZeroDivisionError("it cannot be")
        return super()._take(request)


class Batches(Tone):
    def _take(self, request: Request) -> Samples:
        if "poison" in request.chunk.spoken:
            raise ZeroDivisionError("it cannot be")
        return super()._take(request)


def engine(kind: str) -> Any:
    options: dict[str, Any] = {"rate": RATE, "sleep": nothing}
    return Stream(slots=3, pieces=3, **options) if kind == "stream" else Batched(Batches(**options), 4)


@dataclass(frozen=True, slots=True)
class Plan:
    """One reading. It asks for the sentences of these numbers, the same in every reading; the poisoned raise. It
    cancels when it has had so many answers: some, or all and leaves. Those that are refused do not begin."""

    sentences: list[int]
    poisoned: frozenset[int]
    refused: frozenset[int]
    listens: bool
    cancels_after: int | None
    cancelled: frozenset[int]
    leaves: bool
    gives_nothing: frozenset[int]


numbers = st.frozensets(st.integers(0, 11), max_size=2)
plans = st.builds(
    Plan,
    st.lists(st.integers(0, 15), max_size=12),
    numbers,
    numbers,
    st.booleans(),
    st.none() | st.integers(0, 6),
    st.frozensets(st.integers(0, 11), max_size=6),
    st.booleans(),
    numbers,
)


def read(seat: Seat, plan: Plan, number: int) -> None:
    texts = [f"poison {n}" if at in plan.poisoned else f"Sentence {n}." for at, n in enumerate(plan.sentences)]
    begun: list[str] = []

    def begin(name: str, at: int) -> bool:
        assert threading.current_thread().name == f"narrate-{number}"
        begun.append(name)
        return at not in plan.refused

    def source() -> Iterator[Request | None]:
        for at, text in enumerate(texts):
            if at in plan.gives_nothing and at:
                yield None
            name = f"{number}:{at}"
            due: Callable[[], float] = OFF.now if plan.listens else lambda: inf
            yield Request(name, a_chunk(at, text), Voice(), key=text, due=due, begin=partial(begin, name, at))

    seat.prepare(Voice(seed=number), OFF)
    clips: list[Clip] = []
    handed = [f"{number}:{at}" for at in range(len(texts))]
    cancelled: set[str] = set()
    source_of_all = source()
    ended = False
    while not ended:  # None with nothing in hand ends a round; what is left comes in the next
        rest = list(source_of_all) if False else source_of_all
        answers = seat.synthesize(rest)
        for made in answers:
            assert not {clip.request_id for clip in made} & cancelled
            clips += made
            if plan.cancels_after is not None and len(clips) >= plan.cancels_after and not cancelled:
                if plan.leaves:
                    answers.close()  # type: ignore[attr-defined]
                    seat.close()
                    return
                cancelled = {f"{number}:{at}" for at in plan.cancelled if f"{number}:{at}" in seat.reading.out}
                seat.cancel(cancelled)
        left = next(source_of_all, "over")
        ended = left == "over"
        if isinstance(left, Request):
            handed.remove(left.id)
    answered = whole(clips)
    refused = {name for name in handed if int(name.split(":")[1]) in plan.refused}
    assert set(answered) <= set(handed)
    assert set(handed) - set(answered) <= cancelled | refused
    assert not refused & set(answered)
    assert len(begun) == len(set(begun))
    assert set(answered) <= set(begun)
    for name, clip in answered.items():
        at = int(name.split(":")[1])
        assert clip.index == at
        assert clip.chunk.spoken == texts[at]
        assert bool(clip.failure) == (at in plan.poisoned) or clip.raised
    assert not seat.reading.out
    assert not seat.clips


@pytest.mark.parametrize("kind", ["stream", "batches"])
@given(readings=st.lists(plans, min_size=1, max_size=5))
@settings(max_examples=40)
def test_every_request_is_answered_once_or_was_cancelled(kind: str, readings: list[Plan]) -> None:
    with Exchange(engine(kind)) as exchange:
        running = [
            Background(partial(read, exchange.seat(), plan, number), f"narrate-{number}")
            for number, plan in enumerate(readings)
        ]
        for each in running:
            each.result()
        schedule = exchange._schedule
        assert exchange.load.waiting == exchange.load.in_hand == 0
        assert not any((schedule._jobs, schedule._same, schedule._unsettled, schedule._alone))


def test_a_thousand_readings_whose_listeners_leave_at_random_leave_nothing_behind() -> None:
    luck = random.Random(1)

    def listen(seat: Seat, number: int, stays: int) -> int:
        seat.prepare(Voice(), OFF)
        asked = (
            Request(f"{number}:{at}", a_chunk(at, f"Sentence {luck.randrange(40)}."), Voice(), key=str(at), due=OFF.now)
            for at in range(4)
        )
        answers = seat.synthesize(asked)
        heard = 0
        for made in answers:
            heard += len(made)
            if heard >= stays:
                break
        answers.close()  # type: ignore[attr-defined]
        seat.close()
        return heard

    def many(first: int) -> int:
        return sum(listen(exchange.seat(), number, number % 6) for number in range(first, 1000, 10))

    with Exchange(engine("stream")) as exchange:
        assert sum(each.result() for each in [Background(partial(many, first)) for first in range(10)]) > 1000
        schedule = exchange._schedule
        assert exchange.load.readings == exchange.load.waiting == exchange.load.in_hand == 0
        assert not any((schedule._jobs, schedule._same, schedule._unsettled, exchange._seats))


def test_what_two_ask_for_is_the_same_to_the_last_bit() -> None:
    """One listens, in pieces; the other writes a file, and gets it whole."""
    sounds: dict[int, list[bytes]] = {}

    def hear(seat: Seat, number: int, due: Callable[[], float]) -> None:
        seat.prepare(Voice(), OFF)
        asked = [Request(f"{number}:{at}", a_chunk(at), Voice(), key=f"key {at}", due=due) for at in range(20)]
        clips = [clip for made in seat.synthesize(asked) for clip in made]
        if number:
            assert all(clip.final for clip in clips)
        for clip in whole(clips).values():
            sounds.setdefault(clip.index, []).append(np.asarray(clip.samples).tobytes())

    with Exchange(engine("stream")) as exchange:
        running = [
            Background(partial(hear, exchange.seat(), number, due)) for number, due in enumerate((OFF.now, lambda: inf))
        ]
        for each in running:
            each.result()
    assert len(sounds) == 20
    assert all(len(each) == 2 and each[0] == each[1] for each in sounds.values())
