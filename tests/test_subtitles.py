"""Subtitle files: the times of what was written, the display text, and what each format must escape."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from narrate.clip import Clip, silence
from narrate.sinks import SUBTITLES, open_sink
from narrate.sinks.about import About
from narrate.sinks.subtitles import Cue, as_json, lrc, srt, vtt
from tests.speech import a_chunk

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
CUES = [Cue(("a <b> & c", "d"), 0.5, 1.25, 1, "One"), Cue(("e",), 360_000.0009, 360_001.9996, 2, "Two")]
BOOK = About("T & U", "A", "en")


def test_subrip_has_hours_past_99() -> None:
    assert srt(CUES, BOOK) == (
        "1\n00:00:00,500 --> 00:00:01,250\na <b> & c\nd\n\n2\n100:00:00,001 --> 100:00:02,000\ne\n\n"
    )


def test_webvtt_escapes_its_signs() -> None:
    assert vtt(CUES, BOOK).startswith(
        "WEBVTT - T &amp; U\n\n00:00:00.500 --> 00:00:01.250\na &lt;b&gt; &amp; c\nd\n\n100:00:00.001 --> "
    )


def test_lrc_has_one_line_each_and_an_empty_one_where_a_pause_begins() -> None:
    assert lrc(CUES, BOOK) == "[ti:T & U]\n[ar:A]\n[00:00.50]a <b> & c d\n[00:01.25]\n[6000:00.00]e\n[6000:02.00]\n"


def test_json_has_sentences_with_seconds_and_chapters() -> None:
    found = json.loads(as_json(CUES, BOOK))
    assert (found["title"], found["author"], found["language"]) == ("T & U", "A", "en")
    assert found["sentences"][0] == {"text": "a <b> & c d", "start": 0.5, "end": 1.25, "chapter": 1, "title": "One"}


def write(path: Path, *, again: bool = False) -> None:
    with open_sink(path, RATE, about=BOOK) as sink:
        for index in [0, 1, 2, *([1] if again else [])]:
            chunk = replace(a_chunk(index, "said"), text=f"Seen {index}.")
            sink.begin(chunk)
            hum = np.full(1000 * (index + 1), 0.1, dtype=np.float32)
            sink.write(Clip(chunk, hum[:600], RATE, final=False))
            sink.write(Clip(chunk, hum[600:], RATE))
            sink.write(Clip(chunk, silence(0.25, RATE), RATE, final=False, pause=True))


def test_times_are_those_of_the_samples_and_pauses_belong_to_nobody(tmp_path: Path) -> None:
    write(tmp_path / "book.json", again=True)
    found = json.loads((tmp_path / "book.json").read_text(encoding="utf-8"))["sentences"]
    assert [(s["text"], s["start"] * RATE, s["end"] * RATE) for s in found] == [
        ("Seen 0.", 0, 1000), ("Seen 1.", 3000, 5000), ("Seen 2.", 7000, 10000), ("Seen 1.", 12000, 14000),
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", SUBTITLES)
def test_a_file_is_there_when_it_is_complete_and_not_at_all_after_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book{suffix}"
    with pytest.raises(KeyboardInterrupt), open_sink(path, RATE) as sink:
        sink.begin(a_chunk(0))
        sink.write(Clip(a_chunk(0), silence(1, RATE), RATE))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []
    write(path)
    assert os.listdir(tmp_path) == [path.name]
    assert "Seen 2." in path.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here (apt install ffmpeg)")
@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".lrc"])
def test_another_program_reads_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book{suffix}"
    write(path)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "srt", "-"]
    read = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"Seen \d\.", read) == ["Seen 0.", "Seen 1.", "Seen 2."]
    assert re.search(r"00:00:00,3(75|80) --> ", read), "LRC counts hundredths"


def narrate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    "wanted", [["--subtitles", "srt,vtt"], ["--subtitles=srt, vtt"], ["--subtitles", "srt", "--subtitles", "vtt,srt"]]
)
def test_several_are_written_at_once(tmp_path: Path, wanted: list[str]) -> None:
    (tmp_path / "book.txt").write_text("A sentence.", encoding="utf-8")
    done = narrate(tmp_path / "book.txt", "-e", "tone", "-o", tmp_path / "a,b.wav", *wanted)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"book.txt", "a,b.wav", "a,b.srt", "a,b.vtt"}


def test_several_are_settings_too(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("A sentence.", encoding="utf-8")
    for number, text in enumerate(('["srt", "vtt"]', '"srt,vtt"')):
        (tmp_path / "narrate.toml").write_text(f"subtitles = {text}\n")
        done = narrate(tmp_path / "book.txt", "-e", "tone", "-o", tmp_path / f"{number}.wav")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"{number}.srt").exists()
        assert (tmp_path / f"{number}.vtt").exists()


def test_a_wrong_one_among_several_is_named(tmp_path: Path) -> None:
    done = narrate("-t", "A sentence.", "-e", "tone", "-o", tmp_path / "a.wav", "--subtitles", "srt,doc")
    assert (done.returncode, os.listdir(tmp_path)) == (2, [])
    assert done.stderr == "narrate: --subtitles must be srt, vtt, lrc or json, not srt,doc.\n"


def test_the_command_writes_them_beside_the_sound(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("「今日《きょう》は好い天気。」と先生は云った。\n\n次の文である。\n" * 3, encoding="utf-8")
    wanted = ["-o", tmp_path / "out.wav", "--subtitles", "srt", "--subtitles", "json"]
    done = narrate(book, "-e", f"tone:rate={RATE}", *wanted)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["sentences"]
    assert "今日は好い天気" in found[0]["text"], "what the eye sees, without the reading"
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert rate == RATE
    for one, after in zip(found, found[1:], strict=False):
        between = sound[round(one["end"] * RATE) : round(after["start"] * RATE)]
        assert not np.any(between), "silence, to the sample"
        assert np.any(sound[round(after["start"] * RATE) :][:80])
    assert (tmp_path / "out.srt").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--subtitles", "srt"], "needs a file"), (["-o", "b.srt", "--subtitles", "srt"], "would be written twice")],
)
def test_subtitles_beside_nothing_are_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "book.txt").write_text("A sentence.", encoding="utf-8")
    placed = [tmp_path / argument if argument.startswith("b") else argument for argument in arguments]
    done = narrate(tmp_path / "book.txt", "-e", "tone", *placed)
    assert (done.returncode, os.listdir(tmp_path)) == (2, ["book.txt"])
    assert words in done.stderr


@pytest.mark.parametrize("speed", [0.75, 1.5])
def test_times_follow_the_speed_to_the_sample(tmp_path: Path, speed: float) -> None:
    """Speech and the pause after it are scaled alike, so that the first cue of each chunk is where the chunk is."""
    told: dict[float, list[dict[str, Any]]] = {}
    lengths = {}
    for pace in (1.0, speed):
        command = [sys.executable, "-m", "narrate", str(ROOT / "samples" / "lighthouse.en.txt"), "-e", "espeak"]
        command += ["--speed", str(pace), "-o", str(tmp_path / f"{pace}.wav"), "--subtitles", "json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        told[pace] = json.loads((tmp_path / f"{pace}.json").read_text())["sentences"]
        lengths[pace] = soundfile.info(tmp_path / f"{pace}.wav").frames
    rate = soundfile.info(tmp_path / "1.0.wav").samplerate
    assert lengths[speed] == pytest.approx(lengths[1.0] / speed, abs=1)
    assert [cue["text"] for cue in told[speed]] == [cue["text"] for cue in told[1.0]]
    off = [abs(fast["start"] - cue["start"] / speed) for cue, fast in zip(told[1.0], told[speed], strict=True)]
    assert sum(each <= 2 / rate for each in off) > 0.8 * len(off), "most chunks are one sentence"
    assert max(off) < 0.08
    for cue, fast in zip(told[1.0], told[speed], strict=True):
        assert fast["end"] == pytest.approx(cue["end"] / speed, abs=0.08)
