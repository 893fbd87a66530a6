"""A store that an earlier version made is used on: its takes, its places and its marks are found.

`data/store-1` was made by the first version of the store's format, where a process had one book open: two short texts
were exported with espeak, a place and marks were kept in one of them, and a process with that book open was killed.
`known.json` says what that version knew of it.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from narrate.clip import to_int16
from narrate.playback.bookmark import Bookmarks
from narrate.store.key import take_key
from narrate.store.store import Store
from narrate.text.book import TextOptions, book_id, open_book
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.stored import takes_in

DATA = Path(__file__).parent / "data" / "store-1"
KNOWN: dict[str, Any] = json.loads((DATA / "known.json").read_text(encoding="utf-8"))


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A copy of the folder in which that version kept everything."""
    return Path(shutil.copytree(DATA / "home", tmp_path / "earlier"))


def test_its_takes_have_the_same_keys_and_the_same_samples(earlier: Path) -> None:
    with takes_in(earlier / "store", memory_bytes=0) as takes:
        for known in KNOWN["takes"]:
            spoken, language = known["spoken"], known["language"]
            chunk = Chunk(0, 1, "", spoken, spoken, language, 0.3, 0, len(spoken))
            key = take_key(KNOWN["fingerprint"], Voice(language=language), chunk)
            assert key == known["key"]
            take = takes.get(key)
            assert take is not None
            sound = to_int16(take.samples).astype("<i2").tobytes()
            assert blake2b(sound, digest_size=20).hexdigest() == known["sound"]
            assert (len(take.samples), take.sample_rate) == (known["samples"], known["sample_rate"])
            assert takes.seconds(key) == known["samples"] / known["sample_rate"]
        assert takes.damaged == 0


@pytest.mark.parametrize("index", ["is there", "is lost"])
def test_its_sizes_are_known_for_every_book(earlier: Path, index: str) -> None:
    sizes = {known["book"]: (known["takes"], known["bytes"]) for known in KNOWN["sizes"].values()}
    if index == "is lost":
        (earlier / "store" / "index.sqlite").unlink()
    with Store(earlier / "store") as store:
        found = {book: tuple(size) for book, size in store.books().items()}
        assert store.verify().damaged == []
    if index == "is there":
        assert found == sizes
    assert sum(size[0] for size in found.values()) == len(KNOWN["takes"])
    assert found.keys() == sizes.keys()


def test_its_process_that_was_killed_holds_nothing(earlier: Path) -> None:
    (lock,) = (earlier / "store" / "open").glob("*.lock")
    with takes_in(earlier / "store", "another", limit_bytes=1) as takes:
        assert not list(lock.parent.glob(f"{lock.stem}*"))
        assert takes.claim(f"b2:{0:040x}")
        with contextlib.closing(sqlite3.connect(earlier / "store" / "index.sqlite")) as opened:
            assert opened.execute("SELECT book FROM session").fetchall() == [("another",)]


def test_its_place_and_its_marks_are_found(earlier: Path) -> None:
    document = open_book(str(DATA / "ferry.txt"), TextOptions()).document
    assert document is not None
    bookmarks, book = Bookmarks(earlier / "places"), book_id(document, DATA / "ferry.txt")
    assert book.content == KNOWN["sizes"]["ferry"]["book"]
    place = bookmarks.load(book, document.source)
    assert place is not None
    assert asdict(place) == KNOWN["place"]
    assert [asdict(mark) for mark in bookmarks.marks(book, document.source)] == KNOWN["marks"]
    assert {reading.book.title for reading in bookmarks.books()} == {"ferry", "bell"}


@pytest.mark.parametrize("name", ["ferry", "bell"])
def test_an_export_makes_no_take_again(earlier: Path, tmp_path: Path, name: str) -> None:
    made_with, here = KNOWN["fingerprint"]["espeakng-loader"], version("espeakng-loader")
    if here != made_with:
        pytest.skip(f"the takes were made with espeakng-loader {made_with}, and {here} is installed")
    command = [sys.executable, "-m", "narrate", DATA / f"{name}.txt", "-e", "espeak", "-o", tmp_path / "book.wav"]
    command.append("--verbose")
    done = subprocess.run(
        [*map(str, command), "--store", str(earlier / "store")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.search(r"(\d+) takes? made, (\d+) reused", done.stderr)
    assert found is not None, done.stderr
    assert (int(found[1]), int(found[2])) == (0, KNOWN["sizes"][name]["chunks"])
