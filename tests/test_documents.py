"""Texts to choose from: uploads that are private and bounded, and a library out of which no name leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.playback.bookmark import Bookmarks, place_of
from narrate.server import documents as room
from narrate.server.documents import Documents, Entry, NoSuchDocument, TooLarge, shown_name
from narrate.text.book import TextOptions, open_book
from narrate.text.document import Chunk

TEXT = "It was a dark night. The wind blew over the moor, and nobody was on the road."


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    (folder / "Verne" / "Sea").mkdir(parents=True)
    (folder / "night.txt").write_text(TEXT)
    (folder / "Verne" / "Sea" / "depths.txt").write_text(TEXT + " And so on.")
    (folder / "notes.json").write_text("{}")
    (folder / ".hidden.txt").write_text(TEXT)
    (folder / ".git").mkdir()
    (folder / ".git" / "secret.txt").write_text(TEXT)
    return folder


@pytest.fixture
def texts(tmp_path: Path, library: Path) -> Iterator[Documents]:
    documents = Documents(tmp_path / "served", library, Bookmarks(tmp_path / "places"))
    documents.open()
    yield documents
    documents.close()


async def parts(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def send(texts: Documents, name: str, data: bytes = TEXT.encode()) -> Entry:
    return asyncio.run(texts.receive(name, parts(data)))


def test_the_library_is_the_books_of_a_folder_and_those_below_it(texts: Documents) -> None:
    assert [(each.name, each.folder) for each in texts.list()] == [("night.txt", ""), ("depths.txt", "Verne / Sea")]
    assert len({each.id for each in texts.list()}) == 2
    assert texts.open_book(texts.find(texts.list()[1].id), TextOptions()).title == "depths"


@pytest.mark.parametrize(
    "name", ["../night.txt", "/etc/passwd", "night.txt", "..", "", "b0", "%2e%2e%2fnight.txt", "\0"]
)
def test_only_an_id_leads_to_a_document(texts: Documents, name: str) -> None:
    with pytest.raises(NoSuchDocument):
        texts.find(name)


def test_links_that_lead_out_of_the_library_are_not_in_it(texts: Documents, library: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "diary.txt").write_text(TEXT)
    (library / "link.txt").symlink_to(outside / "diary.txt")
    (library / "shelf").symlink_to(outside)
    (library / "same.txt").symlink_to(library / "night.txt")
    (library / "broken.txt").symlink_to(library / "gone.txt")
    assert sorted(each.name for each in texts.list()) == ["depths.txt", "night.txt", "same.txt"]


def test_how_far_a_book_was_read_is_told(texts: Documents, library: Path, tmp_path: Path) -> None:
    book = open_book(str(library / "night.txt"), TextOptions())
    assert book.document is not None
    chunk = Chunk(0, 1, "", TEXT[:20], TEXT[:20], "en", 0.3, 0, 20)
    Bookmarks(tmp_path / "places").save(book.identity, place_of(book.document.source, book.whole, chunk))
    assert [each.read for each in texts.list()] == [pytest.approx(20 / len(TEXT), abs=0.01), None]


def test_an_upload_is_private_and_called_by_its_name(texts: Documents) -> None:
    entry = send(texts, "C:\\books\\../My night.txt")
    assert entry.name == "My night.txt"
    assert entry.path is not None
    assert entry.path.is_relative_to(texts.folder)
    assert entry.path.stat().st_mode & 0o077 == 0
    assert texts.folder.stat().st_mode & 0o077 == 0
    book = texts.open_book(entry, TextOptions())
    assert book.title == "My night"
    assert book.identity.path == ""
    assert texts.find(entry.id) == entry


def test_an_upload_that_was_read_as_a_file_keeps_the_place_of_that_file(texts: Documents, library: Path) -> None:
    book = open_book(str(library / "night.txt"), TextOptions())
    texts._bookmarks.meet(book.identity)
    again = texts.open_book(send(texts, "copy.txt"), TextOptions())
    assert again.identity.path == str(library / "night.txt")


def test_a_text_that_is_sent_is_a_document(texts: Documents) -> None:
    entry = texts.paste(TEXT)
    assert (entry.name, entry.kind) == (TEXT[:40], "text")
    assert texts.open_book(texts.find(entry.id), TextOptions()).language == "en"


def test_what_is_too_large_is_refused_while_it_is_sent(texts: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_BYTES", 10_000)
    with pytest.raises(TooLarge):
        send(texts, "big.txt", bytes(10_001))
    with pytest.raises(TooLarge):
        texts.paste("x" * 10_001)
    assert send(texts, "fits.txt", b"x" * 10_000).size == 10_000
    assert [each.name for each in texts.folder.iterdir() if each.is_dir()] == [texts.list()[-1].id]


@pytest.mark.parametrize("name", ["program.exe", "sound.mp3", "noname", "book.epub.zip", ".txt/x"])
def test_what_is_no_book_by_its_name_is_refused(texts: Documents, name: str) -> None:
    with pytest.raises(InputError, match="narrate cannot read"):
        send(texts, name)


def test_an_empty_file_is_refused(texts: Documents) -> None:
    with pytest.raises(InputError, match="is empty"):
        send(texts, "empty.txt", b"")


def test_a_book_that_cannot_be_read_is_named_as_it_was_sent(texts: Documents) -> None:
    entry = send(texts, "broken.epub", b"PK\x03\x04 nothing")
    with pytest.raises(InputError) as refused:
        texts.open_book(entry, TextOptions())
    assert str(texts.folder) not in str(refused.value)


def test_the_oldest_uploads_go_when_there_are_too_many(texts: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_UPLOADS", 3)
    sent = [send(texts, f"{number}.txt") for number in range(5)]
    assert [each.name for each in texts.list() if each.kind == "upload"] == ["4.txt", "3.txt", "2.txt"]
    with pytest.raises(NoSuchDocument):
        texts.find(sent[0].id)
    assert sent[0].path is not None
    assert not sent[0].path.exists()


def test_what_was_sent_can_be_thrown_away_and_books_of_the_library_cannot(texts: Documents) -> None:
    entry = send(texts, "night.txt")
    texts.remove(entry.id)
    assert entry.path is not None
    assert not entry.path.exists()
    for identity in (entry.id, texts.list()[0].id):
        with pytest.raises(NoSuchDocument):
            texts.remove(identity)


def test_what_a_killed_server_left_is_swept_away_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    places, parent = Bookmarks(tmp_path / "places"), tmp_path / "served"
    (parent / "killed").mkdir(parents=True)
    (parent / "killed" / "book.txt").write_text(TEXT)
    first, second = Documents(parent, None, places), Documents(parent, None, places)
    first.open()
    second.open()
    assert sorted(parent.iterdir()) == sorted([first.folder, second.folder])
    first.close()
    assert list(parent.iterdir()) == [second.folder]
    second.close()


def test_names_are_shown_without_what_cannot_be_shown() -> None:
    assert shown_name("a/b\\c\x00\x1b[31m.txt") == "c[31m.txt"
    assert shown_name("／夜.txt") == "／夜.txt"
    assert shown_name("\ud800.txt") == "?.txt"
    assert shown_name("  ") == "book"
    assert len(shown_name("x" * 500)) == 120
