"""Names for the files of several books: folders and patterns, and what a title may bring along."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.errors import InputError
from narrate.reading.export import FileOptions
from narrate.sinks.about import About
from narrate.terminal.naming import Naming, check_patterns, has_patterns
from narrate.text.book import Book, TextOptions
from narrate.text.document import Document, Edition

NO_EDITION = Edition()


def a_book(
    title: str = "The Bell", author: str = "Ann O.", name: str = "bell.txt", edition: Edition = NO_EDITION
) -> Book:
    document = Document(title, author, "en", (), "", edition=edition)
    return Book(name, "en", TextOptions(), document, Path("/shelf") / name)


def names(patterns: list[str], book: Book | None = None, **options: object) -> list[str]:
    files = FileOptions(tuple(patterns), **options)  # type: ignore[arg-type]
    return list(Naming().files_for(files, book or a_book(), 3, 12).outputs)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{author} - {title}.m4b", "Ann O - The Bell.m4b"),
        ("{number} {name}.opus", "03 bell.opus"),
        ("{series} {part} {language}.mp3", "Bells 2 en.mp3"),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, name: str) -> None:
    book = a_book(edition=Edition(series="Bells", part="2"))
    assert names([f"{tmp_path}/{pattern}"], book) == [f"{tmp_path}/{name}"]


def test_folders_hold_a_file_named_as_the_text_is(tmp_path: Path) -> None:
    assert names([f"{tmp_path}/new/"]) == [f"{tmp_path}/new/bell.m4b"]
    assert (tmp_path / "new").is_dir()
    assert names([str(tmp_path)]) == [f"{tmp_path}/bell.m4b"]
    assert names([f"{tmp_path}/{{author}}/{{title}}.m4b"]) == [f"{tmp_path}/Ann O/The Bell.m4b"]


def test_what_the_listener_says_of_the_book_counts(tmp_path: Path) -> None:
    about = About(title="Mine", author="Me")
    assert names([f"{tmp_path}/{{author}} - {{title}}.m4b"], about=about) == [f"{tmp_path}/Me - Mine.m4b"]


def test_what_is_not_known_is_said_to_be_unknown(tmp_path: Path) -> None:
    assert names([f"{tmp_path}/{{author}}.m4b"], a_book(author="")) == [f"{tmp_path}/unknown.m4b"]


def test_books_of_one_name_get_files_of_their_own(tmp_path: Path) -> None:
    naming, files = Naming(), FileOptions((f"{tmp_path}/{{title}}.m4b",))
    given = [naming.files_for(files, a_book(), number, 3).outputs[0] for number in (1, 2, 3)]
    assert [Path(name).name for name in given] == ["The Bell.m4b", "The Bell (2).m4b", "The Bell (3).m4b"]


def test_ordinary_names_stay_as_they_are() -> None:
    for outputs in (("book.wav",), ("-",), ()):
        assert not has_patterns(FileOptions(outputs))
        assert names(list(outputs)) == list(outputs)


@pytest.mark.parametrize(
    ("pattern", "words"), [("{writer}.m4b", "no field {writer}"), ("{}.m4b", "no field {}"), ("{title}", "a suffix")]
)
def test_wrong_patterns_are_said_before_anything_is_opened(pattern: str, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("{", r"\{").replace("}", r"\}")):
        check_patterns(FileOptions((pattern,)))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        names([f"{tmp_path}/file/{{title}}.m4b"])


@given(st.text(max_size=300))
def test_no_title_leads_out_of_the_folder_or_makes_a_name_that_cannot_be(title: str) -> None:
    facts_of = a_book(title=title)
    (name,) = Naming().files_for(FileOptions(("{title}.wav",)), facts_of, 1, 1).outputs
    assert os.path.basename(name) == name
    assert name.endswith(".wav")
    assert not name.startswith(".")
    assert len(name.encode("utf-8", "surrogatepass")) < 255
