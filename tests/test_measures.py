"""How a take sounds, in figures: of sounds whose figures are known, and of speech."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import narrate
from narrate.checking.measures import measure
from narrate.clip import Samples
from narrate.sinks.loudness import Meter
from tests.faults import click, half_speed, higher, stretched
from tests.speech import a_chunk

RATE = 24_000
STORY = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"


def harmonic(hz: float, seconds: float = 2.0, rate: int = RATE, level: float = 0.1) -> Samples:
    """A voice of that fundamental: harmonics that fall by 6 dB an octave."""
    times = np.arange(round(seconds * rate)) / rate
    waves = sum(np.sin(2 * np.pi * hz * n * times + n) / n for n in range(1, int(4000 / hz)))
    return (level * waves).astype(np.float32)


def figures(samples: Samples, rate: int = RATE, spoken: str = "One two three four five six seven.") -> dict[str, float]:
    return measure(samples, rate, a_chunk(0, spoken))


@pytest.fixture(scope="module")
def speech() -> list[tuple[Samples, int]]:
    """Takes of a story in a real voice."""
    clips = [clip for clip in narrate.read(STORY, engine="espeak", voice="en-us") if not clip.pause][:12]
    return [(clip.samples, clip.sample_rate) for clip in clips if clip.seconds > 2]


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize("hz", [80.0, 123.0, 220.0, 391.0])
def test_pitch_is_right_to_a_tenth_of_a_semitone(hz: float, rate: int) -> None:
    found = figures(harmonic(hz, rate=rate), rate)
    for name in ("pitch_hz", "pitch_median_hz"):
        assert abs(12 * np.log2(found[name] / hz)) < 0.1
    assert found["pitch_range_semitones"] < 0.1


def test_range_of_pitch_is_that_of_the_voice() -> None:
    found = figures(np.concatenate([harmonic(120.0), harmonic(160.0)]))
    assert found["pitch_range_semitones"] == pytest.approx(12 * np.log2(160 / 120), abs=0.2)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 2 * RATE).astype(np.float32)
    assert figures(noise)["pitch_hz"] == 0


def test_loudness_is_that_of_ffmpeg(speech: list[tuple[Samples, int]]) -> None:
    for samples, rate in speech:
        meter = Meter(rate)
        meter.add(samples)
        assert meter.lufs is not None
        assert figures(samples, rate)["loudness_lufs"] == pytest.approx(meter.lufs, abs=0.1)


@pytest.mark.parametrize("gain_db", [-12.0, -6.0, 3.0])
def test_a_gain_changes_loudness_peak_and_noise_by_as_much_and_nothing_else(gain_db: float) -> None:
    noise = np.random.default_rng(3).normal(0, 0.001, 2 * RATE).astype(np.float32)
    before = figures(harmonic(140.0) + noise)
    after = figures((harmonic(140.0) + noise) * np.float32(10 ** (gain_db / 20)))
    for name in before:
        moves = name in ("loudness_lufs", "peak_dbfs", "noise_dbfs")
        assert after[name] == pytest.approx(before[name] + gain_db * moves, abs=0.02), name


def test_two_semitones_and_half_speed_are_measured(speech: list[tuple[Samples, int]]) -> None:
    luck = random.Random(1)
    rises, times = [], []
    for samples, rate in speech:
        before = figures(samples, rate)
        rises.append(12 * np.log2(figures(higher(samples, rate, luck), rate)["pitch_hz"] / before["pitch_hz"]))
        times.append(figures(half_speed(samples, rate, luck), rate)["pace_times"] / before["pace_times"])
    assert np.median(rises) == pytest.approx(2.0, abs=0.15)
    assert np.median(times) == pytest.approx(0.5, abs=0.03)


def test_pace_keeps_to_what_sounds_and_not_to_the_silence_around_it(speech: list[tuple[Samples, int]]) -> None:
    samples, rate = speech[0]
    quiet = np.zeros(rate, dtype=np.float32)
    alone, within = figures(samples, rate), figures(np.concatenate([quiet, samples, quiet]), rate)
    assert within["pace_times"] == pytest.approx(alone["pace_times"], rel=0.02)
    assert within["longest_silence_seconds"] == pytest.approx(alone["longest_silence_seconds"], abs=0.02)
    assert within["noise_dbfs"] == -100
    assert within["end_db"] < -60


def test_the_longest_silence_is_the_one_inside() -> None:
    quiet = np.zeros(round(1.7 * RATE), dtype=np.float32)
    found = figures(np.concatenate([harmonic(100.0), quiet, harmonic(100.0)]))
    assert found["longest_silence_seconds"] == pytest.approx(1.7, abs=0.03)


def test_a_click_is_counted_and_speech_has_none(speech: list[tuple[Samples, int]]) -> None:
    luck = random.Random(1)
    assert sum(figures(samples, rate)["clicks"] for samples, rate in speech) == 0
    voice = harmonic(130.0)
    found = click(click(voice, RATE, luck), RATE, luck)
    assert (figures(voice)["clicks"], figures(found)["clicks"]) == (0, 2)


def test_clipping_is_a_share_of_the_samples() -> None:
    voice = harmonic(130.0)
    loud = np.clip(voice * 20, -1, 1)
    assert figures(voice)["clipped_share"] == 0
    assert figures(loud)["clipped_share"] == pytest.approx(np.mean(np.abs(loud) >= 0.999))


def test_a_take_that_breaks_off_is_loud_at_its_end() -> None:
    voice, fade = harmonic(130.0), np.linspace(1, 0, RATE // 5, dtype=np.float32) ** 3
    ended = voice.copy()
    ended[-len(fade) :] *= fade
    assert figures(voice)["end_db"] > -3
    assert figures(ended)["end_db"] < -40


def test_a_darker_voice_has_a_steeper_spectrum() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 2 * RATE).astype(np.float32)
    dark = np.convolve(noise, np.ones(8) / 8, mode="same").astype(np.float32)
    assert figures(dark)["tilt_db_per_octave"] < figures(noise)["tilt_db_per_octave"] - 2
    assert figures(noise)["tilt_db_per_octave"] == pytest.approx(3, abs=0.5)  # an octave more is twice as wide


def test_silence_is_said_to_be_silence() -> None:
    found = figures(np.zeros(RATE, dtype=np.float32))
    assert (found["loudness_lufs"], found["peak_dbfs"], found["noise_dbfs"]) == (-100, -100, -100)
    assert (found["pitch_hz"], found["pace_times"], found["clicks"], found["seconds"]) == (0, 0, 0, 1)


@settings(max_examples=60)
@given(st.integers(0, 5000), st.integers(0, 1000), st.sampled_from([8000, 16_000, 24_000, 44_100]), st.floats(0, 2))
def test_every_sound_has_figures(count: int, seed: int, rate: int, level: float) -> None:
    samples = np.random.default_rng(seed).normal(0, level, count).astype(np.float32)
    samples[: count // 3] = 0
    if seed % 5 == 0:
        samples[count // 2 : count // 2 + 1] = np.nan
    found = figures(samples, rate)
    assert all(np.isfinite(value) for value in found.values())
    assert found.keys() == figures(harmonic(100.0)).keys()


def test_speed_alone_leaves_the_pitch(speech: list[tuple[Samples, int]]) -> None:
    samples, rate = speech[0]
    assert figures(stretched(samples, rate, 1.3), rate)["pitch_hz"] == pytest.approx(
        figures(samples, rate)["pitch_hz"], rel=0.02
    )
