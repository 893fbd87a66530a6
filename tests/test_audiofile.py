"""WAV files: true headers, exact samples, RF64 where WAV ends."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import Clip, to_int16
from narrate.sinks import wav
from narrate.sinks.audiofile import WavFile

RATE = 22_050
SAMPLES = np.random.default_rng(1).uniform(-1.3, 1.3, 50_000).astype(np.float32)  # some beyond full scale


def write(path: Path, limit: int = wav.LIMIT) -> None:
    with WavFile(path, RATE, limit=limit) as sink:
        for part in np.array_split(SAMPLES, 9):
            sink.write(Clip(0, part, RATE))


def test_a_wav_file_holds_the_samples_and_says_its_length(tmp_path: Path) -> None:
    path = tmp_path / "book.wav"
    write(path)
    with wave.open(str(path)) as book:
        assert (book.getnchannels(), book.getsampwidth(), book.getframerate()) == (1, 2, RATE)
        assert book.getnframes() == len(SAMPLES)
        heard = np.frombuffer(book.readframes(len(SAMPLES)), dtype="<i2")
    assert np.array_equal(heard, to_int16(SAMPLES))
    assert struct.unpack("<I", path.read_bytes()[4:8]) == (path.stat().st_size - 8,)


def test_past_its_limit_a_file_is_rf64(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    size = wav.HEADER + 2 * len(SAMPLES)
    write(path, limit=size - 8)
    assert path.read_bytes()[:4] == b"RF64"
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.frames) == ("RF64", "PCM_16", len(SAMPLES))
    assert np.array_equal(soundfile.read(path, dtype="int16")[0], to_int16(SAMPLES))
    write(path, limit=size - 7)
    assert path.read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("samples", [0, 1, (1 << 31) - 40, 1 << 31, 1 << 33])
def test_headers_of_any_length_are_read_back(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "sparse.wav"
    with open(path, "wb") as file:
        file.write(wav.header(RATE, samples))
        file.truncate(wav.HEADER + 2 * samples)  # takes no room on the disk
    assert soundfile.info(path).frames == samples
