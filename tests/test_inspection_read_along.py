"""Books to read and hear, read back: what we write has no fault, and each fault that a book can have is told."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.sinks.inspection import inspect
from narrate.sinks.read_along.inspection import clock_value
from tests.test_publisher import book, files

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("book")
    path = folder / "out.epub"
    command = [sys.executable, "-m", "narrate", book(folder), "-e", "tone:rate=8000", "--loudness", "-19", "-o", path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return files(path)


def put(folder: Path, made: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "changed.epub", "w") as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    return folder / "changed.epub"


def test_what_we_write_has_no_fault(tmp_path: Path, made: dict[str, bytes]) -> None:
    found = inspect(put(tmp_path, made))
    assert found.faults == ()
    assert (found.container, found.codec, found.sample_rate, len(found.chapters)) == ("epub", "aac", 8000, 2)
    assert found.seconds == pytest.approx(found.chapters[-1].end, abs=0.3)
    assert found.lufs == pytest.approx(-19, abs=1)
    assert found.tags["artist"] == "A. Author"


def changed(name: str, old: str, new: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def change(made: dict[str, bytes]) -> dict[str, bytes]:
        text = made[name].decode()
        assert re.search(old, text), "there is something to change"
        return {**made, name: re.sub(old, new, text, count=1).encode()}

    return change


def without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda made: {kept: data for kept, data in made.items() if kept != name}


OVERLAY, PACKAGE = "OEBPS/narrate/001.smil", "OEBPS/package.opf"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("OEBPS/narrate/001.m4a"), "is to sound as in OEBPS/narrate/001.m4a, which is missing"),
        (without("OEBPS/narrate/001.m4a"), "narrate/001.m4a is missing in it"),
        (without("OEBPS/narrate/001.smil"), "narrate/001.smil is missing in it"),
        (without("OEBPS/a.xhtml"), "leads to OEBPS/a.xhtml, which is missing"),
        (
            changed(OVERLAY, r'clipEnd="[\d.]+s"/></par>\n</seq>', 'clipEnd="999s"/></par></seq>'),
            "sounds until 999.000 s",
        ),
        (changed(OVERLAY, r'clipEnd="[\d.]+s"', 'clipEnd="0s"'), "ends at 0.000 s, where it begins"),
        (changed(OVERLAY, "#s1", "#nowhere"), "leads to OEBPS/a.xhtml#nowhere, which is not on that page"),
        (changed(OVERLAY, r"(?s)<par.*?</par>", ""), "s are in no overlay"),
        (changed(PACKAGE, r'<meta property="media:duration" refines.*?</meta>', ""), "how long 001.smil sounds"),
        (changed(PACKAGE, r'(media:duration" refines="[^"]*">)[\d.]+', r"\g<1>9"), "is said to sound for 0:09"),
        (changed(PACKAGE, r'(media:duration">)[\d.]+', r"\g<1>9"), "The book is said to sound for 0:09"),
        (changed(PACKAGE, r'<meta property="media:duration">.*?</meta>', ""), "how long the book sounds"),
        (changed(PACKAGE, r"<dc:creator>.*?</dc:creator>", ""), "does not say its author"),
        (changed(PACKAGE, ' properties="cover-image"', ""), "It has no cover"),
        (changed(PACKAGE, "(?s)<item [^>]*smil[^>]*/>(.*)<item [^>]*smil[^>]*/>", r"\1"), "It has no overlays"),
    ],
)
def test_each_fault_is_told(
    tmp_path: Path,
    made: dict[str, bytes],
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    words: str,
) -> None:
    found = inspect(put(tmp_path, change(made)))
    assert [fault for fault in found.faults if words in fault], found.faults


def test_what_is_no_book_is_refused(tmp_path: Path, made: dict[str, bytes]) -> None:
    (tmp_path / "text.epub").write_text("text")
    with pytest.raises(InputError, match="cannot be read as an EPUB"):
        inspect(tmp_path / "text.epub")
    with pytest.raises(InputError, match="there is no such file"):
        inspect(tmp_path / "none.epub")
    with pytest.raises(InputError, match="does not say which pages"):
        inspect(put(tmp_path, {"mimetype": b"x"}))
    with pytest.raises(InputError, match="cannot be read as sound"):
        inspect(put(tmp_path, {**made, "OEBPS/narrate/001.m4a": b"noise"}))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1.5s", 1.5), ("0:33:35.025", 2015.025), ("02:03", 123.0), ("5", 5.0), ("2min", 120.0), ("1h", 3600.0),
     ("7ms", 0.007), (" 3s ", 3.0), ("P3S", None), ("", None), ("1:99:00", None)],
)  # fmt: skip
def test_clock_values(text: str, seconds: float | None) -> None:
    assert clock_value(text) == (seconds if seconds is None else pytest.approx(seconds))
