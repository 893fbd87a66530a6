"""Several books: found in folders, read one after the other, each into a file, broken off and taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from narrate.errors import InputError
from narrate.terminal.books import find_books
from tests.test_cli import STORY, assert_one_line, narrate


def text_of(name: str) -> str:
    sentences = (f"This is sentence {number} of the story of {name}, and it is not short." for number in range(1, 25))
    return "\n\n".join(sentences)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Three books, and things that are none."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in ("volume 2", "volume 10", "Alpha"):
        (folder / f"{name}.md").write_text(f"---\ntitle: {name.title()}\nauthor: A. N. Other\n---\n\n{text_of(name)}\n")
    (folder / "volume 2.srt").touch()
    (folder / ".hidden.txt").touch()
    (folder / "inner").mkdir()
    return folder


def sounds(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_books_of_a_folder_in_the_order_people_count(shelf: Path) -> None:
    found = find_books([str(STORY), str(shelf), "https://host/page"])
    names = [Path(name).name for name in found]
    assert names == [STORY.name, "Alpha.md", "volume 2.md", "volume 10.md", "page"]
    with pytest.raises(InputError, match="no book in this folder"):
        find_books([str(shelf / "inner")])


def test_a_folder_becomes_a_file_for_each_book(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = narrate(shelf, "-e", "tone", "-o", f"{out}/{{author}} - {{title}}.flac")
    assert done.returncode == 0, done.stderr
    names = [f"A. N. Other - {title}.flac" for title in ("Alpha", "Volume 10", "Volume 2")]
    assert sorted(sounds(out)) == names
    assert "3 books: 3 written." in done.stderr
    single = tmp_path / "single.flac"
    assert narrate(shelf / "volume 10.md", "-e", "tone", "-o", single).returncode == 0
    assert soundfile.read(single)[0].tobytes() == soundfile.read(out / names[1])[0].tobytes(), "as if read alone"


def test_an_interrupted_run_is_taken_up_where_it_was(shelf: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert narrate(shelf, "-e", "tone", "--no-store", "-q", "-o", f"{whole}/{{title}}.wav").returncode == 0
    command = [sys.executable, "-m", "narrate", shelf, "-e", "tone:rtf=0.05", "-o", f"{out}/{{title}}.wav"]
    running = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not ((out / "Alpha.wav").exists() and list(out.glob(".Volume 2.part*"))):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    first = (out / "Alpha.wav").stat()
    assert list(sounds(out)) == ["Alpha.wav"], "no half file is left"
    again = narrate(shelf, "-e", "tone", "-o", f"{out}/{{title}}.wav")
    assert again.returncode == 0, again.stderr
    assert "3 books: 2 written, 1 there already." in again.stderr
    assert (out / "Alpha.wav").stat().st_ino == first.st_ino, "what was finished is left as it is"
    assert sounds(out) == sounds(whole)


def test_folders_of_chapters_that_were_interrupted_are_taken_up_too(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["-e", "tone", "--split", "chapter", "-o", f"{out}/{{title}}.mp3"]
    assert narrate(shelf, *options).returncode == 0
    (out / "Alpha" / "Alpha.m3u8").unlink()  # it is written last
    (out / "Volume 2" / "Volume 2.m3u8").unlink()
    (out / "Volume 2" / "mine.txt").touch()
    again = narrate(shelf, *options)
    assert again.returncode == 2
    assert "1 written, 1 there already, 1 could not be read" in again.stderr
    assert (out / "Alpha" / "Alpha.m3u8").is_file()
    assert "Volume 2 is not empty" in again.stderr, "somebody's own files are not replaced"


def test_a_book_that_cannot_be_read_keeps_no_other_from_being_read(shelf: Path, tmp_path: Path) -> None:
    (shelf / "Beta.epub").write_bytes(b"PK\x03\x04 cut short")
    done = narrate(shelf, "-e", "tone", "-o", f"{tmp_path / 'out'}/")
    assert_one_line(done, 2, "Beta.epub", "damaged")
    assert sorted(sounds(tmp_path / "out")) == ["Alpha.m4b", "volume 10.m4b", "volume 2.m4b"]
    assert "4 books: 3 written, 1 could not be read" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "one.wav"], "Several books need a file each"),
        (["-o", "-"], "Several books need a file each"),
        (["-", "-o", "out/"], "Standard input cannot be one of several books"),
        (["-o", "{writer}.wav"], "no field {writer}"),
    ],
)
def test_what_several_books_cannot_be(shelf: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    done = narrate(shelf, "-e", "tone", *arguments, cwd=tmp_path)
    assert_one_line(done, 2, words)
    assert os.listdir(tmp_path) == ["shelf"]


def test_one_engine_reads_all_books_of_a_language(shelf: Path, tmp_path: Path) -> None:
    """It is chosen and named once, though three books are read."""
    done = narrate(shelf, "-o", f"{tmp_path / 'out'}/{{name}}.wav", "--no-store")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Voice: ") == 1
    alone = narrate(shelf / "volume 10.md", "-o", tmp_path / "alone.wav", "--no-store")
    assert alone.returncode == 0
    assert (tmp_path / "out" / "volume 10.wav").read_bytes() == (tmp_path / "alone.wav").read_bytes()
