"""A library at once: the next book begins while the last chunks of one are made, and each file is as if made alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.served import until
from tests.terminal import terminal, wait_until
from tests.test_books import sounds, text_of
from tests.test_cli import narrate

TITLES = ("One", "Two", "Three", "Four", "Five", "Six")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Six short books."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for number, title in enumerate(TITLES, 1):
        text = "\n\n".join(text_of(title).split("\n\n")[: 6 + number])
        (folder / f"{number}.md").write_text(f"---\ntitle: {title}\n---\n\n{text}\n")
    return folder


def alone(engine: str, shelf: Path, folder: Path) -> dict[str, bytes]:
    """What each becomes by itself."""
    out = folder / "alone"
    out.mkdir()
    for number, title in enumerate(TITLES, 1):
        done = narrate(shelf / f"{number}.md", "-e", engine, "--no-store", "-q", "-o", out / f"{title}.wav")
        assert done.returncode == 0, done.stderr
    return sounds(out)


def running(shelf: Path, out: Path, engine: str, *options: str, stderr: int | IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "narrate", shelf, "-e", engine, "-o", f"{out}/{{title}}.wav", *options]
    return subprocess.Popen(list(map(str, command)), stderr=stderr)


def begun(out: Path) -> list[str]:
    """The titles of the files that are being written."""
    return [path.name.split(".")[1] for path in out.glob(".*.part*")]


def test_the_next_book_begins_before_the_last_chunks_of_one_are_made(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = running(shelf, out, "tone:rtf=0.2", "-q", stderr=subprocess.DEVNULL)
    try:
        until(lambda: {"One", "Two"} <= set(begun(out)))
        assert "Three" not in begun(out), "books that the engine has no place for are not begun"
        until((out / "One.wav").is_file)
        assert not (out / "Two.wav").exists(), "what comes first is finished first"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("engine", ["tone", "pool:2*tone", "tone-stream:slots=3"])
def test_every_file_is_as_if_it_were_made_alone(engine: str, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = narrate(shelf, "-e", engine, "--no-store", "-o", f"{out}/{{title}}.wav")
    assert done.returncode == 0, done.stderr
    assert "6 books: 6 written." in done.stderr
    assert sounds(out) == alone(engine, shelf, tmp_path)


def test_books_that_are_broken_off_together_leave_nothing_half_and_are_taken_up_again(
    shelf: Path, tmp_path: Path
) -> None:
    out, said = tmp_path / "out", tmp_path / "said.txt"
    with said.open("wb") as stderr:
        process = running(shelf, out, "tone:rtf=0.2", stderr=stderr)
        until(lambda: {"One", "Two"} <= set(begun(out)))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, said.read_text()
    assert "1 of 6 · One: Stopped " in said.read_text("utf-8")
    assert "2 of 6 · Two: Stopped " in said.read_text("utf-8")
    assert not begun(out)
    assert narrate(shelf, "-e", "tone", "-o", f"{out}/{{title}}.wav").returncode == 0
    assert sounds(out) == alone("tone", shelf, tmp_path)


def test_a_book_that_needs_another_engine_waits_for_those_before_it(tmp_path: Path) -> None:
    shelf, out = tmp_path / "shelf", tmp_path / "out"
    shelf.mkdir()
    (shelf / "1.md").write_text(text_of("One"))
    (shelf / "2.md").write_text("雨が降っていた。\n\n猫は窓の外を見ていた。\n")
    (shelf / "3.md").write_text(text_of("Three"))
    done = narrate(shelf, "--no-store", "-o", f"{out}/{{name}}.wav")
    assert done.returncode == 0, done.stderr
    assert "3 books: 3 written." in done.stderr
    for number in (1, 2, 3):
        single = tmp_path / f"{number}.wav"
        assert narrate(shelf / f"{number}.md", "--no-store", "-o", single).returncode == 0
        assert single.read_bytes() == (out / f"{number}.wav").read_bytes()


def test_what_one_book_lacks_does_not_keep_the_others_from_being_written(shelf: Path, tmp_path: Path) -> None:
    """A chunk that cannot be spoken is silence, and the exit code says so; a book that cannot be opened is left out."""
    (shelf / "2.md").write_bytes(b"")
    done = narrate(shelf, "-e", "tone:fail=3", "--no-store", "-o", f"{tmp_path / 'out'}/{{title}}.wav")
    assert done.returncode == 2
    assert "6 books: 5 written, 1 could not be read" in done.stderr
    assert "not spoken, silence in its place" in done.stderr


def test_the_screen_shows_all_books_that_are_being_written(shelf: Path, tmp_path: Path) -> None:
    output = f"{tmp_path / 'out'}/{{title}}.wav"
    command = [sys.executable, "-m", "narrate", str(shelf), "-e", "tone:rtf=0.2", "-o", output]
    with terminal(command, os.environ) as window:
        both = re.compile(r"^1 of 6 · One +tone · en\n(.*\n)*2 of 6 · Two · \d+%$", re.MULTILINE)
        wait_until(lambda: both.search(window.visible()), "both books, one below the other")
