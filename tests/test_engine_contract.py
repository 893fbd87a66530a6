"""What every engine promises to whoever pulls clips out of it, tried on all of them: requests of several readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Engine, Request
from narrate.engines.batched import Batched
from narrate.engines.table import find_engine, load_engine
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, clips_of, whole

pytest_plugins = ("tests.qwen_fixtures",)

ENGLISH = ("The lamp went out.", "Nobody had heard the bell.", "No.", "It was twelve miles to the coast.", "Why?")
JAPANESE = ("灯りが消えた。", "誰も鐘の音を聞かなかった。", "いや。", "海岸までは十二キロあった。", "なぜ？")


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine under the contract. `atol` is how far two takes of the same may differ, because a graphics library
    sums in another order in other company."""

    name: str
    voices: tuple[Voice, Voice]
    fixture: str | None = None
    language: str = "en"
    atol: float = 0.0

    @property
    def sentences(self) -> tuple[str, ...]:
        return JAPANESE if self.language == "ja" else ENGLISH


SUBJECTS = (
    Subject("espeak", (Voice(), Voice(name="en-gb+f1"))),
    Subject("openjtalk", (Voice(), Voice(name="mei", seed=1)), language="ja"),
    Subject("tone", (Voice(), Voice(name="high", seed=1))),
    Subject("tone-stream", (Voice(), Voice(name="high", seed=1))),
    Subject("qwen-fast", (Voice(), Voice(name="aiden", seed=1)), fixture="shared_fast", atol=1e-4),
    Subject("qwen-stock", (Voice(), Voice(name="aiden", seed=1)), fixture="shared_engine", atol=1e-4),
)


@pytest.fixture(
    params=[
        pytest.param(subject, id=subject.name, marks=[pytest.mark.slow] if subject.fixture else [])
        for subject in SUBJECTS
    ]
)
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param.fixture is None and (missing := find_engine(request.param.name).missing()):
        pytest.skip(missing)
    return request.param


@pytest.fixture
def engine(subject: Subject, request: pytest.FixtureRequest) -> Iterator[Engine]:
    if subject.fixture is not None:
        yield request.getfixturevalue(subject.fixture)
        return
    own = load_engine(subject.name)
    own.prepare(Voice(), OFF)
    yield own
    own.close()


def now() -> float:
    return OFF.now()


@dataclass(slots=True)
class Reading:
    """Somebody's requests, of which no more begin once it has ended."""

    name: str
    subject: Subject
    voice: Voice
    due: Callable[[], float] = now
    ended: bool = False
    begun: list[str] = field(default_factory=list)

    def requests(self, skipped: Iterable[int] = ()) -> list[Request]:
        found = []
        for index, text in enumerate(self.subject.sentences):
            chunk = a_chunk(index, text, language=self.subject.language)
            begin = self._begin(f"{self.name}:{index}:0", index in skipped)
            found.append(a_request(chunk, self.voice, reading=self.name, due=self.due, begin=begin))
        return found

    def _begin(self, request_id: str, skipped: bool) -> Callable[[], bool]:
        def begin() -> bool:
            self.begun.append(request_id)
            return not (self.ended or skipped)

        return begin


@pytest.fixture
def readings(subject: Subject) -> tuple[Reading, Reading]:
    """A listener, and somebody who writes a file."""
    first, second = subject.voices
    return Reading("first", subject, first), Reading("second", subject, second, due=lambda: float("inf"))


def by_turns(first: Iterable[Request], second: Iterable[Request]) -> list[Request]:
    return [request for pair in zip(first, second, strict=True) for request in pair]


class Strict:
    """An iterator of requests that may not be asked again after its end."""

    def __init__(self, requests: Iterable[Request | None]) -> None:
        self._requests = iter(requests)
        self._over = False

    def __iter__(self) -> Iterator[Request | None]:
        return self

    def __next__(self) -> Request | None:
        assert not self._over, "asked after the end"
        try:
            return next(self._requests)
        except StopIteration:
            self._over = True
            raise


def alone(engine: Engine, reading: Reading) -> dict[str, Clip]:
    """What the reading hears if it has the engine to itself."""
    own = Reading(reading.name, reading.subject, reading.voice, reading.due)
    return whole(clips_of(engine, own.requests()))


def assert_same(clips: dict[str, Clip], others: dict[str, Clip], atol: float) -> None:
    assert clips.keys() == others.keys()
    for name, clip in clips.items():
        assert clip.failure is None
        assert clip.chunk == others[name].chunk
        assert len(clip.samples)
        np.testing.assert_allclose(clip.samples, others[name].samples, rtol=0, atol=atol)


def test_two_readings_in_one_engine_are_each_what_they_are_alone(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading]
) -> None:
    first, second = readings
    clips = whole(clips_of(engine, Strict(by_turns(first.requests(), second.requests()))))
    assert_same(clips, alone(engine, first) | alone(engine, second), subject.atol)


def test_every_request_begins_once_and_is_answered_once(engine: Engine, readings: tuple[Reading, Reading]) -> None:
    first, second = readings
    asked = by_turns(first.requests(), second.requests())
    clips = clips_of(engine, Strict(asked))
    assert sorted(clip.request_id for clip in clips if clip.final) == sorted(request.id for request in asked)
    assert sorted(first.begun + second.begun) == sorted(request.id for request in asked)
    assert all(clip.sample_rate == engine.sample_rate for clip in clips)


def test_what_does_not_begin_is_left_out_without_a_word(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading]
) -> None:
    first, _ = readings
    clips = whole(clips_of(engine, Strict(first.requests(skipped=(0, 2, 4)))))
    expected = alone(engine, first)
    assert_same(clips, {name: expected[name] for name in ("first:1:0", "first:3:0")}, subject.atol)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_one_reading_cancelled_and_the_other_notices_nothing(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading], after: int
) -> None:
    """Cancelled when the engine has yielded so many times."""
    first, second = readings
    asked = by_turns(second.requests(), first.requests())
    clips: list[Clip] = []
    heard = 0
    for number, made in enumerate(engine.synthesize(Strict(asked))):
        clips += made
        if number == after:
            second.ended = True
            engine.cancel([request.id for request in asked if request.id.startswith("second")])
            heard = len(clips)
    assert not [clip for clip in clips[heard:] if clip.request_id.startswith("second")]
    mine = whole(clip for clip in clips if clip.request_id.startswith("first"))
    assert_same(mine, alone(engine, first), subject.atol)


def test_all_cancelled_it_ends(engine: Engine, readings: tuple[Reading, Reading]) -> None:
    first, _ = readings
    asked = first.requests()
    made = engine.synthesize(Strict(asked))
    heard = len(next(made))
    first.ended = True
    engine.cancel([request.id for request in asked])
    assert sum(map(len, made)) == 0
    assert heard <= len(asked)


def test_strangers_that_are_cancelled_are_nobodys_business(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading]
) -> None:
    first, _ = readings
    clips: list[Clip] = []
    for made in engine.synthesize(first.requests()):
        clips += made
        engine.cancel(["nobody:0:0", "second:1:0"])
    assert_same(whole(clips), alone(engine, first), subject.atol)


def test_none_means_to_go_on_with_what_is_in_hand(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading]
) -> None:
    first, _ = readings
    one, two, three, four, five = first.requests()
    clips = clips_of(engine, Strict([one, two, None, three, None, four, *[None] * 400, five]))
    assert_same(
        whole(clips), {name: clip for name, clip in alone(engine, first).items() if clip.index < 4}, subject.atol
    )


def test_with_nothing_in_hand_none_is_the_end(engine: Engine, readings: tuple[Reading, Reading]) -> None:
    first, _ = readings
    source = iter([None, *first.requests()])
    assert clips_of(engine, source) == []
    assert len(list(source)) == 5


def test_no_requests_no_clips(engine: Engine) -> None:
    assert clips_of(engine, Strict([])) == []


@pytest.mark.parametrize("after", [0, 1])
def test_whoever_leaves_early_leaves_nothing_behind(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading], after: int
) -> None:
    first, second = readings
    made: Any = engine.synthesize(by_turns(first.requests(), second.requests()))
    for _ in range(after + 1):
        next(made)
    made.close()
    clips = whole(clips_of(engine, second.requests()))
    assert_same(clips, alone(engine, second), subject.atol)


def test_the_one_request_over_which_a_batch_failed_is_found(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    batched = engine if isinstance(engine, Batched) else getattr(engine, "_speaker", None)
    if not isinstance(batched, Batched):
        pytest.skip("it does not work in batches")
    speak = batched.engine.synthesize_batch

    def fragile(requests: list[Request]) -> list[Clip]:
        if any(request.id == "second:3:0" for request in requests):
            raise ZeroDivisionError("it cannot be")
        return speak(requests)

    monkeypatch.setattr(batched.engine, "synthesize_batch", fragile)
    first, second = readings
    clips = whole(clips_of(engine, Strict(by_turns(first.requests(), second.requests()))))
    failed = clips.pop("second:3:0")
    assert (failed.failure, failed.raised) == ("ZeroDivisionError: it cannot be", True)
    expected = alone(engine, first) | alone(engine, second)
    del expected["second:3:0"]
    assert_same(clips, expected, subject.atol)


def test_a_voice_it_does_not_have_fails_that_request_alone(
    engine: Engine, subject: Subject, readings: tuple[Reading, Reading]
) -> None:
    first, _ = readings
    wrong = a_request(a_chunk(9, subject.sentences[0], language=subject.language), Voice(name="nobody"))
    clips = whole(clips_of(engine, Strict([*first.requests()[:2], wrong, *first.requests()[2:]])))
    failed = clips.pop(wrong.id)
    assert failed.raised
    assert "nobody" in str(failed.failure)
    assert_same(clips, alone(engine, first), subject.atol)
