"""Files as ACX takes them: what FFmpeg measures of them, and what the check says of files that are not so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import narrate
from narrate.clip import Clip, Samples, silence
from narrate.sinks.about import About
from narrate.sinks.acx import AcxFolder, Check, Measured, faults, measure
from narrate.sinks.split import Content
from tests.speech import a_chunk
from tests.test_audiobook import probe

ROOT = Path(__file__).resolve().parents[1]
GOOD = Measured(600.0, -20.0, -4.0, -70.0, 0.7, 2.0)
TEXT = "It was a dark and stormy night. The rain fell in torrents, except at occasional intervals. " * 2
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here (apt install ffmpeg)")


@pytest.fixture(scope="module")
def speech() -> tuple[Samples, int]:
    return narrate.synthesize(TEXT, engine="espeak", language="en")


def astats(path: Path) -> dict[str, float]:
    """What another program measures."""
    command = ["ffmpeg", "-nostats", "-i", str(path), "-af", "astats=measure_perchannel=none", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {name: float(value) for name, value in re.findall(r"\] ([A-Z][\w ]+ dB): (-?[\d.]+|-inf)", said)}


@needs_ffmpeg
@pytest.mark.parametrize("factor", [0.03, 1.0])
def test_files_are_within_the_limits_of_acx(tmp_path: Path, speech: tuple[Samples, int], factor: float) -> None:
    samples, rate = speech
    told: list[str] = []
    contents = [Content(1, "One"), Content(2, "Two")]
    with AcxFolder(tmp_path / "book", rate, About("B", "A", "en"), contents, report=told.append) as sink:
        for number in (1, 2):
            chunk = replace(a_chunk(number), chapter=number)
            sink.begin(chunk)
            sink.write(Clip(chunk, samples * np.float32(factor / number), rate))
            sink.write(Clip(chunk, silence(1.0, rate), rate, final=False, pause=True))
    assert sorted(os.listdir(tmp_path / "book")) == ["001 - One.mp3", "002 - Two.mp3", "book.m3u8"]
    assert [line.split(":")[0] for line in told] == ["ACX"], told
    for name in ("001 - One.mp3", "002 - Two.mp3"):
        path = tmp_path / "book" / name
        (sound,) = probe(path)["streams"]
        assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("mp3", "44100", 1)
        assert int(sound["bit_rate"]) == pytest.approx(192_000, rel=0.01)
        found = measure(path)
        assert list(faults(found)) == []
        theirs = astats(path)
        assert theirs["RMS level dB"] == pytest.approx(found.rms_db, abs=0.1)
        assert theirs["Peak level dB"] == pytest.approx(found.peak_db, abs=0.1)
        assert -23 <= theirs["RMS level dB"] <= -18
        assert theirs["Peak level dB"] <= -3
        assert theirs["Noise floor dB"] <= -60
        assert -80 < found.noise_db < -60, "a quiet room, and no sound that is switched off"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (GOOD, None),
        (Measured(7200.0, -23.0, -3.0, -60.0, 0.5, 5.0), None),
        (GOOD._replace(rms_db=-18.0, head_seconds=1.0, tail_seconds=1.0), None),
        (GOOD._replace(seconds=7201.0), "2:00:01 long"),
        (GOOD._replace(rms_db=-23.1), "-23.1 dB RMS"),
        (GOOD._replace(rms_db=-17.9), "-17.9 dB RMS"),
        (GOOD._replace(peak_db=-2.9), "-2.9 dB"),
        (GOOD._replace(noise_db=-59.9), "-59.9 dB"),
        (GOOD._replace(head_seconds=0.4), "at its head"),
        (GOOD._replace(head_seconds=1.1), "at its head"),
        (GOOD._replace(tail_seconds=0.9), "at its tail"),
        (GOOD._replace(tail_seconds=5.1), "at its tail"),
    ],
)  # fmt: skip
def test_what_acx_would_not_take_is_told(found: Measured, words: str | None) -> None:
    told: list[str] = []
    check = Check(told.append)
    check.add(Path("001.mp3"), found)
    check.end()
    (line,) = told
    assert (words or "1 file is within its limits") in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "a.m4b"], "ACX takes MP3 files only"),
        (["-o", "a.mp3", "--subtitles", "srt"], "ACX takes MP3 files only"),
        (["-o", "a.mp3", "--split", "2h"], "a file for each chapter"),
        (["-o", "a.mp3", "--play"], "without --play"),
        ([], "--loudness needs a whole file"),
    ],
)
def test_what_goes_not_with_acx_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    placed = [str(tmp_path / word) if word.startswith("a.") else word for word in arguments]
    command = [sys.executable, "-m", "narrate", "-t", "Yes.", "-e", "tone", "--loudness", "acx", *placed]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, os.listdir(tmp_path)) == (2, [])
    assert words in done.stderr


def test_what_is_set_for_all_files_does_not_matter_where_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LOUDNESS", "-19"), ("SPLIT", "chapter"), ("SUBTITLES", "srt")):
        monkeypatch.setenv(f"NARRATE_{name}", value)
    command = [sys.executable, "-m", "narrate", "-t", "Yes. ", "-e", "tone"]
    planned = subprocess.run([*command, "--plan"], capture_output=True, text=True, cwd=ROOT)
    assert planned.returncode == 0, planned.stderr
    done = subprocess.run([*command, "-o", str(tmp_path / "a.wav")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "LUFS, brought to" in done.stderr
    assert {Path(name).suffix for name in os.listdir(tmp_path / "a")} == {".wav", ".srt", ".m3u8"}


def test_the_command_makes_a_folder_that_acx_takes(tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text(f"# Book\n\n## One\n\n{TEXT}\n\n## Two\n\n{TEXT}", encoding="utf-8")
    command = [sys.executable, "-m", "narrate", tmp_path / "book.md", "-e", "espeak", "--loudness", "acx"]
    done = subprocess.run([*command, "-o", tmp_path / "out.mp3"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "ACX: all 2 files are within its limits" in done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["001 - One.mp3", "002 - Two.mp3", "out.m3u8"]
