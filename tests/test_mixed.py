"""Two engines as one, for a book that quotes another language."""

from __future__ import annotations

import numpy as np
import pytest

from narrate.engines.mixed import Mixed
from narrate.engines.tone import Tone
from narrate.voice import Voice
from tests.speech import a_chunk


def mixed() -> Mixed:
    first, second = Tone(rate=48_000, sleep=lambda _: None), Tone(rate=22_050, sleep=lambda _: None)
    first.languages = frozenset({"ja"})  # type: ignore[misc]
    return Mixed(first, second)


def test_each_language_goes_to_the_engine_that_speaks_it() -> None:
    engine = mixed()
    chunks = [
        a_chunk(0, "これは日本語です。", language="ja"),
        a_chunk(1, "This is English."),
        a_chunk(2, "はい。", language="ja"),
    ]
    clips = {clip.index: clip for clip in engine.synthesize_batch(chunks, Voice())}
    assert sorted(clips) == [0, 1, 2]
    assert {clip.sample_rate for clip in clips.values()} == {48_000}
    (alone,) = engine.second.synthesize_batch([chunks[1]], Voice())
    assert clips[1].seconds == pytest.approx(alone.seconds, abs=0.001)


def test_resampling_keeps_the_pitch() -> None:
    engine = mixed()
    chunk = a_chunk(1, "This is a longer English sentence, to be heard at another rate.")
    (clip,) = engine.synthesize_batch([chunk], Voice())
    (alone,) = engine.second.synthesize_batch([chunk], Voice())

    def loudest(samples: np.ndarray, rate: int) -> float:
        return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))

    assert loudest(clip.samples, 48_000) == pytest.approx(loudest(alone.samples, 22_050), rel=0.01)


def test_the_key_of_a_take_knows_both_engines() -> None:
    engine = mixed()
    assert set(engine.fingerprint) > set(engine.first.fingerprint)
