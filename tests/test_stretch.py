"""Speed: the length follows, the pitch does not; nothing clicks, nothing is lost, 1.0 changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.clip import Clip, Samples, join, silence
from narrate.playback.stretch import FASTEST, SLOWEST, Stretch, stretched
from tests.speech import a_chunk

RATE = 24_000
SPEEDS = [0.5, 0.8, 0.95, 1.1, 1.3, 1.75, 2.0]


def tone(seconds: float, hertz: float = 220.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def loudest_hertz(samples: Samples) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * RATE / len(samples))


@pytest.mark.parametrize("speed", SPEEDS)
def test_length_follows_and_pitch_stays(speed: float) -> None:
    clip = stretched(Clip(a_chunk(3), tone(6), RATE, final=False), speed)
    assert (clip.index, clip.final, clip.sample_rate) == (3, False, RATE)
    assert clip.seconds == pytest.approx(6 / speed, rel=0.01)
    assert loudest_hertz(clip.samples) == pytest.approx(220, rel=0.005)


@pytest.mark.parametrize("speed", SPEEDS)
def test_nothing_clicks(speed: float) -> None:
    """Also where pieces were pushed one by one, and where the speed changes."""
    samples = tone(2)
    first, second = Stretch(speed, RATE), Stretch(1.0, RATE)
    pieces = [first.push(piece) for piece in np.array_split(samples[:RATE], 20)]
    heard = join([*pieces, first.flush(), second.push(samples[RATE:]), second.flush()])
    steepest = float(np.max(np.abs(np.diff(samples))))
    assert float(np.max(np.abs(np.diff(heard)))) < 1.2 * steepest


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_last_sound_is_kept(speed: float) -> None:
    samples = tone(1.0)
    samples[: -RATE // 10] = 0  # a tenth of a second of sound at the very end
    heard = stretched(Clip(a_chunk(0), samples, RATE), speed).samples
    assert np.count_nonzero(heard) / RATE == pytest.approx(0.1 / speed, abs=0.03)
    assert np.allclose(heard[-5:], samples[-5:], atol=0.05)


def test_a_pause_is_scaled_like_the_words_around_it() -> None:
    samples = join([tone(1), np.zeros(RATE, np.float32), tone(1)])
    heard = stretched(Clip(a_chunk(0), samples, RATE), 1.5).samples
    assert np.count_nonzero(np.abs(heard) < 1e-4) / RATE == pytest.approx(1 / 1.5, abs=0.05)


def test_speed_one_is_the_very_array() -> None:
    samples = tone(1)
    stretch = Stretch(1.0, RATE)
    assert stretch.push(samples) is samples
    assert len(stretch.flush()) == 0


RATES = st.sampled_from([16_000, 22_050, 24_000, 48_000])
PIECES = st.lists(st.integers(0, 3_000), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.floats(SLOWEST, FASTEST), RATES, PIECES, st.sampled_from([0.1, 0.3, 2.0]))
def test_a_sound_that_ends_in_a_pause_has_its_due_length(
    speed: float, rate: int, pieces: list[int], pause: float
) -> None:
    samples = (0.5 * np.sin(np.arange(sum(pieces)) * 0.05)).astype(np.float32)
    stretch = Stretch(speed, rate)
    heard = [stretch.push(piece) for piece in np.split(samples, np.cumsum(pieces))]
    heard += [stretch.push(silence(pause, rate)), stretch.flush()]
    assert len(join(heard)) == round((sum(pieces) + round(pause * rate)) / speed)


@settings(max_examples=60, deadline=None)
@given(st.floats(SLOWEST, FASTEST), RATES, PIECES)
def test_a_sound_that_breaks_off_is_near_its_due_length(speed: float, rate: int, pieces: list[int]) -> None:
    noise = np.random.default_rng(sum(pieces)).uniform(-0.5, 0.5, sum(pieces)).astype(np.float32)
    stretch = Stretch(speed, rate)
    heard = join([*(stretch.push(piece) for piece in np.split(noise, np.cumsum(pieces))), stretch.flush()])
    assert abs(len(heard) - len(noise) / speed) < 0.1 * rate


@pytest.mark.parametrize("speed", [0.49, 2.01, 0.0, -1.0, float("nan")])
def test_other_speeds_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Stretch(speed, RATE)
