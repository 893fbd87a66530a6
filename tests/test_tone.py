"""The test signal: as long, as slow and as faulty as it was told to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Clip
from narrate.engines import load_engine
from narrate.engines.tone import Tone, ToneStream, melody
from narrate.pace import expected_seconds
from narrate.synthesis.judge import verdict
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, chunks


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
    assert np.abs(np.diff(samples, prepend=0, append=0)).max(initial=0) < 0.36 * 2 * np.pi * 850 / rate  # no click
    for frame in np.array_split(samples, max(1, round(seconds / 0.1))) if seconds > 0.1 else ():
        assert np.abs(frame).max() > 0.1


def test_takes_are_as_long_as_expected_and_follow_seed_and_attempt() -> None:
    engine = Tone()
    chunk = a_chunk(3)
    takes = [
        engine.synthesize_batch([one], Voice(seed=seed))[0]
        for one, seed in [(chunk, 0), (chunk, 1), (replace(chunk, attempt=1), 0), (replace(chunk, index=8), 0)]
    ]
    assert {take.seconds for take in takes} == {seconds_of(chunk)}
    assert np.array_equal(takes[0].samples, takes[3].samples)
    assert len({take.samples.tobytes() for take in takes}) == 3


def test_the_cost_of_a_batch_is_what_the_model_says() -> None:
    clock = Clock()
    engine = load_engine("tone:delay=3,a=0.5,b=2,c=0.25,rtf=0.1", sleep=clock.sleep)
    book = [a_chunk(0, "Short."), a_chunk(1, "A sentence of middling length."), a_chunk(2, "Nine words " * 9)]
    sound = [seconds_of(chunk) for chunk in book]
    assert isinstance(engine, Tone)
    engine.synthesize_batch(book, Voice())
    batch = 0.5 + 2 * max(sound) + 0.25 * 3 + 0.1 * sum(sound)
    assert clock.now == pytest.approx(3 + batch)
    engine.synthesize_batch(book, Voice())
    assert clock.now == pytest.approx(3 + 2 * batch)
    engine.synthesize_batch([], Voice())
    assert clock.now == pytest.approx(3 + 2 * batch)


def test_real_time_factor_by_the_round_when_it_streams() -> None:
    clock = Clock()
    engine = ToneStream(rtf=0.4, sleep=clock.sleep, slots=3, pieces=5)
    sound = sum(clip.seconds for clip in engine.synthesize(chunks(10), Voice()))
    assert clock.now == pytest.approx(0.4 * sound)


def test_cancelled_it_stops_waiting() -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            engine.cancel()

    engine = Tone(a=100, sleep=nap)
    assert engine.synthesize_batch(chunks(2), Voice()) == []
    assert len(naps) == 3
    assert max(naps) <= 0.05
    stream = ToneStream(a=100, sleep=lambda _: stream.cancel())
    assert list(stream.synthesize(chunks(2), Voice())) == []


def test_chunks_told_to_fail_fail_and_lost_ones_are_lost() -> None:
    engine = load_engine("tone:fail=1+4,lose=2,order=reverse")
    assert isinstance(engine, Tone)
    clips = engine.synthesize_batch(chunks(6), Voice())
    assert [(clip.index, clip.failure) for clip in clips] == [
        (5, None),
        (4, "told to fail"),
        (3, None),
        (1, "told to fail"),
        (0, None),
    ]


@pytest.mark.parametrize("kind", ["tone", "tone-stream"])
def test_it_raises_where_it_is_told_to(kind: str) -> None:
    engine = load_engine(f"{kind}:raise=3")
    with pytest.raises(RuntimeError, match="chunk 3"):
        if isinstance(engine, Tone):
            engine.synthesize_batch(chunks(6), Voice())
        else:
            list(engine.synthesize(iter(chunks(6)), Voice()))  # type: ignore[union-attr]


def test_bad_takes_are_bad_once() -> None:
    engine = Tone(silent=frozenset({0}), long=frozenset({1}))
    first, again = chunks(3), [replace(chunk, attempt=1) for chunk in chunks(3)]
    verdicts = [judged(clip, first) for clip in engine.synthesize_batch(first, Voice())]
    assert "silence" in str(verdicts[0])
    assert "expected" in str(verdicts[1])
    assert verdicts[2] is None
    assert [judged(clip, again) for clip in engine.synthesize_batch(again, Voice())] == [None] * 3


def judged(clip: Clip, book: list[Chunk]) -> str | None:
    return verdict(clip.samples, clip.sample_rate, book[clip.index])


def test_a_share_of_takes_is_bad_the_same_ones_every_time() -> None:
    book = [a_chunk(index, f"No. {index}") for index in range(2000)]
    engine = Tone(bad=0.05, rate=8000)
    bad = [clip.index for clip in engine.synthesize_batch(book, Voice()) if judged(clip, book)]
    assert 0.03 < len(bad) / len(book) < 0.07
    assert bad == [clip.index for clip in engine.synthesize_batch(book, Voice()) if judged(clip, book)]
    again = [replace(book[index], attempt=1) for index in bad]
    assert sum(bool(judged(clip, book)) for clip in engine.synthesize_batch(again, Voice())) < len(bad) / 4


def test_a_stream_takes_the_next_chunk_as_soon_as_a_slot_is_free() -> None:
    pulled: list[int] = []

    def source() -> Iterator[Chunk]:
        for chunk in chunks(5):
            pulled.append(chunk.index)
            yield chunk

    engine = ToneStream(slots=2, pieces=3, fail=frozenset({3}))
    events = [(clip.index, clip.final, len(pulled)) for clip in engine.synthesize(source(), Voice())]
    assert [(index, final) for index, final, _ in events if final] == [
        (0, True),
        (1, True),
        (3, True),
        (2, True),
        (4, True),
    ]
    assert [count for _, _, count in events] == [2] * 6 + [4] + [5] * 6
    assert sum(index == 2 for index, _, _ in events) == 3


def test_a_stream_goes_on_with_what_it_has_and_ends_with_nothing_in_hand() -> None:
    first, second, third = chunks(3)
    engine = ToneStream(pieces=2)
    source = iter([first, None, second, None, None, None, third])
    assert [clip.index for clip in engine.synthesize(source, Voice()) if clip.final] == [0, 1]
    assert [clip.index for clip in engine.synthesize(source, Voice()) if clip.final] == [2]
