"""The whole path into a device: what is heard is what is exported, sample by sample, to the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import to_int16
from tests.recorded import alsa_recorder, pulse_recorder

RATE = 22_050  # of espeak
TEXT = "The lamp was lit at six.\n\n“Who goes there?” Nobody answered. Then a door fell shut.\n"


def narrate(*arguments: object, env: dict[str, str]) -> str:
    command = [sys.executable, "-m", "narrate", *map(str, arguments), "--engine", "espeak"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(("speed", "paced"), [("1.0", True), ("1.4", False)])
def test_every_exported_sample_is_heard_in_order_and_once(book: Path, speed: str, paced: bool) -> None:
    recorder = alsa_recorder(book.parent, paced=paced, sample_rate=RATE)
    exported = book.with_suffix(".wav")
    narrate(book, "-o", exported, "--speed", speed, env=recorder.env)
    narrate(book, "--speed", speed, env=recorder.env)
    wanted, rate = soundfile.read(exported, dtype="int16")
    heard = to_int16(recorder.read())
    assert rate == RATE
    assert np.array_equal(heard[: len(wanted)], wanted)
    assert not heard[len(wanted) :].any()


def test_playing_while_writing_does_both(book: Path) -> None:
    recorder = alsa_recorder(book.parent, paced=False, sample_rate=RATE)
    exported = book.with_suffix(".flac")
    narrate(book, "-o", exported, "--play", env=recorder.env)
    wanted, _ = soundfile.read(exported, dtype="int16")
    heard = to_int16(recorder.read())
    assert len(wanted) > 3 * RATE
    assert np.array_equal(heard[: len(wanted)], wanted)


def test_a_sound_server_gets_it_all_without_a_gap(book: Path) -> None:
    exported = book.with_suffix(".wav")
    narrate(book, "-o", exported, env=dict(os.environ))
    wanted, _ = soundfile.read(exported, dtype="int16")
    with pulse_recorder(RATE) as recorder:
        said = narrate(book, env=recorder.env)
        assert recorder.server is not None
        recorder.server.kill()
        heard = to_int16(recorder.read())
    assert "gap" not in said.splitlines()[-1]
    sounding = np.flatnonzero(wanted)
    first = np.flatnonzero(heard)[0]
    assert np.array_equal(heard[first : first + np.ptp(sounding) + 1], wanted[sounding[0] : sounding[-1] + 1])


def test_a_mistake_found_while_the_device_opens_is_still_one_line(book: Path) -> None:
    recorder = alsa_recorder(book.parent, paced=False, sample_rate=RATE)
    command = [sys.executable, "-m", "narrate", str(book), "--engine", "espeak", "--from", "nowhere"]
    for _ in range(3):  # PortAudio's start hides stderr for a moment, and crashes when the program ends meanwhile
        ended = subprocess.run(command, env=recorder.env, capture_output=True, text=True)
        assert ended.returncode == 2
        assert "nowhere" in ended.stderr.splitlines()[-1]
