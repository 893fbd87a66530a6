"""`narrate BOOK` end to end into a recorded sound device: what is exported is what is heard, to the last sample."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import Samples
from narrate.engines.table import engine_lengths
from narrate.playback.bookmark import Bookmarks, place_of
from narrate.text.book import TextOptions, open_book
from tests.recorded import Recorder, alsa_recorder, pulse_recorder

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
STORY = SAMPLES / "lighthouse.en.txt"


def narrate(*arguments: object, env: dict[str, str] | None = None) -> list[str]:
    del env
    return [sys.executable, "-m", "narrate", *map(str, arguments)]


def run(
    *arguments: object, env: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(narrate(*arguments), env=env, capture_output=True, text=True, timeout=timeout, check=False)


def exported(folder: Path, *arguments: object) -> Samples:
    """What an export with the same options holds."""
    target = folder / "exported.wav"
    done = run(*arguments, "-o", target, "--force", "--no-store")
    assert done.returncode == 0, done.stderr
    samples, _ = soundfile.read(target, dtype="float32")
    return np.asarray(samples, dtype=np.float32)


def assert_all_heard(heard: Samples, written: Samples) -> None:
    """Every sample once and in order, nothing before them, only silence after them."""
    assert len(heard) >= len(written)
    assert np.array_equal(heard[: len(written)], written)
    assert not heard[len(written) :].any()


@pytest.mark.parametrize(("engine", "rate"), [("tone", 24_000), ("tone-stream", 24_000), ("espeak", 22_050)])
def test_what_is_heard_is_what_is_exported(tmp_path: Path, engine: str, rate: int) -> None:
    recorder = alsa_recorder(tmp_path, paced=False, sample_rate=rate)
    done = run(STORY, "-e", engine, env=recorder.env)
    assert done.returncode == 0, done.stderr
    assert_all_heard(recorder.read(), exported(tmp_path, STORY, "-e", engine))


def test_listening_at_real_pace_loses_nothing(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("The lamp was lit. It turned once around the sky, and the geese came in.\n\nLate, but not lost.")
    recorder = alsa_recorder(tmp_path, paced=True)
    done = run(short, "-e", "tone:rtf=0.4", env=recorder.env)
    assert done.returncode == 0, done.stderr
    assert_all_heard(recorder.read(), exported(tmp_path, short, "-e", "tone"))


def test_play_and_write_at_once(tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=False)
    target = tmp_path / "both.flac"
    done = run(STORY, "-e", "tone", "-o", target, "--play", env=recorder.env)
    assert done.returncode == 0, done.stderr
    written, _ = soundfile.read(target, dtype="float32")
    assert_all_heard(recorder.read(), np.asarray(written, np.float32))


def test_a_file_that_is_also_heard_holds_the_whole_book_wherever_the_ear_stopped(tmp_path: Path, home: Path) -> None:
    book = open_book(str(STORY), TextOptions())
    assert book.document is not None
    middle = book.script(engine_lengths("tone")).get(9)
    assert middle is not None
    Bookmarks(home / "places").save(book.identity, place_of(book.document.source, book.whole, middle))
    recorder = alsa_recorder(tmp_path, paced=False)
    target = tmp_path / "both.flac"
    done = run(STORY, "-e", "tone", "-o", target, "--play", env=recorder.env)
    assert done.returncode == 0, done.stderr
    written, _ = soundfile.read(target, dtype="float32")
    assert np.array_equal(written, exported(tmp_path, STORY, "-e", "tone"))


def test_no_underflow_while_the_engine_is_faster_than_the_ear(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text(
        " ".join(f"Sentence number {number} is a little longer than the one before." for number in range(4))
    )
    with pulse_recorder() as recorder:
        done = run(short, "-e", "tone:rtf=0.3", env=recorder.env)
    assert done.returncode == 0, done.stderr
    assert "gaps" not in done.stderr


def test_ctrl_c_falls_silent_at_once_keeps_the_place_and_leaves(tmp_path: Path, home: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=True)
    reading = subprocess.Popen(narrate(STORY, "-e", "tone"), env=recorder.env, stderr=subprocess.PIPE, text=True)
    _wait_for_sound(recorder)
    reading.send_signal(signal.SIGINT)
    _, said = reading.communicate(timeout=30)
    assert reading.returncode == 130, said
    assert "Traceback" not in said
    heard = len(np.trim_zeros(recorder.read(), "b"))
    assert 0 < heard < len(exported(tmp_path, STORY, "-e", "tone")) / 4, "it did not read on"
    assert list((home / "places").glob("*.json"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sound_server_that_hangs_can_be_left_and_the_place_is_kept(home: Path, number: signal.Signals) -> None:
    with pulse_recorder() as recorder:
        assert recorder.server is not None
        reading = subprocess.Popen(narrate(STORY, "-e", "tone"), env=recorder.env, stderr=subprocess.PIPE, text=True)
        _wait_for_sound(recorder, seconds=3.0, heard=True)
        recorder.server.send_signal(signal.SIGSTOP)
        try:
            time.sleep(1.5)  # until the device is full
            reading.send_signal(number)
            _, said = reading.communicate(timeout=60)
        finally:
            recorder.server.send_signal(signal.SIGCONT)
            reading.kill()
    assert reading.returncode == 128 + number, said
    assert "Traceback" not in said
    [reading_of] = Bookmarks(home / "places").books()
    assert reading_of.place is not None
    assert 0.0 < reading_of.place.fraction < 0.5


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ((), "No file was written, but what was spoken is kept: the same command goes on from there."),
        (("--no-store",), "No file was written, and with --no-store nothing is kept."),
    ],
)
def test_ctrl_c_in_an_export_says_where_it_stopped_and_how_it_goes_on(
    tmp_path: Path, kept: tuple[str, ...], said: str
) -> None:
    command = narrate(STORY, "-e", "tone:rtf=0.5", "-o", tmp_path / "book.wav", *kept)
    reading = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert reading.stderr is not None
    for line in reading.stderr:
        if "Chapter" in line:
            break
    reading.send_signal(signal.SIGINT)
    _, last = reading.communicate(timeout=30)
    assert reading.returncode == 130
    assert re.search(r"Stopped at \d:\d\d of \d:\d\d \(\d+%\)\. " + re.escape(said) + "$", " ".join(last.split()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_ended_leaves_no_half_file(tmp_path: Path, number: signal.Signals) -> None:
    target = tmp_path / "book.wav"
    reading = subprocess.Popen(narrate(STORY, "-e", "tone:rtf=0.5", "-o", target), stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob(".*part*")):
        assert reading.poll() is None, reading.communicate()
        time.sleep(0.01)
    reading.send_signal(number)
    _, said = reading.communicate(timeout=30)
    assert reading.returncode == 128 + number
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_first_sentence_sounds_while_the_writer_is_still_writing(tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=False)
    into, out = os.pipe()
    reading = subprocess.Popen(
        narrate("-", "-e", "tone"), env=recorder.env, stdin=into, stderr=subprocess.PIPE, text=True
    )
    os.close(into)
    os.write(out, b"One sentence. ")
    _wait_for_sound(recorder)  # although nothing has ended yet
    os.write(out, b"Another.")
    os.close(out)
    _, said = reading.communicate(timeout=60)
    assert reading.returncode == 0, said
    whole = tmp_path / "whole.txt"
    whole.write_text("One sentence. Another.")
    heard = recorder.read()
    assert np.count_nonzero(heard) >= np.count_nonzero(exported(tmp_path, whole, "-e", "tone")) * 0.9


def test_listening_goes_on_where_the_ear_stopped(tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=True)
    reading = subprocess.Popen(narrate(STORY, "-e", "tone"), env=recorder.env, stderr=subprocess.PIPE, text=True)
    _wait_for_sound(recorder, seconds=3.0)
    reading.send_signal(signal.SIGINT)
    reading.communicate(timeout=30)
    again = tmp_path / "again"
    again.mkdir()
    recorder = alsa_recorder(again, paced=False)
    done = run(STORY, "-e", "tone", env=recorder.env)
    assert done.returncode == 0, done.stderr
    assert "Going on" in done.stderr
    heard = recorder.read()
    whole = exported(tmp_path, STORY, "-e", "tone")
    rest = np.trim_zeros(heard, "b")
    assert len(rest) < len(whole)
    assert np.array_equal(rest, np.trim_zeros(whole, "b")[-len(rest) :])


def _wait_for_sound(recorder: Recorder, seconds: float = 0.0, *, heard: bool = False) -> None:
    """Until `seconds` of sound have reached the device; if `heard`, it records the silence before them, too."""
    deadline = time.monotonic() + 60
    while heard and not np.fromfile(recorder.raw, dtype="<f4").any():
        assert time.monotonic() < deadline, "no sound"
        time.sleep(0.1)
    if heard:
        time.sleep(seconds)
        return
    while not recorder.raw.exists() or recorder.raw.stat().st_size <= seconds * 24_000 * 4:
        assert time.monotonic() < deadline, "no sound"
        time.sleep(0.02)
