"""One loudness for every book: measured by FFmpeg, one gain, peaks held, nothing lost, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import narrate
from narrate.clip import Clip, Samples, silence
from narrate.sinks import open_sink
from narrate.sinks.audiofile import WavFile
from narrate.sinks.inspection import inspect
from narrate.sinks.loudness import Aim, Levelled, Meter, Peaks, limiter
from tests.speech import a_chunk

ROOT = Path(__file__).resolve().parents[1]
TEXT = "It was a dark and stormy night. The rain fell in torrents, except at occasional intervals. " * 3


@pytest.fixture(scope="module")
def speech() -> tuple[Samples, int]:
    return narrate.synthesize(TEXT, engine="espeak", language="en")


def level(path: Path, samples: Samples, rate: int, lufs: float) -> list[str]:
    told: list[str] = []
    with Levelled(rate, Aim(lufs), [partial(open_sink, path)], path.parent, told.append) as sink:
        for index, part in enumerate(np.array_split(samples, 13)):
            sink.begin(a_chunk(index))
            sink.write(Clip(a_chunk(index), part, rate))
            sink.write(Clip(a_chunk(index), silence(0.1, rate), rate, final=False, pause=True))
    return told


@pytest.mark.parametrize("factor", [0.05, 0.25, 1.0])
def test_books_of_all_levels_end_alike_and_below_the_peak(
    tmp_path: Path, speech: tuple[Samples, int], factor: float
) -> None:
    samples, rate = speech
    (told,) = level(tmp_path / "book.wav", samples * np.float32(factor), rate, -19)
    found = inspect(tmp_path / "book.wav")
    assert found.lufs == pytest.approx(-19, abs=0.2)
    assert found.peak_db is not None
    assert found.peak_db <= -3
    assert "brought to -19.0 by" in told or "brought to -18.9 by" in told or "brought to -19.1 by" in told
    assert os.listdir(tmp_path) == ["book.wav"]


@pytest.mark.parametrize("suffix", [".m4b", ".mp3", ".opus"])
def test_what_encoding_loses_changes_little(tmp_path: Path, speech: tuple[Samples, int], suffix: str) -> None:
    """LAME turns the sound down by 0.45 dB, and what a codec leaves out makes new peaks."""
    samples, rate = speech
    level(tmp_path / f"book{suffix}", samples, rate, -19)
    found = inspect(tmp_path / f"book{suffix}")
    assert found.lufs == pytest.approx(-19, abs=0.6)
    assert found.peak_db is not None
    assert found.peak_db < -2


def test_where_no_peak_is_too_high_it_is_one_gain(tmp_path: Path, speech: tuple[Samples, int]) -> None:
    samples, rate = speech
    told = level(tmp_path / "book.wav", samples, rate, -30)
    found, _ = soundfile.read(tmp_path / "book.wav", dtype="float32")
    parts = [part for each in np.array_split(samples, 13) for part in (each, silence(0.1, rate))]
    before = np.concatenate(parts)
    assert len(found) == len(before)
    gain = float(found @ before / (before @ before))
    assert np.abs(found - gain * before).max() < 1e-4
    assert "0.0% of it limited" in told[0]


def test_silence_stays_silence(tmp_path: Path) -> None:
    assert level(tmp_path / "book.wav", silence(3, 8000), 8000, -19) == []
    found, _ = soundfile.read(tmp_path / "book.wav")
    assert not found.any()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        Levelled(8000, Aim(-19), [partial(open_sink, tmp_path / "book.wav")], tmp_path) as sink,
    ):
        sink.begin(a_chunk(0))
        sink.write(Clip(a_chunk(0), silence(1, 8000), 8000))
        assert os.listdir(tmp_path) == []
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_the_meter_knows_a_sine() -> None:
    """EBU Tech 3341: a sine of 1 kHz at -23 dBFS in both channels is -23 LUFS; in one it is 3 LU less."""
    meter = Meter(48_000)
    meter.add((10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(480_000) / 48_000)).astype(np.float32))
    assert meter.lufs == pytest.approx(-26, abs=0.1)
    assert meter.peak_db == pytest.approx(-23, abs=0.2)
    assert Meter(48_000).lufs is None


levels = arrays.arrays(np.float32, st.integers(0, 200), elements=st.floats(0, 4, width=32))


@given(levels, st.integers(1, 9), st.integers(1, 30))
def test_limited_sound_is_within_the_limit_and_untouched_where_nothing_is_near(
    samples: Samples, block: int, step: int
) -> None:
    peaks = Peaks(block)
    for start in range(0, len(samples), step):
        peaks.add(samples[start : start + step])
    curve = limiter(peaks.all(), 0.5)
    gains = peaks.between(curve, 0, len(samples))
    assert (samples * gains <= 0.5 + 1e-6).all()
    assert (gains > 0).all()
    assert (gains <= 1).all()
    if not (samples > 0.5).any():
        assert (gains == 1).all()


def test_the_command_levels_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(TEXT, encoding="utf-8")
    command = [sys.executable, "-m", "narrate", str(tmp_path / "book.txt"), "-e", "espeak", "--loudness", "-19"]
    done = subprocess.run([*command, "-o", str(tmp_path / "out.wav")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "LUFS, brought to" in done.stderr
    assert inspect(tmp_path / "out.wav").lufs == pytest.approx(-19, abs=0.2)
    refused = subprocess.run([*command, "-o", "-"], capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 2
    assert "--loudness needs a whole file" in refused.stderr


def test_how_far_a_book_is_levelled_can_be_seen(tmp_path: Path, speech: tuple[Samples, int]) -> None:
    """A listener who waits for the file sees that it goes on; the shares grow, and all is done at the end."""
    samples, rate = speech
    shares: list[float] = []

    class Watching(WavFile):
        def write(self, clip: Clip) -> None:
            shares.append(levelled.finished_share)
            super().write(clip)

    levelled = Levelled(rate, Aim(-19), [partial(Watching, tmp_path / "book.wav")], tmp_path)
    with levelled as sink:
        for index, part in enumerate(np.array_split(samples, 13)):
            sink.begin(a_chunk(index))
            sink.write(Clip(a_chunk(index), part, rate))
    assert shares == sorted(shares)
    assert 0.1 < shares[0] < 0.5 < shares[-1] < 1.0
    assert levelled.finished_share == 1.0
