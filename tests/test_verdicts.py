"""What was found about a take is kept beside it, belongs to that take and to no other, and goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.checking.verdict import Verdict, read_verdict, written
from narrate.store.in_memory import MemoryTakes
from narrate.store.store import Store
from narrate.store.take_files import TakeFiles
from narrate.store.takes import Takes
from tests.stored import RATE, files, key, sound, takes_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=["disk", "memory"])
def takes(request: pytest.FixtureRequest, folder: Path) -> Takes:  # type: ignore[misc]
    if request.param == "memory":
        yield MemoryTakes()
        return
    with takes_in(folder) as opened:
        yield opened


def test_a_verdict_is_found_with_its_take(takes: Takes) -> None:
    takes.put(key(1), sound(1), RATE)
    assert takes.verdict(key(1)) is None
    takes.put_verdict(key(1), sound(1), "“good”\nreally")
    assert takes.verdict(key(1)) == "“good”\nreally"
    assert takes.verdict(key(2)) is None
    takes.put_verdict(key(1), sound(1), "better")
    assert takes.verdict(key(1)) == "better"


def test_a_new_take_has_no_verdict(takes: Takes) -> None:
    takes.put(key(1), sound(1), RATE)
    takes.put_verdict(key(1), sound(1), "good")
    takes.put(key(1), sound(2), RATE)
    assert takes.verdict(key(1)) is None


def test_what_was_found_about_another_sound_is_not_kept(takes: Takes) -> None:
    takes.put(key(1), sound(1), RATE)
    takes.put_verdict(key(1), sound(2), "about another")
    takes.put_verdict(key(2), sound(2), "about nothing")
    assert takes.verdict(key(1)) is None
    takes.put(key(2), sound(2), RATE)
    assert takes.verdict(key(2)) is None


def verdicts(folder: Path) -> list[Path]:
    return sorted(folder.glob("takes/*/*.json"))


def test_it_is_there_the_next_time_and_nobody_else_may_read_it(folder: Path) -> None:
    with takes_in(folder) as takes:
        takes.put(key(1), sound(1), RATE)
        takes.put_verdict(key(1), sound(1), "good")
    with takes_in(folder) as takes:
        assert takes.verdict(key(1)) == "good"
    assert [path.stat().st_mode & 0o777 for path in verdicts(folder)] == [0o600]


def test_a_verdict_that_stands_beside_another_take_does_not_count(folder: Path) -> None:
    """As it is when an earlier version of narrate, which knows no verdicts, put the take there."""
    with takes_in(folder) as takes:
        for number in (1, 2):
            takes.put(key(number), sound(number), RATE)
            takes.put_verdict(key(number), sound(number), f"about {number}")
        one, other = files(folder)
        other.with_suffix(".json").write_bytes(one.with_suffix(".json").read_bytes())
        assert takes.verdict(key(1)) == "about 1"
        assert takes.verdict(key(2)) is None


@pytest.mark.parametrize("nonsense", [b"", b"\xff\xfe", b"no line", b"\n\n"])
def test_a_damaged_verdict_is_none(folder: Path, nonsense: bytes) -> None:
    with takes_in(folder) as takes:
        takes.put(key(1), sound(1), RATE)
        takes.put_verdict(key(1), sound(1), "good")
        verdicts(folder)[0].write_bytes(nonsense)
        assert takes.verdict(key(1)) is None
        takes.put_verdict(key(1), sound(1), "good")
        assert takes.verdict(key(1)) == "good"


def test_verdicts_go_with_their_takes(folder: Path) -> None:
    with Store(folder) as store, store.for_book("book") as takes:
        for number in range(6):
            takes.put(key(number), sound(number), RATE)
            takes.put_verdict(key(number), sound(number), "good")
        assert len(verdicts(folder)) == 6
        damaged, removed = files(folder)[:2]
        damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
        removed.unlink()  # by an earlier version
        assert len(store.verify().damaged) == 1
        assert len(verdicts(folder)) == len(files(folder)) == 4
        store.clear()
        assert verdicts(folder) == files(folder) == []


def test_takes_that_make_room_take_their_verdicts_along(folder: Path) -> None:
    with Store(folder, limit_bytes=60_000, memory_bytes=0) as store:
        for number in range(40):
            with store.for_book(f"book {number}") as takes:
                takes.put(key(number), sound(number), RATE)
                takes.put_verdict(key(number), sound(number), "good")
        assert 0 < len(files(folder)) < 40
        assert [path.stem for path in verdicts(folder)] == [path.stem for path in files(folder)]


def test_a_verdict_that_cannot_be_written_is_no_trouble(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with Store(folder, say=said.append) as store, store.for_book("book", must_keep=True) as takes:
        takes.put(key(1), sound(1), RATE)
        monkeypatch.setattr(TakeFiles, "verdict", lambda self, key: folder / "no such folder" / "x.json")
        takes.put_verdict(key(1), sound(1), "good")
        assert takes.verdict(key(1)) is None
    assert said == []


def test_it_survives_a_process_that_is_killed(folder: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from tests.stored import *\n"
        "with takes_in(Path(sys.argv[1])) as takes:\n"
        "    takes.put(key(1), sound(1), RATE)\n"
        "    takes.put_verdict(key(1), sound(1), 'good')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(folder)], check=False, cwd=Path(__file__).parents[1])
    assert killed.returncode == -signal.SIGKILL
    with takes_in(folder) as takes:
        assert takes.verdict(key(1)) == "good"
    assert os.listdir(folder / "open") == []


@given(
    st.builds(
        Verdict,
        why=st.text(),
        heard=st.none() | st.text(),
        recogniser=st.text(),
        rate=st.none() | st.floats(0, 5),
        measures=st.dictionaries(st.text(), st.floats(allow_nan=False)),
        tries=st.integers(1, 9),
    )
)
def test_a_verdict_is_read_as_it_was_written(verdict: Verdict) -> None:
    assert read_verdict(written(verdict)) == verdict


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", '"text"'])
def test_what_is_no_verdict_is_none(text: str | None) -> None:
    assert read_verdict(text) is None


def test_a_verdict_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read_verdict('{"why": "it hums", "colour": "red"}') == Verdict("it hums")
