"""Where the ear stopped: found again in the same book, a moved book, a corrected book; never half written."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.playback.bookmark import Bookmarks, Place, place_of
from narrate.text.book import BookId, book_id
from narrate.text.document import Chapter, Chunk, Document, Paragraph, Span

YES = "“Yes,” said she."


def sentences(count: int) -> list[str]:
    """A book in which every second sentence is the same, and no two of the others are."""
    told = [
        f"In the year {1800 + n} the miller of valley {n * n} sold a cow, a cart and {n} geese." for n in range(count)
    ]
    return [sentence for one in told for sentence in (one, YES)]


def document(source: str, title: str = "The Miller") -> Document:
    return Document(title, "", "en", (Chapter(1, "One", (Paragraph((Span(source, 0, len(source)),)),)),), source)


def chunk(source: str, start: int, end: int) -> Chunk:
    return Chunk(0, 1, "One", source[start:end], source[start:end], "en", 0.3, start, end)


def at_sentence(told: list[str], number: int) -> tuple[Document, Place]:
    """The book of the sentences, and the place of one of them."""
    book = document(" ".join(told))
    start = len(" ".join(told[:number])) + (number > 0)
    return book, place_of(book.source, (0, len(book.source)), chunk(book.source, start, start + len(told[number])))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "places"


def test_a_place_is_found_again_exactly(folder: Path) -> None:
    book, place = at_sentence(sentences(40), 31)
    known = book_id(book, Path("miller.txt"))
    assert Bookmarks(folder).load(known, book.source) is None
    Bookmarks(folder).save(known, place)
    assert Bookmarks(folder).load(known, book.source) == place
    later = at_sentence(sentences(40), 32)[1]
    Bookmarks(folder).save(known, later, lasting=True)
    assert Bookmarks(folder).load(known, book.source) == later
    Bookmarks(folder).save(known, place)
    assert Bookmarks(folder).load(known, book.source) == place
    assert place.sentence == YES
    assert 0 < place.fraction < later.fraction < 1


def test_the_end_of_the_book_is_all_of_it() -> None:
    assert at_sentence(sentences(5), 9)[1].fraction == 1.0


def test_a_moved_book_keeps_its_place(folder: Path) -> None:
    book, place = at_sentence(sentences(40), 31)
    Bookmarks(folder).save(book_id(book, Path("miller.txt")), place)
    moved = book_id(book, Path("shelf/renamed.txt"))
    assert Bookmarks(folder).load(moved, book.source) == place
    Bookmarks(folder).save(moved, place)
    assert [reading.book for reading in Bookmarks(folder).books()] == [moved]


@settings(deadline=None)
@given(
    number=st.integers(0, 79),
    edits=st.lists(st.tuples(st.integers(0, 79), st.sampled_from(["insert", "drop", "respell"])), max_size=6),
)
def test_a_corrected_book_keeps_its_place(
    tmp_path_factory: pytest.TempPathFactory, number: int, edits: list[tuple[int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("places")
    book, place = at_sentence(sentences(40), number)
    Bookmarks(folder).save(book_id(book, Path("miller.txt")), place)

    corrected: list[tuple[str, bool]] = [(told, place == number) for place, told in enumerate(sentences(40))]
    for where, kind in edits:
        if corrected[where % len(corrected)][1] or abs(where - number) < 4:
            continue
        if kind == "drop":
            del corrected[where % len(corrected)]
        elif kind == "insert":
            corrected.insert(where % len(corrected), ("An owl cried.", False))
        else:
            corrected[where % len(corrected)] = ("The miller’s wife laughed, and went.", False)
    told = [sentence for sentence, _ in corrected]
    here = next(place for place, (_, ear) in enumerate(corrected) if ear)
    new, expected = at_sentence(told, here)
    found = Bookmarks(folder).load(book_id(new, Path("miller.txt")), new.source)
    assert found is not None
    assert expected.start <= found.start < expected.end
    assert Bookmarks(folder).books()[0].book == book_id(new, Path("miller.txt"))


@pytest.mark.parametrize("number", [0, 1, 40, 79])
def test_other_line_ends_do_not_lose_the_place(folder: Path, number: int) -> None:
    book, place = at_sentence(sentences(40), number)
    Bookmarks(folder).save(book_id(book, Path("miller.txt")), place)
    wrapped = document("\r\n".join(textwrap.wrap(book.source, 40)).replace("“", '"').replace("”", '"'))
    found = Bookmarks(folder).load(book_id(wrapped, Path("miller.txt")), wrapped.source)
    assert found is not None
    letters = [sum(map(str.isalnum, text)) for text in (book.source[: place.start], wrapped.source[: found.start])]
    assert letters[0] == letters[1]


@pytest.mark.parametrize("number", [0, 2, 40, 78])
def test_a_typo_in_the_sentence_at_the_ear_does_not_lose_it(folder: Path, number: int) -> None:
    told = sentences(40)
    book, place = at_sentence(told, number)
    Bookmarks(folder).save(book_id(book, Path("miller.txt")), place)
    told[number] = told[number].replace("miller", "Miller").replace("cart", "barrow")
    new, expected = at_sentence(told, number)
    found = Bookmarks(folder).load(book_id(new, Path("miller.txt")), new.source)
    assert found is not None
    assert abs(found.start - expected.start) <= len("barrow")


@pytest.mark.parametrize(("name", "encoding"), [("alice.txt", "utf-8"), ("wagahai.sjis.txt", "cp932")])
def test_a_word_changed_in_a_real_book(books: Path, folder: Path, name: str, encoding: str) -> None:
    source = (books / name).read_text(encoding)
    book = document(source)
    start = len(source) // 2
    place = place_of(source, (0, len(source)), chunk(source, start, start + 40))
    Bookmarks(folder).save(book_id(book, Path(name)), place)
    for edited, moved in [
        (source[:999] + " Katze " + source[1009:], -3),
        (source[: start + 2] + "猫" + source[start + 3 :], 0),
        (source[: start + 900] + source[start + 1000 :], 0),
    ]:
        new = document(edited)
        found = Bookmarks(folder).load(book_id(new, Path(name)), new.source)
        assert found is not None
        between = sorted((found.start, start + moved))
        assert not any(character.isalnum() for character in edited[between[0] : between[1]])
        Bookmarks(folder).save(book_id(book, Path(name)), place)


def test_another_book_under_the_same_name_starts_at_its_beginning(folder: Path) -> None:
    book, place = at_sentence(sentences(40), 31)
    Bookmarks(folder).save(book_id(book, Path("book.txt")), place)
    other = document(f"There was a king. {YES} He had a daughter. {YES} She had a frog. {YES}")
    assert Bookmarks(folder).load(book_id(other, Path("book.txt")), other.source) is None
    assert Bookmarks(folder).load(book_id(book, Path("book.txt")), book.source) == place


def test_standard_input_is_known_by_its_text_alone(folder: Path) -> None:
    book, place = at_sentence(sentences(4), 3)
    Bookmarks(folder).save(book_id(book, None), place)
    assert Bookmarks(folder).load(book_id(book, None), book.source) == place
    other = document(book.source.replace("1801", "1901"))
    assert Bookmarks(folder).load(book_id(other, None), other.source) is None


def test_marks_stay_with_the_book(folder: Path) -> None:
    told = sentences(40)
    book, place = at_sentence(told, 10)
    known = book_id(book, Path("miller.txt"))
    marks = Bookmarks(folder)
    marks.mark(known, at_sentence(told, 30)[1])
    marks.save(known, place)
    marks.mark(known, at_sentence(told, 4)[1], "the cow")
    marks.mark(known, at_sentence(told, 6)[1], "the cow")
    named = [(mark.name, mark.place.start) for mark in marks.marks(known, book.source)]
    assert named == [("the cow", at_sentence(told, 6)[1].start), (told[30][:40], at_sentence(told, 30)[1].start)]
    assert marks.load(known, book.source) == place

    told.insert(20, "An owl cried.")
    new = document(" ".join(told))
    moved = marks.marks(book_id(new, Path("miller.txt")), new.source)
    assert [mark.name for mark in moved] == ["the cow", told[31][:40]]
    assert [mark.place.start for mark in moved] == [at_sentence(told, 6)[1].start, at_sentence(told, 31)[1].start]


def test_sentences_that_read_alike_can_all_be_marked(folder: Path) -> None:
    book, marks = at_sentence(sentences(9), 1)[0], Bookmarks(folder)
    for number in (3, 1, 3, 5):
        marks.mark(book_id(book, None), at_sentence(sentences(9), number)[1])
    assert [mark.name for mark in marks.marks(book_id(book, None), book.source)] == [YES] * 3


def test_a_book_that_was_only_exported_is_listed_and_keeps_its_place(folder: Path) -> None:
    told = sentences(40)
    book, place = at_sentence(told, 10)
    marks = Bookmarks(folder)
    marks.meet(book_id(book, Path("miller.txt")))
    assert [reading.place for reading in marks.books()] == [None]
    assert marks.load(book_id(book, Path("miller.txt")), book.source) is None
    marks.save(book_id(book, Path("miller.txt")), place)
    marks.meet(book_id(book, Path("miller.txt")))
    assert marks.load(book_id(book, Path("miller.txt")), book.source) == place

    told.insert(0, "An owl cried.")
    new, expected = at_sentence(told, 11)
    marks.meet(book_id(new, Path("miller.txt")))
    found = marks.load(book_id(new, Path("miller.txt")), new.source)
    assert found is not None
    assert expected.start <= found.start < expected.end
    assert len(marks.books()) == 1


def test_the_list_has_every_book_once_the_latest_first(folder: Path) -> None:
    marks = Bookmarks(folder)
    for title in ("One", "Two", "Three", "One"):
        book = replace(at_sentence(sentences(9), 3)[0], title=title, source=title)
        marks.save(book_id(book, Path(f"{title}.txt")), at_sentence(sentences(9), 3)[1], lasting=title == "One")
    assert [reading.book.title for reading in marks.books()] == ["One", "Three", "Two"]
    marks.forget(marks.books()[1].book)
    assert [reading.book.title for reading in marks.books()] == ["One", "Two"]


def test_a_damaged_file_does_not_hide_the_older_one(folder: Path) -> None:
    book, place = at_sentence(sentences(9), 3)
    known = book_id(book, Path("miller.txt"))
    Bookmarks(folder).save(known, place, lasting=True)
    Bookmarks(folder).save(known, at_sentence(sentences(9), 5)[1])
    (passing,) = folder.glob("*.now.json")
    for damage in ("", "{}", "[1]", '{"book": 1', '{"marks": 3, "book": {}}'):
        passing.write_text(damage)
        assert Bookmarks(folder).load(known, book.source) == place


def test_a_place_that_cannot_be_kept_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    said: list[str] = []
    marks = Bookmarks(tmp_path / "file" / "places", say=said.append)
    book, place = at_sentence(sentences(9), 3)
    for lasting in (False, True, False):
        marks.save(book_id(book, None), place, lasting=lasting)
    assert len(said) == 1
    assert "\n" not in said[0]
    assert marks.load(book_id(book, None), book.source) is None


def test_what_killed_processes_left_is_swept_away(folder: Path) -> None:
    folder.mkdir()
    for name in ("old.1.part", "new.2.part"):
        (folder / name).write_text("half")
    os.utime(folder / "old.1.part", (0, 0))
    book, place = at_sentence(sentences(9), 3)
    Bookmarks(folder).save(book_id(book, None), place, lasting=True)
    assert [path.name for path in folder.glob("*.part")] == ["new.2.part"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are not files' own there")
def test_what_somebody_reads_is_private(folder: Path) -> None:
    book, place = at_sentence(sentences(9), 3)
    marks = Bookmarks(folder)
    marks.save(book_id(book, None), place, lasting=True)
    marks.save(book_id(book, None), place)
    modes = [path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())]
    assert modes == [0o700, 0o600, 0o600]


WRITER = """
import sys
from pathlib import Path
from narrate.playback.bookmark import Bookmarks, Place
from narrate.text.book import BookId

marks, book = Bookmarks(Path(sys.argv[1])), BookId("b2:0", "/a", "A")
for start in range(int(sys.argv[2]), 10**9):
    marks.save(book, Place(start, start + 1, 1, "", 0.5, f"sentence {start}"), lasting=start % 5 == 0)
    print(start, flush=True)
"""


def test_killed_at_any_moment_it_keeps_the_last_place_or_the_next(folder: Path) -> None:
    chance, start = random.Random(4), 0
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(folder), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 60)):
                said = int(writer.stdout.readline())
            writer.kill()
            said = max([said, *map(int, writer.stdout.read().split("\n")[:-1])])
        place = Bookmarks(folder).load(BookId("b2:0", "/a", "A"), "")
        assert place is not None
        assert place.start in (said, said + 1)
        assert place.sentence == f"sentence {place.start}"
        start = place.start + 1


# --- damaged files ----------------------------------------------------------------------------------------------------


def every_value(data: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value stands in a file of places."""
    yield path
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, part in parts:
        yield from every_value(part, (*path, name))


def without_checksum(text: str) -> str:
    """A file as earlier versions wrote it; what is damaged in it must be seen by types and limits."""
    return json.dumps({name: part for name, part in json.loads(text).items() if name != "check"}, indent=1)


WRONG = (None, "words", "", -1, 1e308, float("nan"), [], {}, True, ["words"], {"a": 1})


def test_a_damaged_place_is_left_out_with_a_line_and_hides_no_other(folder: Path) -> None:
    book, place = at_sentence(sentences(40), 31)
    other = book_id(document("Another book.", "Another"), Path("other.txt"))
    known = book_id(book, Path("miller.txt"))
    Bookmarks(folder).save(known, place, lasting=True)
    Bookmarks(folder).mark(known, place)
    [file] = folder.glob("*.json")
    good = without_checksum(file.read_text())
    Bookmarks(folder).save(other, place, lasting=True)
    for where in every_value(json.loads(good)):
        for value in WRONG:
            data = json.loads(good)
            if where:
                part = data
                for name in where[:-1]:
                    part = part[name]
                part[where[-1]] = value
            else:
                data = value
            file.write_text(json.dumps(data))
            said: list[str] = []
            found = Bookmarks(folder, say=said.append).books()
            assert other in [reading.book for reading in found]
            assert len(said) == (len(found) == 1)
            for reading in found:
                time.strftime("%Y", time.localtime(reading.when))
                titles = [reading.book.title, reading.book.path, *(mark.name for mark in reading.marks)]
                assert all(isinstance(title, str) for title in titles)
                if reading.place is not None:
                    assert 0.0 <= reading.place.fraction <= 1.0
            marks = Bookmarks(folder, say=said.append)
            marks.load(replace(known, content="b2:corrected"), book.source + " More.")
            marks.load(known, book.source)
            marks.marks(known, book.source)
            marks.forget(replace(known, content="b2:corrected"))
            for line in said:
                assert str(file) in line
    for text in ("", "{", "[" * 100_000, "\x00", "null", good[:-9]):
        file.write_text(text)
        said = []
        assert [reading.book for reading in Bookmarks(folder, say=said.append).books()] == [other]
        assert len(said) == 1


def test_a_digit_that_was_changed_is_seen(folder: Path) -> None:
    book, place = at_sentence(sentences(40), 31)
    known = book_id(book, Path("miller.txt"))
    Bookmarks(folder).save(known, place, lasting=True)
    [file] = folder.glob("*.json")
    good = file.read_text()
    digits = [at for at, character in enumerate(good) if character.isdigit()]
    assert len(digits) > 60
    for at in digits:
        changed = good[:at] + str(9 - int(good[at])) + good[at + 1 :]
        if json.loads(changed) == json.loads(good):
            continue  # the last digit of a fraction can be beyond what a float tells apart
        file.write_text(changed)
        said: list[str] = []
        assert Bookmarks(folder, say=said.append).load(known, book.source) is None
        assert len(said) == 1
    file.write_text(good)
    assert Bookmarks(folder).load(known, book.source) == place


def test_a_place_that_an_earlier_version_kept_is_read(folder: Path) -> None:
    book, place = at_sentence(sentences(40), 31)
    known = book_id(book, Path("miller.txt"))
    Bookmarks(folder).save(known, place, lasting=True)
    mark = Bookmarks(folder).mark(known, place)
    [file] = folder.glob("*.json")
    file.write_text(without_checksum(file.read_text()))
    assert Bookmarks(folder).load(known, book.source) == place
    assert Bookmarks(folder).marks(known, book.source) == (mark,)
