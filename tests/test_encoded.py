"""Compressed files: FLAC to the bit, the others by length and pitch; rates that codecs know; tags."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from narrate.clip import Clip, Samples, to_int16
from narrate.sinks import open_sink
from narrate.sinks.about import About
from tests.speech import a_chunk

ABOUT = About("坊っちゃん", "夏目漱石", "ja", narrator="ono_anna")
TAGS = {"title": "坊っちゃん", "artist": "夏目漱石", "language": "jpn", "composer": "ono_anna"}


def tone(rate: int, hertz: float = 1000.0, seconds: float = 3.0) -> Samples:
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write(path: Path, samples: Samples, rate: int) -> None:
    with open_sink(path, rate, about=ABOUT) as sink:
        for index, part in enumerate(np.array_split(samples, 11)):
            sink.write(Clip(a_chunk(index), part, rate))


def loudest_hertz(samples: Samples, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


def test_flac_holds_what_wav_holds(tmp_path: Path) -> None:
    samples = np.random.default_rng(2).uniform(-1.3, 1.3, 100_001).astype(np.float32)
    write(tmp_path / "book.flac", samples, 24_000)
    read, rate = soundfile.read(tmp_path / "book.flac", dtype="int16")
    assert rate == 24_000
    assert np.array_equal(read, to_int16(samples))


@pytest.mark.parametrize(
    ("name", "rate", "coded"),
    [
        ("a.mp3", 24_000, 24_000),
        ("a.mp3", 22_050, 22_050),
        ("a.mp3", 48_000, 48_000),
        ("a.ogg", 24_000, 24_000),
        ("a.opus", 22_050, 24_000),
        ("a.opus", 48_000, 48_000),
        ("a.opus", 96_000, 48_000),
        ("a.flac", 22_050, 22_050),
    ],
)
def test_every_rate_comes_back_in_time_and_in_tune(tmp_path: Path, name: str, rate: int, coded: int) -> None:
    path = tmp_path / name
    write(path, tone(rate), rate)
    read, found = soundfile.read(path, dtype="float32")
    assert found == coded
    assert len(read) / found == pytest.approx(3.0, abs=0.05)
    assert loudest_hertz(read, found) == pytest.approx(1000, abs=1)
    assert np.sqrt(np.mean(read**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.06)  # LAME plays safe: × 0.95


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.ogg", "a.opus", "a.mka", "a.m4b"])
def test_tags_are_in_the_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, tone(24_000), 24_000)
    with av.open(str(tmp_path / name)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    found = {key.lower(): value for key, value in found.items()}  # Matroska writes them in capitals
    assert {key: found.get(key) for key in TAGS} == TAGS
