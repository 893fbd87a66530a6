"""WAV files: true headers, exact samples, RF64 where WAV ends. Sound files in the making: nobody's but their own."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import Clip, Samples, to_int16
from narrate.errors import SinkError
from narrate.files import HeldFile
from narrate.sinks import audiofile, open_sink, wav
from narrate.sinks.audiofile import WavFile
from tests.speech import a_chunk

RATE = 22_050
SAMPLES = np.random.default_rng(1).uniform(-1.3, 1.3, 50_000).astype(np.float32)  # some beyond full scale


def write(path: Path, limit: int = wav.LIMIT) -> None:
    with WavFile(path, RATE, limit=limit) as sink:
        for part in np.array_split(SAMPLES, 9):
            sink.write(Clip(a_chunk(0), part, RATE))


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


# Part files


def holds(path: Path, samples: Samples) -> bool:
    return np.array_equal(soundfile.read(path, dtype="int16")[0], to_int16(samples))


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_two_containers_with_one_process_number_write_their_own_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """The parts of these two names begin alike, and one process number does not tell them apart."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    series = "The collected works of a very long-winded author, volume "
    one, two = (tmp_path / f"{series}{number}{suffix}" for number in ("one", "two"))
    with open_sink(one, RATE) as first:
        first.write(Clip(0, SAMPLES, RATE))
        with open_sink(two, RATE) as second:
            second.write(Clip(0, SAMPLES[::-1], RATE))
            first.write(Clip(1, SAMPLES, RATE))
    assert holds(one, np.concatenate([SAMPLES, SAMPLES]))
    assert holds(two, SAMPLES[::-1])
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_parts_that_nobody_is_writing_are_swept_and_no_others(tmp_path: Path) -> None:
    book = tmp_path / "book.wav"
    abandoned = [
        ".book.part-1234.wav", ".book.part-1234.wav.new",
        ".book.part-0123456789abcdef.wav", ".book.part-0123456789abcdef.wav.new",
    ]  # fmt: skip
    of_others = [
        ".book.part-1234.flac", ".book.part-one.wav", ".book.part-1234.wav.bak", ".book2.part-1234.wav",
        "book.part-1234.wav", ".book.part-.wav",
    ]  # fmt: skip
    for name in abandoned + of_others:
        (tmp_path / name).touch()
    being_written = [tmp_path / f".book.part-{name}.wav" for name in ("4321", "fedcba9876543210", "77")]
    held = [HeldFile(path) for path in being_written]
    (tmp_path / being_written[2]).rename(tmp_path / ".book.part-77.wav.new")
    write(book)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*of_others, "book.wav", ".book.part-4321.wav", ".book.part-fedcba9876543210.wav",
                    ".book.part-77.wav.new"}  # fmt: skip
    for each in held:
        each.discard()


def test_parts_of_other_books_are_swept_when_nobody_has_written_to_them_for_a_day(tmp_path: Path) -> None:
    abandoned = [".other.part-0123456789abcdef.mp3", ".other.part-0123456789abcdef.wav.new"]
    young = [".other.part-0000000000000000.mp3"]
    of_others = [".other.part-1234.mp3", "other.part-0123456789abcdef.mp3", ".other.part-0123456789abcdef.txt"]
    for name in abandoned + young + of_others:
        (tmp_path / name).touch()
    held = HeldFile(tmp_path / ".other.part-aaaaaaaaaaaaaaaa.mp3")
    for path in tmp_path.iterdir():
        days = 0.9 if path.name in young else 1.1
        os.utime(path, 2 * (time.time() - days * 86_400,))
    write(tmp_path / "book.wav")
    assert {path.name for path in tmp_path.iterdir()} == {*young, *of_others, held.path.name, "book.wav"}
    held.discard()


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_part_that_another_program_exchanged_does_not_become_the_book(tmp_path: Path, change: str) -> None:
    book = tmp_path / "book.wav"
    book.write_bytes(b"an earlier book")
    with pytest.raises(SinkError, match="another program") as stopped, WavFile(book, RATE) as sink:
        sink.write(Clip(0, SAMPLES, RATE))
        (part,) = tmp_path.glob(".book*")
        part.unlink()
        if change == "replaced":
            part.write_bytes(b"another book")
    assert "\n" not in str(stopped.value)
    assert "Run the same command again" in str(stopped.value)
    assert book.read_bytes() == b"an earlier book"
    assert [path.read_bytes() for path in tmp_path.glob(".book*")] == [b"another book"] * (change == "replaced")


@pytest.mark.parametrize("where", ["while created", "when created", "writing", "leaving"])
def test_a_book_that_is_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def ended(*arguments: object) -> None:
        raise SystemExit(143)

    def created_and_ended(part: Path) -> None:
        assert HeldFile(part).is_in_place()
        raise SystemExit(143)

    with monkeypatch.context() as patch:
        if where == "while created":
            patch.setattr(os, "rename", ended)
        elif where == "when created":
            patch.setattr(audiofile, "HeldFile", created_and_ended)
        with pytest.raises(SystemExit), WavFile(tmp_path / "book.wav", RATE) as sink:
            sink.write(Clip(0, SAMPLES, RATE))
            if where == "writing":
                ended()
            patch.setattr(os, "replace", ended)
    assert list(tmp_path.iterdir()) == []


WRITER = """
import os
import signal
import sys
from pathlib import Path
from narrate.sinks.audiofile import WavFile

def ended(number, frame):
    raise SystemExit(143)

signal.signal(signal.SIGTERM, ended)
rename = os.rename
if sys.argv[2] == "before its name":
    def stopped(old, new):
        print("ready", flush=True)
        signal.pause()
    os.rename = stopped
with WavFile(Path(sys.argv[1]), 8000):
    print("ready", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("when", ["before its name", "while writing"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ended_or_killed_leaves_nothing_for_good(
    tmp_path: Path, when: str, end: signal.Signals
) -> None:
    book = tmp_path / "book.wav"
    command = [sys.executable, "-c", WRITER, str(book), when]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        (part,) = tmp_path.iterdir()
        write(book)
        assert part.exists(), "it is being written"
        book.unlink()
        writer.send_signal(end)
        writer.wait()
    assert list(tmp_path.iterdir()) == ([part] if end == signal.SIGKILL else [])
    write(book)
    assert list(tmp_path.iterdir()) == [book]
