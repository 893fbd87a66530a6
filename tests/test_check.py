"""`--check` and `narrate check`: what is not said as it is written is named; without a recogniser nothing breaks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import narrate
from narrate.clip import to_int16
from narrate.engines.resample import resampled
from tests.recogniser_stand_in import checksum

STAND_IN = Path(__file__).with_name("recogniser_stand_in.py")
TEXT = """CHAPTER 1

The lamp stood by the window of the old house. A gull cried over the harbour in the rain.

CHAPTER 2

The sailor folded the letter and put it away. Nobody had seen the lantern go out that night.
"""
WRONG = "A gull cried over the harbour in the rain."


Done = subprocess.CompletedProcess[str]
WITHOUT_PACKAGES = (
    "import sys; from narrate.checking import recogniser; recogniser.find_spec = lambda name: None\n"
    "from narrate.cli.main import run; sys.exit(run(sys.argv[1:]))"
)


def run(*arguments: object, code: int = 0, program: tuple[str, ...] = ("-m", "narrate")) -> Done:
    command = [sys.executable, *program, *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT)
    return path


def recogniser(book: Path, mode: str = "hear", **otherwise: str) -> str:
    """A command that hears of every sentence of the book what is written, but for those that it hears otherwise."""
    heard = {}
    for clip in narrate.read(book, engine="espeak"):
        if not clip.pause:
            data = to_int16(resampled(clip.samples, clip.sample_rate, 16_000)).astype("<i2").tobytes()
            heard[checksum(data)] = otherwise.get(re.sub(r"\W", "", clip.chunk.text), clip.chunk.spoken)
    table = book.with_name("heard.json")
    table.write_text(json.dumps(heard))
    return f"{sys.executable} {STAND_IN} {mode} {table}"


def export(book: Path, *options: str, name: str = "book.wav", **how: Any) -> Done:
    return run(book, "-e", "espeak", "-o", book.with_name(name), *options, **how)


def check(book: Path, *options: str, **how: Any) -> Done:
    return run("check", book, "-e", "espeak", *options, **how)


def test_a_book_that_is_said_as_it_is_written(book: Path) -> None:
    said = export(book, "--check", "--recogniser", recogniser(book), "--verbose").stderr
    assert "doubt" not in said
    assert "6 takes checked" in said
    export(book, name="plain.wav")
    assert book.with_name("book.wav").read_bytes() == book.with_name("plain.wav").read_bytes()
    # What was found is kept: nothing is heard again, even if there is nobody to hear it.
    table = check(book, "--recogniser", f"{sys.executable} {STAND_IN} refuse").stdout.splitlines()
    assert [line.split()[:4] for line in table[1:4]] == [["3", "3", "0.0%", "0"]] * 2 + [["6", "6", "0.0%", "0"]]
    assert table[1].endswith("1  CHAPTER 1")


def test_what_is_said_otherwise_is_named_with_what_was_heard(book: Path) -> None:
    hears = recogniser(book, **{re.sub(r"\W", "", WRONG): "a gull cried over"})
    said = export(book, "--check", "--recogniser", hears).stderr
    assert book.with_name("book.wav").exists()
    (line,) = [line for line in said.splitlines() if line.startswith("narrate:")]
    assert f"“{WRONG}”, heard: “a gull cried over”" in line
    assert "is missing at the end" in line
    assert "1 sentence in doubt" in said
    out = check(book, "--recogniser", hears, code=3).stdout
    assert "In doubt:" in out
    assert WRONG in out
    assert "heard: “a gull cried over”" in out
    assert re.search(r"^ *6 +6 +\d+\.\d% +1  all$", out, re.M)


def test_takes_that_were_stored_unchecked_are_checked_later_and_once(book: Path) -> None:
    export(book)
    assert "Not checked" not in check(book, "--recogniser", recogniser(book)).stdout
    wrong = recogniser(book, **{re.sub(r"\W", "", WRONG): "a gull"})
    check(book, "--recogniser", wrong)
    check(book, "--recogniser", wrong, "--again", code=3)


def test_what_has_no_sound_is_not_checked(book: Path) -> None:
    out = check(book, "--recogniser", recogniser(book)).stdout
    assert "Not checked: 6 sentences." in out
    assert re.search(r"^ *6 +0 +– +0  all$", out, re.M)


def test_without_a_recogniser_one_line_says_what_to_install_and_nothing_breaks(book: Path) -> None:
    without = {"program": ("-c", WITHOUT_PACKAGES)}
    lines = [line for line in export(book, "--check", **without).stderr.splitlines() if "pip install" in line]
    assert len(lines) == 1
    assert "Takes are not checked" in lines[0]
    assert book.with_name("book.wav").exists()
    export(book, "--check", "--recogniser", "faster-whisper", name="other.wav", code=2, **without)
    assert "pip install" in check(book, code=2, **without).stderr


@pytest.mark.parametrize("mode", ["refuse", "die"])
def test_a_recogniser_that_fails_breaks_nothing(book: Path, mode: str) -> None:
    failing = f"{sys.executable} {STAND_IN} {mode}"
    said = export(book, "--check", "--recogniser", failing).stderr
    assert said.count("Takes are not checked by hearing any more.") == 1
    export(book, name="plain.wav")
    assert book.with_name("book.wav").read_bytes() == book.with_name("plain.wav").read_bytes()
    assert "recogniser" in check(book, "--recogniser", failing, code=1).stderr


def test_without_a_store_takes_are_checked_as_well(book: Path) -> None:
    hears = recogniser(book, **{re.sub(r"\W", "", WRONG): "a gull"})
    assert "heard: “a gull”" in export(book, "--check", "--recogniser", hears, "--no-store").stderr
    check(book, "--no-store", code=2)


def test_several_takes_are_judged_where_they_are_wanted(book: Path) -> None:
    """To want several is to have them checked; an engine that says everything the same way is asked once."""
    assert "6 takes checked" in export(book, "--takes", "3", "--recogniser", recogniser(book), "--verbose").stderr
    export(book, "--takes", "0", code=2)


def test_several_books_share_a_recogniser(book: Path) -> None:
    other = book.with_name("other.txt")
    other.write_text(TEXT.replace("old house", "new house"))
    hears = recogniser(book)
    said = run(book, other, "-e", "espeak", "-o", f"{book.with_name('made')}/", "--check", "--recogniser", hears).stderr
    assert said.count("may not be said") == 1  # what it was never told
