"""An audiobook read back: what is right is not complained of, and each fault is found where it is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Clip, Samples, join, silence
from narrate.errors import InputError
from narrate.sinks import SUFFIXES, open_sink
from narrate.sinks.about import About
from narrate.sinks.inspection import (
    ChapterMark,
    Heard,
    Quiet,
    chapter_faults,
    inspect,
    length_faults,
    sound_faults,
    tag_faults,
)
from narrate.sinks.pictures import draw_cover
from tests.speech import a_chunk

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
BOOK = About("The Book", "A", "en", cover=draw_cover("The Book", "A"))


def hum(seconds: float, level: float = 0.15) -> Samples:
    return (level * np.sin(np.arange(round(seconds * RATE)) * 0.8)).astype(np.float32)


def write(path: Path, *sounds: Samples, about: About = BOOK) -> None:
    """A chapter for each sound."""
    with open_sink(path, RATE, about=about) as sink:
        for number, sound in enumerate(sounds, 1):
            chunk = replace(a_chunk(number), chapter=number, title=f"Chapter {number}")
            sink.begin(chunk)
            sink.write(Clip(chunk, sound, RATE))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_we_write_has_no_fault(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book{suffix}"
    write(path, hum(3), hum(4))
    found = inspect(path)
    assert found.faults == ()
    assert found.seconds == pytest.approx(7, abs=0.2)
    assert found.bytes == path.stat().st_size
    assert found.lufs == pytest.approx(-19, abs=2)
    assert found.peak_db == pytest.approx(20 * np.log10(0.15), abs=2)
    assert [chapter.title for chapter in found.chapters] in (["Chapter 1", "Chapter 2"], [])
    assert found.cover == ("" if suffix == ".wav" else "1000 × 1000 mjpeg")


def test_each_fault_of_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "book.m4b"
    write(path, hum(2), join([silence(6, RATE), hum(2)]), hum(1, 0.001), about=About())
    found = inspect(path)
    (there,) = found.silences
    assert there == pytest.approx((2.0, 6.0), abs=0.2)
    told = " ".join(found.faults)
    assert "At 0:02 there are 6.0 s of silence." in told
    assert all(words in told for words in ("title", "author", "no cover"))


@pytest.mark.parametrize(("level", "words"), [(0.0, "It is silent"), (0.02, "Its loudness is -"), (1.0, "cut off")])
def test_sound_that_is_too_soft_or_too_loud(tmp_path: Path, level: float, words: str) -> None:
    path = tmp_path / "book.wav"
    write(path, hum(3, level))
    assert any(words in fault for fault in inspect(path).faults)


def test_a_file_that_is_cut_short_or_no_sound_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("no sound " * 50)
    (tmp_path / "cover.jpg").write_bytes(BOOK.cover or b"")
    for name in ("text.mp3", "cover.jpg", "missing.mp3"):
        with pytest.raises(InputError, match=name) as caught:
            inspect(tmp_path / name)
        assert "\n" not in str(caught.value)
    whole = tmp_path / "whole.mka"
    write(whole, hum(10), hum(10))
    (tmp_path / "half.mka").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert any("can be heard" in fault for fault in inspect(tmp_path / "half.mka").faults)


@pytest.mark.parametrize(("stated", "heard", "count"), [(0, 9, 0), (10, 9.6, 0), (10, 9.4, 1), (9.4, 10, 1)])
def test_a_file_that_is_not_as_long_as_it_says(stated: float, heard: float, count: int) -> None:
    assert len(list(length_faults(stated, heard))) == count


def test_tags_that_a_library_misses() -> None:
    assert list(tag_faults({"title": "T", "artist": "A", "album": "T"}, "10 × 10 png")) == []
    assert len(list(tag_faults({}, ""))) == 4
    assert len(list(tag_faults({"title": "", "artist": "A", "album": "T"}, "", holds_cover=False))) == 1


GOOD = [ChapterMark("a", 0, 10), ChapterMark("b", 10, 20)]


@pytest.mark.parametrize(
    ("chapters", "seconds", "words"),
    [
        ([], 3600, []),
        ([], 3601, ["no chapters"]),
        (GOOD, 20, []),
        (GOOD, 20.3, ["The last chapter ends"]),
        ([GOOD[0]._replace(end=10.2), GOOD[1]], 20, ["Chapter 1 ends at"]),
        ([GOOD[0]._replace(end=10.01), GOOD[1]], 20, []),
        ([GOOD[0]._replace(title=""), GOOD[1]], 20, ["Chapter 1 has no title"]),
        ([GOOD[0], ChapterMark("a", 10, 20)], 20, ["2 chapters are called “a”"]),
        ([*GOOD, ChapterMark("c", 20, 20.09)], 20.09, ["Chapter 3 is shorter"]),
    ],
)
def test_faults_of_chapters(chapters: list[ChapterMark], seconds: float, words: list[str]) -> None:
    found = list(chapter_faults(chapters, seconds))
    assert len(found) == len(words)
    assert all(word in fault for word, fault in zip(words, found, strict=True))


@pytest.mark.parametrize(("count", "nero", "faulty"), [(255, True, False), (256, True, True), (256, False, False)])
def test_a_nero_list_that_is_too_short(count: int, nero: bool, faulty: bool) -> None:
    chapters = [ChapterMark(str(number), number, number + 1) for number in range(count)]
    assert bool(list(chapter_faults(chapters, count, nero=nero))) == faulty


@pytest.mark.parametrize(
    ("heard", "count"),
    [
        (Heard(10, -19, -3, ()), 0),
        (Heard(10, -24, -3, ()), 0),
        (Heard(10, -24.1, -3, ()), 1),
        (Heard(10, -15.9, -3, ()), 1),
        (Heard(10, -19, 0.0, ()), 1),
        (Heard(10, None, None, ()), 1),
        (Heard(40 * 3600 + 1, -19, -3, ()), 1),
        (Heard(60, -19, -3, ((1, 6), (20, 7))), 2),
    ],
)
def test_faults_of_sound(heard: Heard, count: int) -> None:
    assert len(list(sound_faults(heard))) == count


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12), st.integers(1, 13))
def test_silences_are_found_however_the_sound_is_cut(runs: list[tuple[bool, int]], step: int) -> None:
    """At two samples a second, a long silence has more than ten samples."""
    levels = np.array([float(loud) for loud, length in runs for _ in range(length)], dtype=np.float32)
    quiet = Quiet(2)
    for start in range(0, len(levels), step):
        quiet.add(levels[start : start + step])
    text = "".join("x" if level else " " for level in levels)
    places = [(text.index(run, at), len(run)) for at, run in _runs(text) if len(run) > 10]
    assert quiet.long() == tuple((start / 2, length / 2) for start, length in places)


def _runs(text: str) -> list[tuple[int, str]]:
    found, at = [], 0
    for run in text.split("x"):
        found.append((at, run))
        at += len(run) + 1
    return found


def test_the_command_tells_faults_by_its_exit_code(tmp_path: Path) -> None:
    write(tmp_path / "good.m4b", hum(2), hum(2))
    write(tmp_path / "bad.m4b", hum(2), hum(2), about=About())
    codes = {"good.m4b": 0, "bad.m4b": 3, "missing.m4b": 2}
    for name, code in codes.items():
        command = [sys.executable, "-m", "narrate", "inspect", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == code, done.stderr
        assert ("fault: It has no cover." in done.stdout) == (code == 3)
        assert ("chapters  2" in done.stdout) == (code != 2)
