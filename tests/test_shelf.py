"""The books that were read: the last one, one by its number, one that is forgotten, and one whose text was changed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from narrate.cli.books import QUESTION
from narrate.cli.main import run
from narrate.cli.shelf import forget_book, with_book_of_the_list
from narrate.errors import InputError
from narrate.playback.bookmark import Bookmarks, Place
from narrate.text.book import BookId
from tests.recorded import alsa_recorder
from tests.terminal import Terminal, terminal, wait_until
from tests.test_cli import assert_one_line, narrate

TEXT = "The lamp was lit before noon. " * 8


def place(fraction: float) -> Place:
    return Place(10, 20, 1, "One", fraction, "The lamp was lit before noon.")


@pytest.fixture
def shelf(home: Path, tmp_path: Path) -> Bookmarks:
    """Three books; the last was heard to its end, and the one before it stands in the middle."""
    bookmarks = Bookmarks(home / "places")
    for title, fraction in (("First", 0.2), ("Second", 0.5), ("Third", 1.0)):
        path = tmp_path / f"{title}.txt"
        path.write_text(TEXT + title)
        bookmarks.save(BookId(f"b2:{title.lower()}", str(path), title), place(fraction), lasting=True)
    return bookmarks


def test_no_argument_is_the_book_that_was_heard_last_and_not_to_its_end(shelf: Bookmarks, tmp_path: Path) -> None:
    assert with_book_of_the_list([]) == [str(tmp_path / "Second.txt")]


def test_without_a_book_no_argument_is_a_wish_for_help(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert with_book_of_the_list([]) == []
    assert run([]) == 0
    assert "Usage: narrate" in capsys.readouterr().out


def test_a_number_is_a_book_of_the_list(shelf: Bookmarks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_book_of_the_list(["3", "--from", "2"]) == [str(tmp_path / "First.txt"), "--from", "2"]
    assert with_book_of_the_list(["Third.txt"]) == ["Third.txt"]
    with pytest.raises(InputError, match="no book 4 in the list; `narrate books` shows 1 to 3"):
        with_book_of_the_list(["4"])
    (tmp_path / "3").touch()
    monkeypatch.chdir(tmp_path)
    assert with_book_of_the_list(["3"]) == ["3"], "a file of that name goes first"


def books_at_a_terminal(shell: str, more: Mapping[str, str]) -> AbstractContextManager[Terminal]:
    command = f"{sys.executable} -m narrate books {shell}"
    return terminal(["sh", "-c", command], {**os.environ, "NARRATE_ENGINE": "tone", **more})


def test_at_a_terminal_a_book_of_the_list_can_be_opened(shelf: Bookmarks, tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=False)
    with books_at_a_terminal("", recorder.env) as window:
        wait_until(lambda: QUESTION.strip() in window.screen(), "the question")
        for typed, answer in (("first", "Type one of the numbers"), ("4", "no book 4 in the list")):
            window.press(typed, "Enter")
            wait_until(lambda answer=answer: answer in " ".join(window.screen().split()), answer)
        window.press("3", "Enter")
        assert window.exit_code() == 0
        assert "Heard 0:" in window.screen()
    assert shelf.books()[0].book.title == "First", "it was read last"


@pytest.mark.parametrize("keys", [["Enter"], ["C-d"]])
def test_the_list_can_be_left(keys: list[str], shelf: Bookmarks) -> None:
    with books_at_a_terminal("", {}) as window:
        wait_until(lambda: QUESTION.strip() in window.screen(), "the question")
        window.press(*keys)
        assert window.exit_code() == 0
        assert "Heard" not in window.screen()


@pytest.mark.parametrize("shell", ["| cat", "< /dev/null", "--forget Second"])
def test_nobody_is_asked_who_cannot_answer(shell: str, shelf: Bookmarks) -> None:
    with books_at_a_terminal(shell, {}) as window:
        assert window.exit_code() == 0
        assert QUESTION.strip() not in window.screen()


def test_a_book_from_standard_input_cannot_be_opened_again(home: Path) -> None:
    Bookmarks(home / "places").save(BookId("b2:piped", "", "a pipe"), place(0.5), lasting=True)
    assert with_book_of_the_list([]) == []
    with pytest.raises(InputError, match="standard input"):
        with_book_of_the_list(["1"])


@pytest.mark.parametrize("named", ["2", "second", "Second.txt"])
def test_forgetting_by_number_title_and_path(
    shelf: Bookmarks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert forget_book(named) == "Second"
    assert [reading.book.title for reading in shelf.books()] == ["Third", "First"]


def test_what_cannot_be_forgotten_is_said(shelf: Bookmarks) -> None:
    with pytest.raises(InputError, match="several books 'ir' in the list"):
        forget_book("ir")
    with pytest.raises(InputError, match="no book 'Fourth' in the list"):
        forget_book("Fourth")


def test_a_book_whose_text_was_changed_is_one_book(shelf: Bookmarks, tmp_path: Path) -> None:
    """Also when the new text was only written to a file, so that no place was looked for in it."""
    path = str(tmp_path / "First.txt")
    shelf.meet(BookId("b2:changed", path, "First"))
    books = shelf.books()
    assert [reading.book.title for reading in books] == ["First", "Third", "Second"]
    assert books[0].place is not None
    assert books[0].place.fraction == 0.2
    assert len(shelf.texts()) == 4
    forget_book("1")
    assert [reading.book.title for reading in shelf.texts()] == ["Third", "Second"]


def test_the_list_and_the_command(tmp_path: Path) -> None:
    """An edited book, read again: one line in the list of books and one in that of the store."""
    book = tmp_path / "book.txt"
    for text in (TEXT, TEXT + "\n\nAnd it was put out after midnight.\n"):
        book.write_text(text)
        assert narrate(book, "-e", "tone", "-o", tmp_path / "book.wav", "--force").returncode == 0
    listed = narrate("books").stdout.splitlines()
    assert listed[0].split() == ["NO", "READ", "LAST", "STORED", "BOOK"]
    assert [line.split()[0] for line in listed[1:] if re.match(r" +\d+ ", line)] == ["1"]
    stored = narrate("store").stdout.splitlines()
    assert [line.split()[-1] for line in stored if line.endswith(" book")] == ["book"]
    done = narrate("1", "-e", "tone", "-o", tmp_path / "again.wav")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "book.wav").read_bytes()
    assert narrate("books", "--forget", "1").stdout.startswith("Forgotten: book.")
    assert "Nothing was read yet" in narrate("books").stderr
    assert_one_line(narrate("books", "--forget", "1"), 2, "none was read so far")
