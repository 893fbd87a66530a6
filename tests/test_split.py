"""A folder with a file for each chapter: names that every system takes, tags that libraries sort by, a playlist."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.clip import Clip
from narrate.pace import chunk_seconds
from narrate.reading.export import FileOptions, length_warning
from narrate.sinks import Sink, open_sink
from narrate.sinks.about import About
from narrate.sinks.split import LONGER, Content, Split, SplitFiles, distinct, file_name
from narrate.text.book import TextOptions, book_of_text
from tests.speech import a_chunk
from tests.test_audiobook import probe

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
BOOK = About("The Book", "A", "en")
CONTENTS = [Content(0, "Before"), Content(1, "One"), Content(2, "Two")]


def open_file(path: Path, sample_rate: int, about: About) -> Sink:
    return open_sink(path, sample_rate, about=about)


def write(sink: Sink, chapters: Sequence[tuple[int, str] | Content]) -> None:
    """Two chunks a chapter, together as many thousand samples as its number and two more."""
    for index, (number, title, *_) in enumerate(chapters):
        for half in range(2):
            chunk = replace(a_chunk(2 * index + half), chapter=number, title=title)
            sink.begin(chunk)
            sink.write(Clip(chunk, np.full(500 * (number + 2), 0.1, dtype=np.float32), RATE))


def split(folder: Path, contents: list[Content], suffix: str = ".wav", where: Split | None = None) -> SplitFiles:
    return SplitFiles(folder, suffix, RATE, BOOK, contents, open_file, split=where or Split())


def test_each_chapter_has_its_file_and_the_playlist_its_length(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    with split(folder, CONTENTS) as sink:
        write(sink, CONTENTS)
    names = ["001 - Before.wav", "002 - One.wav", "003 - Two.wav"]
    assert sorted(os.listdir(folder)) == [*names, "book.m3u8"]
    assert [soundfile.info(folder / name).frames for name in names] == [2000, 3000, 4000]
    assert (folder / "book.m3u8").read_text(encoding="utf-8") == (
        "#EXTM3U\n#EXTINF:0.250,Before\n001 - Before.wav\n#EXTINF:0.375,One\n002 - One.wav\n"
        "#EXTINF:0.500,Two\n003 - Two.wav\n"
    )


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not here (apt install ffmpeg)")
@pytest.mark.parametrize("suffix", [".mp3", ".m4b", ".flac", ".wav"])
def test_a_file_says_which_chapter_of_which_book_it_is(tmp_path: Path, suffix: str) -> None:
    with split(tmp_path / "book", CONTENTS, suffix) as sink:
        write(sink, CONTENTS)
    found = probe(tmp_path / "book" / f"002 - One{suffix}")
    tags = {name.lower(): value for name, value in found["format"]["tags"].items()}
    assert (tags["title"], tags["album"], tags["track"], tags["artist"]) == ("One", "The Book", "2/3", "A")
    assert found["chapters"] == []


def frames(folder: Path) -> dict[str, int]:
    return {name: soundfile.info(folder / name).frames for name in sorted(os.listdir(folder)) if name.endswith(".wav")}


def test_files_of_some_hours_end_before_the_chapter_that_is_too_much(tmp_path: Path) -> None:
    """Chunks here are shorter than their text lets expect, which is known from the second chapter on."""
    contents = [Content(number, f"C{number}", 1.0) for number in range(1, 7)]
    expected = chunk_seconds(a_chunk(0)) * LONGER + a_chunk(0).pause
    limit = 1.25 + expected
    with split(tmp_path / "b", contents, where=Split(chapters=False, most_seconds=limit)) as sink:
        for index, content in enumerate(contents):
            for half in range(2):
                chunk = replace(a_chunk(2 * index + half), chapter=content.number, title=content.title)
                sink.begin(chunk)
                sink.write(Clip(chunk, np.full(RATE // 4, 0.1, dtype=np.float32), RATE))
    found = frames(tmp_path / "b")
    assert list(found) == [f"00{number} - The Book.wav" for number in range(1, len(found) + 1)]
    assert sum(found.values()) == 6 * RATE // 2, "nothing is lost"
    assert all(length <= limit * RATE for length in found.values())
    assert all(length % (RATE // 2) == 0 for length in found.values()), "only whole chapters"
    assert 1 < len(found) < 6


def test_a_chapter_that_is_too_long_goes_on_in_another_file(tmp_path: Path) -> None:
    with split(tmp_path / "b", CONTENTS, where=Split(most_seconds=0.2)) as sink:
        write(sink, CONTENTS)
    assert list(frames(tmp_path / "b")) == [
        "001 - Before.wav", "001-2 - Before.wav", "002 - One.wav", "002-2 - One.wav", "003 - Two.wav",
        "003-2 - Two.wav",
    ]  # fmt: skip
    assert "#EXTINF:0.125,Before (2)\n001-2 - Before.wav" in (tmp_path / "b" / "b.m3u8").read_text()


@given(st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=5), min_size=1, max_size=6), st.integers(1, 100))
@settings(deadline=None, max_examples=60)
def test_split_or_not_every_sample_is_there_once(lengths: list[list[int]], most: int) -> None:
    contents = [Content(number, f"C{number}", sum(row) / 100) for number, row in enumerate(lengths, 1)]
    written: list[list[int]] = []

    class Kept(Sink):
        def __enter__(self) -> Self:
            written.append([])
            return self

        def write(self, clip: Clip) -> None:
            written[-1].append(len(clip.samples))

    with tempfile.TemporaryDirectory() as folder:
        where = Split(chapters=False, most_seconds=most / 100)
        with SplitFiles(
            Path(folder), ".wav", 100, BOOK, contents, lambda *_: Kept(), playlist=False, split=where
        ) as sink:
            index = 0
            for number, row in enumerate(lengths, 1):
                for length in row:
                    chunk = replace(a_chunk(index), chapter=number)
                    sink.begin(chunk)
                    sink.write(Clip(chunk, np.zeros(length, dtype=np.float32), 100))
                    index += 1
    assert [length for file in written for length in file] == [length for row in lengths for length in row]
    assert all(written)


def test_a_reading_that_begins_later_keeps_the_numbers(tmp_path: Path) -> None:
    with split(tmp_path / "book", CONTENTS) as sink:
        write(sink, CONTENTS[2:])
    assert sorted(os.listdir(tmp_path / "book")) == ["003 - Two.wav", "book.m3u8"]


def test_text_without_known_contents_counts_its_chapters(tmp_path: Path) -> None:
    with split(tmp_path / "book", []) as sink:
        write(sink, [(1, "One"), (2, "")])
    assert sorted(os.listdir(tmp_path / "book")) == ["001 - One.wav", "002.wav", "book.m3u8"]


def test_what_is_broken_off_leaves_the_chapters_before_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), split(tmp_path / "book", CONTENTS) as sink:
        write(sink, CONTENTS[:2])
        raise KeyboardInterrupt
    assert os.listdir(tmp_path / "book") == ["001 - Before.wav"]


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (["One", "Two"], ["One", "Two"]),
        (["一", "二", "一"], ["1. 一", "2. 二", "3. 一"]),
        (["One", ""], ["1. One", "2"]),
        (["The Book", "Two"], ["1. The Book", "2. Two"]),
        (["a\n b"], ["a b"]),
    ],
)
def test_titles_all_differ_or_all_have_numbers(titles: list[str], expected: list[str]) -> None:
    assert distinct(titles, "The Book") == expected


@given(st.lists(st.text(max_size=5), max_size=20), st.text(max_size=5))
def test_no_two_titles_are_alike(titles: list[str], book: str) -> None:
    found = distinct(titles, book)
    assert len(set(found)) == len(titles)
    assert all(found)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("One", "003 - One.mp3"),
        ("3. 一", "003 - 一.mp3"),
        ("30. x", "003 - 30. x.mp3"),
        ("3", "003.mp3"),
        ('A/B: "C"?', "003 - A B C.mp3"),
        ("..", "003.mp3"),
    ],
)
def test_names_are_ones_that_every_system_takes(title: str, name: str) -> None:
    assert file_name(3, title, ".mp3") == name


@given(st.integers(1, 5000), st.text(max_size=300))
def test_any_title_makes_a_name_that_fits(number: int, title: str) -> None:
    name = file_name(number, title, ".opus")
    assert name.startswith(f"{number:03}")
    assert len(name.encode("utf-8", "surrogatepass")) <= 255
    assert not set('/\\:*?"<>|\n\0') & set(name)


@pytest.mark.parametrize(
    ("outputs", "where", "speed", "sentences", "warned"),
    [
        (("a.m4b",), None, 1.0, 30_000, True),
        (("a.wav", "a.m4a"), None, 1.0, 30_000, True),
        (("a.m4b",), None, 2.0, 30_000, False),
        (("a.m4b",), None, 1.0, 28_000, False),
        (("a.mp3",), None, 1.0, 30_000, False),
        (("a.m4b",), Split(chapters=False, most_seconds=7200), 1.0, 30_000, False),
    ],
)
def test_a_file_that_many_players_would_not_play_to_the_end_is_warned_of(
    outputs: tuple[str, ...], where: Split | None, speed: float, sentences: int, warned: bool
) -> None:
    """One of these sentences is expected to sound for 5.07 s: 30,000 of them for 42.2 hours, 28,000 for 39.4."""
    text = "\n\n".join(["今日は好い天気であるから散歩に出かけることにした。そして犬に会った。"] * sentences)
    book = book_of_text(text, TextOptions(language="ja"))
    found = length_warning(FileOptions(outputs=outputs, split=where), book, speed)
    assert (found is not None) == warned
    if found is not None:
        assert "about 4" in found
        assert "--split 10h" in found


narrate = partial(subprocess.run, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
MARKDOWN = "# Book\n\n" + "\n\n".join(f"## Chapter {number}\n\nA short sentence." for number in range(1, 4))


def test_the_command_makes_a_folder_and_does_not_write_into_a_full_one(tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text(MARKDOWN, encoding="utf-8")
    command = [sys.executable, "-m", "narrate", str(tmp_path / "book.md"), "-e", f"tone:rate={RATE}"]
    command += ["-o", str(tmp_path / "out.mp3"), "--split", "chapter", "--subtitles", "srt"]
    done = narrate(command)
    assert done.returncode == 0, done.stderr
    assert f"Wrote {tmp_path / 'out'}/:" in done.stderr
    numbered = [f"00{number} - Chapter {number}" for number in (1, 2, 3)]
    there = sorted([f"{name}.{suffix}" for name in numbered for suffix in ("mp3", "srt")] + ["out.m3u8"])
    assert sorted(os.listdir(tmp_path / "out")) == there
    again = narrate(command)
    assert (again.returncode, "is not empty" in again.stderr) == (2, True)
    assert narrate([*command, "--force"]).returncode == 0
    assert sorted(os.listdir(tmp_path / "out")) == there


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "chapter"], "needs -o"),
        (["-o", "-", "--split", "chapter"], "cannot be split"),
        (["-o", "a.mp3", "--play", "--split", "chapter"], "without --play"),
        (["-o", "a.mp3", "--split", "2"], "--split must be chapter, or hours from 0.1h to 100h, such as 2h"),
        (["-o", "a.mp3", "-o", "a.flac", "--split", "chapter"], "would be written twice"),
    ],
)
def test_what_cannot_be_split_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "book.md").write_text(MARKDOWN, encoding="utf-8")
    placed = [str(tmp_path / argument) if argument.startswith("a.") else argument for argument in arguments]
    done = narrate([sys.executable, "-m", "narrate", str(tmp_path / "book.md"), "-e", "tone", *placed])
    assert (done.returncode, os.listdir(tmp_path)) == (2, ["book.md"])
    assert words in done.stderr
