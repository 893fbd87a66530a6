"""Names that are no text, places that cannot be: one line, or the right file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).resolve().parents[1]
STORY = "Hello there.\n\nChapter 1\n\nOne.\n\nChapter 2\n\nTwo words."


def narrate(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *arguments]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(
        command, cwd=folder, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "n\udcff.txt").write_text(STORY)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes")
def test_names_that_are_not_utf8_make_every_kind_of_file(folder: Path) -> None:
    outputs = ["o\udcfe.wav", *(f"p\udcfe.{suffix}" for suffix in ("flac", "mp3", "opus", "m4b", "mka"))]
    named = [part for output in outputs for part in ("-o", output)]
    done = narrate(folder, "n\udcff.txt", "-e", "tone", "-q", "--subtitles", "srt", *named)
    assert (done.returncode, done.stderr) == (0, "")
    for output in outputs[1:]:
        with av.open(str(folder / output)) as file:
            assert (file.metadata | file.streams.audio[0].metadata).get(
                "title", file.metadata.get("TITLE")
            ) == "n\ufffd"
    assert b'FILE "o\xfe.wav"' in (folder / "o\udcfe.cue").read_bytes()
    for command in ("books", "store"):
        done = narrate(folder, command, PYTHONIOENCODING="utf-8:strict")
        assert (done.returncode, done.stderr) == (0, "")
        assert "n\ufffd" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="arguments are bytes")
def test_what_the_listener_says_may_be_no_utf8(folder: Path) -> None:
    done = narrate(
        folder, "n\udcff.txt", "-e", "tone", "-q", "-o", "x.mp3", "--title", "T\udcff", "--author", "A\udcfe"
    )
    assert (done.returncode, done.stderr) == (0, "")
    with av.open(str(folder / "x.mp3")) as file:
        assert (file.metadata["title"], file.metadata["artist"]) == ("T\ufffd", "A\ufffd")
    done = narrate(folder, "n\udcff.txt", "-e", "tone", "-q", "-o", "s\udcfe.mp3", "--split", "chapter")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["-o", "loop.wav"], 2, "loop.wav is a link that leads to itself. Remove it, or choose another name."),
        (
            ["-o", "x.wav", "--store", "dangling"],
            1,
            "Takes cannot be kept in dangling (the link leads nowhere). Choose another place with --store DIR, or keep "
            "no takes with --no-store, and run the same command again.",
        ),
    ],
)
def test_links_that_lead_nowhere(folder: Path, arguments: list[str], code: int, line: str) -> None:
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "dangling").symlink_to("nowhere")
    done = narrate(folder, "n\udcff.txt", "-e", "tone", "-q", *arguments)
    assert (done.returncode, done.stderr) == (code, f"narrate: {line}\n")
    assert not (folder / "x.wav").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no folders")
def test_a_home_that_cannot_be_made(folder: Path) -> None:
    nowhere = {"NARRATE_HOME": "", "HOME": "/proc/nohome", "XDG_DATA_HOME": ""}
    done = narrate(folder, "n\udcff.txt", "-e", "tone", "-o", "x.wav", **nowhere)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("narrate: Takes cannot be kept in /proc/nohome/.local/share/narrate/store (")
    assert "--store DIR" in line
    assert "--no-store" in line
    assert narrate(folder, "n\udcff.txt", "-e", "tone", "-o", "x.wav", "--no-store", **nowhere).returncode == 0
    assert (folder / "x.wav").exists()


def test_what_somebody_reads_is_private(folder: Path, home: Path) -> None:
    own = home / "deep" / "home"
    done = narrate(folder, "n\udcff.txt", "-e", "tone", "-q", "-o", "x.wav", NARRATE_HOME=str(own))
    assert done.returncode == 0
    found = [own.parent, own, *own.rglob("*")]
    assert {path.relative_to(own).parts[:2] for path in found[1:]} >= {("places",), ("store", "index.sqlite")}
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (folder / "x.wav").stat().st_mode & 0o777 == 0o666 & ~_umask(), "the book is for whom the listener likes"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
