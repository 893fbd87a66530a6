"""Where a reading begins: a chapter, a mark, a time; exact where the takes are known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Samples
from narrate.errors import InputError
from narrate.pipeline import LazyList
from narrate.playback.bookmark import Mark, Place
from narrate.playback.start import chunk_at, find_start
from narrate.text.document import Chunk
from tests.killed import novel
from tests.speech import chunks

SCRIPT = chunks(150)  # three chapters of fifty


def a_script() -> LazyList[Chunk]:
    return LazyList(SCRIPT)


@pytest.mark.parametrize(("start", "place"), [("1", 0), ("3", 100), ("chapter 2", 50), ("ter 3", 100)])
def test_a_chapter_by_number_or_title(start: str, place: int) -> None:
    assert find_start(a_script(), start) == place


def test_chapters_without_titles() -> None:
    assert find_start(LazyList([replace(chunk, title="") for chunk in SCRIPT]), "2") == 50


def test_a_marked_sentence() -> None:
    place = Place(SCRIPT[77].start, SCRIPT[77].end, 2, "Two", 0.5, SCRIPT[77].text)
    marks = [Mark("the lamp", 0.0, place)]
    assert find_start(a_script(), "LAMP", marks=marks) == 77
    assert find_start(a_script(), "chapter 2", marks=marks) == 50


@pytest.mark.parametrize("start", ["4", "no such thing", "9:59:59"])
def test_what_is_not_there_is_said(start: str) -> None:
    with pytest.raises(InputError, match=f"no chapter '{start}'|over before {start}"):
        find_start(a_script(), start)


@given(st.floats(0, 1, exclude_max=True), st.sampled_from([0.5, 1.0, 2.0]), st.data())
def test_a_time_is_exact_where_the_lengths_are_known(share: float, speed: float, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.floats(0.1, 60), min_size=len(SCRIPT), max_size=len(SCRIPT)))
    ends = np.cumsum([(length + chunk.pause) / speed for length, chunk in zip(lengths, SCRIPT, strict=True)])
    seconds = int(share * ends[-1])
    start = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    found = find_start(a_script(), start, known=lambda chunk: lengths[chunk.index], speed=speed)
    assert (ends[found - 1] if found else 0.0) <= seconds + 1e-6
    assert seconds <= ends[found] + 1e-6


def test_the_chunk_at_a_place_of_the_text() -> None:
    assert [chunk_at(a_script(), at) for at in (0, 110, 199, 14_900, 10**6)] == [0, 1, 2, 149, 0]


def test_an_export_from_a_chapter_and_from_a_time_is_the_rest_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text(novel(60))
    whole, chapter, later = (_exported(tmp_path, *start) for start in ([], ["--from", "CHAPTER 2"], ["--from", "1:20"]))
    for rest in (chapter, later):
        assert 0 < len(rest) < len(whole)
        assert np.array_equal(rest, whole[-len(rest) :])
    begin = (len(whole) - len(later)) / 8000
    assert 60 < begin <= 80, "the sentence that sounds at 1:20"


def _exported(folder: Path, *start: str) -> Samples:
    command = [
        sys.executable,
        "-m",
        "narrate",
        "novel.txt",
        "-e",
        "tone:rate=8000",
        "-o",
        "book.wav",
        "--force",
        *start,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return np.asarray(soundfile.read(folder / "book.wav", dtype="float32")[0], dtype=np.float32)
