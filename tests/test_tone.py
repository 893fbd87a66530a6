"""The test signal: as long, as slow and as faulty as it was told to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Request
from narrate.engines.batched import Batched
from narrate.engines.table import load_engine
from narrate.engines.tone import Tone, ToneStream, melody
from narrate.engines.tuning import keep_batch_size
from narrate.pace import expected_seconds
from narrate.synthesis.judge import first_fault, judges
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, chunks, clips_of, requests


class Clock:
    """Counts instead of sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def seconds_of(chunk: Chunk) -> float:
    return round(24_000 * expected_seconds(chunk.spoken, chunk.language)) / 24_000


@given(st.floats(0, 5), st.sampled_from([8_000, 22_050, 48_000]), st.text(max_size=9), st.sampled_from(["low", "high"]))
def test_a_melody_is_soft_and_never_silent(seconds: float, rate: int, key: str, voice: str) -> None:
    samples = melody(seconds, rate, key, voice)
    assert len(samples) == max(1, round(seconds * rate))
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 0.35
    if seconds > 0.02:  # as long as the fades
        assert np.abs(np.diff(samples, prepend=0, append=0)).max() < 0.36 * 2 * np.pi * 850 / rate  # no click
    for frame in np.array_split(samples, max(1, round(seconds / 0.1))) if seconds > 0.1 else ():
        assert np.abs(frame).max() > 0.1


def test_takes_are_as_long_as_expected_and_follow_seed_and_attempt() -> None:
    engine = Tone()
    chunk = a_chunk(3)
    asked = [
        a_request(chunk),
        a_request(chunk, Voice(seed=1)),
        a_request(chunk, attempt=1),
        a_request(replace(chunk, index=8)),
    ]
    takes = [engine.synthesize_batch([one])[0] for one in asked]
    assert {take.seconds for take in takes} == {seconds_of(chunk)}
    assert np.array_equal(takes[0].samples, takes[3].samples)
    assert len({take.samples.tobytes() for take in takes}) == 3


def loaded(spec: str, clock: Clock) -> Tone:
    engine = load_engine(spec, sleep=clock.sleep)
    assert isinstance(engine, Batched)
    assert isinstance(engine.engine, Tone)
    return engine.engine


def test_the_cost_of_a_batch_is_what_the_model_says() -> None:
    clock = Clock()
    engine = loaded("tone:delay=3,a=0.5,b=2,c=0.25,rtf=0.1", clock)
    book = [a_chunk(0, "Short."), a_chunk(1, "A sentence of middling length."), a_chunk(2, "Nine words " * 9)]
    sound = [seconds_of(chunk) for chunk in book]
    engine.synthesize_batch(requests(book))
    batch = 0.5 + 2 * max(sound) + 0.25 * 3 + 0.1 * sum(sound)
    assert clock.now == pytest.approx(3 + batch)
    engine.synthesize_batch(requests(book))
    assert clock.now == pytest.approx(3 + 2 * batch)
    engine.synthesize_batch([])
    assert clock.now == pytest.approx(3 + 2 * batch)


def test_loading_takes_its_time_once() -> None:
    clock = Clock()
    engine = loaded("tone:delay=3", clock)
    engine.prepare(Voice(), OFF)
    engine.prepare(Voice(name="high"), OFF)
    engine.synthesize_batch(requests(chunks(1)))
    assert clock.now == pytest.approx(3)


def test_real_time_factor_by_the_round_when_it_streams() -> None:
    clock = Clock()
    engine = ToneStream(rtf=0.4, sleep=clock.sleep, slots=3, pieces=5)
    sound = sum(clip.seconds for clip in clips_of(engine, requests(chunks(10))))
    assert clock.now == pytest.approx(0.4 * sound)


def test_cancelled_it_stops_waiting() -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            engine.cancel([":0:0", ":1:0"])

    engine = Tone(a=100, sleep=nap)
    assert engine.synthesize_batch(requests(chunks(2))) == []
    assert len(naps) == 3
    assert max(naps) <= 0.05
    stream = ToneStream(a=100, sleep=lambda _: stream.cancel([":0:0", ":1:0"]))
    assert clips_of(stream, requests(chunks(2))) == []


def test_it_goes_on_waiting_for_those_that_are_wanted() -> None:
    clock = Clock()

    def nap(seconds: float) -> None:
        clock.sleep(seconds)
        engine.cancel([":0:0"])

    engine = Tone(a=1, sleep=nap)
    assert [clip.index for clip in engine.synthesize_batch(requests(chunks(2)))] == [1]
    assert clock.now == pytest.approx(1)


def test_chunks_told_to_fail_fail_and_lost_ones_are_lost() -> None:
    engine = loaded("tone:fail=1+4,lose=2,order=reverse", Clock())
    clips = engine.synthesize_batch(requests(chunks(6)))
    assert [(clip.index, clip.failure) for clip in clips] == [
        (5, None),
        (4, "told to fail"),
        (3, None),
        (1, "told to fail"),
        (0, None),
    ]


def test_it_raises_where_it_is_told_to() -> None:
    with pytest.raises(RuntimeError, match="chunk 3"):
        loaded("tone:raise=3", Clock()).synthesize_batch(requests(chunks(6)))
    with pytest.raises(RuntimeError, match="chunk 3"):
        clips_of(load_engine("tone-stream:raise=3"), requests(chunks(6)))


def test_bad_takes_are_bad_once() -> None:
    engine = Tone(silent=frozenset({0}), long=frozenset({1}))
    again = [a_request(chunk, attempt=1) for chunk in chunks(3)]
    verdicts = [judged(clip) for clip in engine.synthesize_batch(requests(chunks(3)))]
    assert "silence" in str(verdicts[0])
    assert "expected" in str(verdicts[1])
    assert verdicts[2] is None
    assert [judged(clip) for clip in engine.synthesize_batch(again)] == [None] * 3


def judged(clip: Clip) -> str | None:
    return first_fault(judges(deterministic=False), clip.samples, clip.sample_rate, clip.chunk)


def test_a_share_of_takes_is_bad_the_same_ones_every_time() -> None:
    book = [a_chunk(index, f"No. {index}") for index in range(2000)]
    engine = Tone(bad=0.05, rate=8000)
    bad = [clip.index for clip in engine.synthesize_batch(requests(book)) if judged(clip)]
    assert 0.03 < len(bad) / len(book) < 0.07
    assert bad == [clip.index for clip in engine.synthesize_batch(requests(book)) if judged(clip)]
    again = [a_request(book[index], attempt=1) for index in bad]
    assert sum(bool(judged(clip)) for clip in engine.synthesize_batch(again)) < len(bad) / 4


def test_a_stream_takes_the_next_chunk_as_soon_as_a_slot_is_free() -> None:
    pulled: list[int] = []

    def source() -> Iterator[Request]:
        for chunk in chunks(5):
            pulled.append(chunk.index)
            yield a_request(chunk, due=lambda: 9.0)

    engine = ToneStream(slots=2, pieces=3, fail=frozenset({3}))
    events = [(clip.index, clip.final, len(pulled)) for clips in engine.synthesize(source()) for clip in clips]
    assert [(index, final) for index, final, _ in events if final] == [
        (0, True),
        (1, True),
        (3, True),
        (2, True),
        (4, True),
    ]
    assert [count for _, _, count in events] == [2] * 6 + [5] * 7
    assert sum(index == 2 for index, _, _ in events) == 3


def test_a_stream_goes_on_with_what_it_has_and_ends_with_nothing_in_hand() -> None:
    first, second, third = requests(chunks(3))
    engine = ToneStream(pieces=2)
    source = iter([first, None, second, None, None, None, third])
    assert [clip.index for clip in clips_of(engine, source) if clip.final] == [0, 1]
    assert [clip.index for clip in clips_of(engine, source) if clip.final] == [2]


@pytest.mark.parametrize(("given", "expected"), [(None, 4), (7, 7), ("auto", 3)])
def test_a_stream_has_as_many_slots_as_it_is_told(given: int | str | None, expected: int) -> None:
    keep_batch_size(ToneStream().fingerprint, 3)
    engine = load_engine("tone-stream", rows=given)  # type: ignore[arg-type]
    assert len(next(engine.synthesize(requests(chunks(20))))) == expected


def test_a_stream_that_was_never_measured_chooses_itself() -> None:
    assert len(next(ToneStream(slots="auto").synthesize(requests(chunks(20))))) == 4
