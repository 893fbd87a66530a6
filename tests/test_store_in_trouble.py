"""The store of takes when processes are killed or work at once, and where takes cannot be kept."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from narrate.errors import NarrateError
from narrate.pipeline import Background
from narrate.store import index
from narrate.store.index import LEASE_SECONDS
from narrate.store.store import BookTakes, Store
from tests.stored import RATE, files, key, same, sound, takes_in

Opened = Callable[[Path], AbstractContextManager[tuple[BookTakes, BookTakes]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """A small file system of its own at `place`; the test is skipped where we may not have one."""
    place.mkdir(exist_ok=True)
    command = ["mount", *options, str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


# Killed


WRITER = """
import sys
from pathlib import Path
from tests.stored import RATE, key, sound, takes_in

with takes_in(Path(sys.argv[1]), "killed") as takes:
    for number in range(int(sys.argv[2]), 10**9):
        assert takes.claim(key(number))
        takes.put(key(number), sound(number), RATE)
        print(number, flush=True)
"""


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that can import this file."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def test_killed_at_any_moment_every_take_that_exists_is_whole(folder: Path) -> None:
    chance, first = random.Random(2), 0
    for _ in range(12):
        with run(WRITER, folder, first) as writer:
            assert writer.stdout is not None
            said = [int(writer.stdout.readline()) for _ in range(chance.randrange(1, 40))]
            writer.kill()
            said += map(int, writer.stdout.read().split("\n")[:-1])
        with Store(folder, memory_bytes=0) as store, store.for_book("") as takes:
            there = takes.has(key(said[-1] + 1))
            assert takes.claim(key(said[-1] + 1)) != there, "a dead process holds nothing"
            assert takes.claim(key(said[-1] + 2))
            assert all(same(takes, number) for number in range(said[-1] + 1))
            assert same(takes, said[-1] + 1) == there
            assert takes.damaged == 0
            assert len(files(folder)) - store.size().takes in (0, 1)
        first = said[-1] + 1 + there
    assert not list((folder / "open").iterdir())


# Two at once


SHARER = """
import sys
from pathlib import Path
from tests.stored import RATE, key, same, sound, takes_in

made = 0
with takes_in(Path(sys.argv[1]), memory_bytes=0, limit_bytes=int(sys.argv[2])) as takes:
    sys.stdin.readline()
    waiting = list(range(150))
    while waiting:
        for number in list(waiting):
            if takes.get(key(number)) is None:
                if not takes.claim(key(number)):
                    continue
                takes.put(key(number), sound(number), RATE)
                made += 1
            assert same(takes, number) or int(sys.argv[2]) < 2**20
            waiting.remove(number)
    assert takes.damaged == 0
print(made)
"""


@pytest.mark.parametrize("limit", [2**30, 60_000])
def test_two_processes_share_one_store_and_the_work(folder: Path, limit: int) -> None:
    command = [sys.executable, "-c", SHARER, str(folder), str(limit)]
    there = Path(__file__).parents[1]
    pair = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=there) for _ in range(2)
    ]
    for process in pair:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    made = [int(process.communicate()[0]) for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    with Store(folder) as store:
        health = store.verify()
        assert health.damaged == []
        assert health.whole == store.size()
    if limit == 2**30:
        assert sum(made) == health.whole.takes == 150


@contextlib.contextmanager
def two_of_one_process(folder: Path) -> Iterator[tuple[BookTakes, BookTakes]]:
    with Store(folder) as store, store.for_book("a") as one, store.for_book("b") as other:
        yield one, other


@contextlib.contextmanager
def two_of_two_stores(folder: Path) -> Iterator[tuple[BookTakes, BookTakes]]:
    with takes_in(folder) as one, takes_in(folder) as other:
        yield one, other


@pytest.mark.parametrize("opened", [two_of_one_process, two_of_two_stores])
def test_a_claim_is_for_one_and_ends_with_the_take_or_the_view(folder: Path, opened: Opened) -> None:
    with opened(folder) as (one, other):
        assert one.claim(key(1))
        assert one.claim(key(1))
        assert not other.claim(key(1))
        one.put(key(1), sound(1), RATE)
        assert not other.claim(key(1)), "it is there"
        assert same(other, 1)
        assert one.claim(key(2))
        one.release(key(2))
        assert other.claim(key(2))
        one.release(key(2))
        assert not one.claim(key(2))
        assert one.claim(key(3))
        one.close()
        assert other.claim(key(3))
        assert other.claim(key(2))


def test_a_claim_ends_with_its_take_even_if_that_is_removed_again(folder: Path) -> None:
    with Store(folder, memory_bytes=0) as store, store.for_book("a") as one, store.for_book("b") as other:
        assert one.claim(key(1))
        one.put(key(1), sound(1), RATE)
        store.clear()
        assert other.claim(key(1))


def test_a_claim_ends_with_its_store(folder: Path) -> None:
    with Store(folder) as store, takes_in(folder) as other:
        assert store.for_book("a").claim(key(1))
        assert not other.claim(key(1))
        store.__exit__(None, None, None)
        assert other.claim(key(1))


@pytest.mark.parametrize("opened", [two_of_one_process, two_of_two_stores])
def test_a_claim_is_taken_over_when_its_owner_kept_nothing_for_long(folder: Path, opened: Opened) -> None:
    with opened(folder) as (one, other), contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:

        def let_pass(seconds: float) -> None:
            with index:
                index.execute("UPDATE claim SET since = since - ?", (seconds,))

        assert one.claim(key(1))
        let_pass(LEASE_SECONDS - 20)
        assert not other.claim(key(1))
        one.put(key(2), sound(2), RATE)
        let_pass(LEASE_SECONDS - 20)
        assert not other.claim(key(1)), "its owner is at work"
        let_pass(40)
        assert other.claim(key(1))
        assert not one.claim(key(1))
        let_pass(-2 * LEASE_SECONDS)
        assert one.claim(key(1)), "the clock was put back"


HOLDER = """
import signal
import sys
from pathlib import Path
from tests.stored import RATE, key, sound
from narrate.store.store import Store

with Store(Path(sys.argv[1])) as store, store.for_book("a") as one, store.for_book("b") as other:
    one.put(key(1), sound(1), RATE)
    other.put(key(2), sound(2), RATE)
    assert one.claim(key(3)) and other.claim(key(4))
    print("ready", flush=True)
    signal.pause()
"""


@contextlib.contextmanager
def killed_holder(folder: Path) -> Iterator[Callable[[], object]]:
    """A process with two books open; what is yielded kills it."""
    with run(HOLDER, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def kill() -> None:
            process.kill()
            process.wait()

        try:
            yield kill
        finally:
            kill()


def test_claims_end_with_their_process(folder: Path) -> None:
    with takes_in(folder) as takes, killed_holder(folder) as kill:
        assert [takes.claim(key(number)) for number in (3, 4)] == [False, False]
        kill()
        assert [takes.claim(key(number)) for number in (3, 4)] == [True, True]


@pytest.mark.parametrize("lock", ["is there", "was removed by an earlier version"])
def test_a_process_that_was_killed_keeps_no_book_open(folder: Path, lock: str) -> None:
    with killed_holder(folder) as kill:
        kill()
    if lock != "is there":
        for path in (folder / "open").iterdir():
            path.unlink()
    with takes_in(folder, "c", limit_bytes=3000, memory_bytes=0) as takes:
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
            assert index.execute("SELECT book FROM session").fetchall() == [("c",)]
            assert index.execute("SELECT key FROM claim").fetchall() == []
        takes.put(key(5), sound(5), RATE)
        assert [takes.has(key(number)) for number in (1, 2, 5)] == [False, False, True]


def test_a_process_that_lives_keeps_its_books_open_and_its_claims(folder: Path) -> None:
    with killed_holder(folder), takes_in(folder, "c", limit_bytes=3000, memory_bytes=0) as takes:
        takes.put(key(5), sound(5), RATE)
        assert [takes.has(key(number)) for number in (1, 2, 5)] == [True, True, True]
        assert not takes.claim(key(3))


def test_what_is_left_of_starting_processes_is_swept(folder: Path) -> None:
    (folder / "open").mkdir(parents=True)
    for name in ("12-0a1b2c3d.new", "13-0a1b2c3d.lock.new", "14-0a1b2c3d.lock", "14-0a1b2c3d.part"):
        (folder / "open" / name).touch()
    with takes_in(folder):
        assert len(list((folder / "open").iterdir())) == 1
    assert not list((folder / "open").iterdir())


def test_where_files_cannot_be_locked_takes_are_kept_and_nobody_is_taken_for_dead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(file: object, kind: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with takes_in(folder, "a", must_keep=True) as one, takes_in(folder, "b") as other:
        one.put(key(1), sound(1), RATE)
        assert same(other, 1)
        assert one.claim(key(2))
        assert not other.claim(key(2))


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def index_held(folder: Path) -> Iterator[None]:
    """Another process is stopped in the middle of writing the index."""
    command = [sys.executable, "-c", HOLD, str(folder / "index.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.communicate()


def test_an_index_that_another_holds_costs_a_line_and_is_not_waited_for_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(index, "LOCK_WAIT_SECONDS", 0.3)
    said: list[str] = []
    with Store(folder, say=said.append) as store, store.for_book("b") as takes:
        takes.put(key(0), sound(0), RATE)
        with index_held(folder):
            for number in range(1, 30):
                began = time.monotonic()
                assert takes.claim(key(number))
                takes.put(key(number), sound(number), RATE)
                assert same(takes, number)
                waits.append(time.monotonic() - began)
        assert len(said) == 1
        assert "Another program holds" in said[0]
        assert str(folder / "index.sqlite") in said[0]
        assert sum(wait > 0.25 for wait in waits) <= 3, "not at every take"
        takes.put(key(30), sound(30), RATE)
        assert store.books()["b"].takes == 31, "what was kept meanwhile is entered later"


def test_patience_comes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LOCK_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(index, "IMPATIENT_SECONDS", 0.0)
    with Store(folder, say=lambda _: None) as store, store.for_book("b") as takes:
        with index_held(folder):
            takes.put(key(0), sound(0), RATE)
            monkeypatch.setattr(index, "LOCK_WAIT_SECONDS", 60.0)
            waiting = Background(lambda: takes.put(key(1), sound(1), RATE))
            assert not waiting.wait(0.5)
        waiting.result()
        assert store.books()["b"].takes == 2


def test_many_threads_use_one_store(folder: Path) -> None:
    wrong: list[int] = []
    with Store(folder, memory_bytes=100_000) as store:

        def work(seed: int) -> None:
            with store.for_book(str(seed)) as takes:
                for number in random.Random(seed).sample(range(60), 60):
                    if takes.get(key(number)) is None:
                        takes.put(key(number), sound(number), RATE)
                    if not same(takes, number):
                        wrong.append(number)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.size().takes == 60
    assert not wrong


# Where takes cannot be kept


def test_a_disk_that_fills_up_is_said_once_and_reading_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        folder = tmp_path / "small" / "store"
        with Store(folder, say=said.append) as store:
            views = [store.for_book(book) for book in ("a", "b")]
            for number in range(60):
                views[number % 2].put(key(number), sound(number, 48000), RATE)
                assert same(views[number % 2], number, 48000)
        assert len(said) == 1
        assert "full" in said[0]
        assert "\n" not in said[0]
        with Store(folder, memory_bytes=0, say=said.append) as store, store.for_book("") as takes:
            health = store.verify()
            assert health.damaged == []
            assert 5 < health.whole.takes < 60
            assert all(same(takes, number, 48000) for number in range(5))
            store.clear()
            takes.put(key(99), sound(99), RATE)
            assert same(takes, 99)
        assert len(said) == 1


def test_an_export_stops_at_a_full_disk_and_keeps_its_takes(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        folder, number = tmp_path / "small" / "store", 0
        said: list[str] = []
        with Store(folder, memory_bytes=1 << 20, say=said.append) as store:
            listener, export = store.for_book("a"), store.for_book("b", must_keep=True)
            with pytest.raises(NarrateError, match="full.*--store") as stopped:
                for number in range(60):
                    export.put(key(number), sound(number, 48000), RATE)
            assert said == []
            listener.put(key(99), sound(99, 48000), RATE)
            assert len(said) == 1
            assert same(listener, 99, 48000)
        assert "\n" not in str(stopped.value)
        with takes_in(folder, memory_bytes=0) as takes:
            assert number > 5
            assert all(same(takes, kept, 48000) for kept in range(number))
            assert takes.damaged == 0


def test_a_read_only_store_is_read(tmp_path: Path) -> None:
    said: list[str] = []
    place = tmp_path / "fixed"
    with mounted(place, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        folder = place / "store"
        with takes_in(folder, "b") as takes:
            takes.put(key(1), sound(1), RATE)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with Store(folder, say=said.append) as store, store.for_book("a") as takes:
            assert same(takes, 1)
            assert takes.claim(key(2))
            assert said == []
            for number in range(2, 5):
                takes.put(key(number), sound(number), RATE)
                assert same(takes, number)
            assert store.size().takes == 1
        assert len(said) == 1
        for read_only in (folder, place / "new"):
            with Store(read_only) as store, pytest.raises(NarrateError, match="--store"):
                store.for_book("a", must_keep=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_without_permission_is_said_once(folder: Path) -> None:
    folder.mkdir(mode=0o555)
    said: list[str] = []
    with takes_in(folder, say=said.append) as takes:
        for number in range(3):
            takes.put(key(number), sound(number), RATE)
            assert same(takes, number)
    assert len(said) == 1


def test_a_file_in_the_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    said: list[str] = []
    with takes_in(tmp_path / "store", say=said.append) as takes:
        for number in range(3):
            takes.put(key(number), sound(number), RATE)
            assert same(takes, number)
    assert len(said) == 1
    assert (tmp_path / "store").read_text() == "not a folder"


def test_a_store_deleted_in_mid_run(tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "outer" / "store"
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "other.txt").write_text("mine")
    with Store(folder, say=said.append) as store, store.for_book("b") as takes:
        for number in range(9):
            if number == 4:
                shutil.rmtree(folder)
            takes.put(key(number), sound(number), RATE)
            assert same(takes, number)
            assert takes.claim(key(100 + number))
        assert len(said) == 1
        assert "deleted" in said[0]
        assert store.verify().whole.takes == 0
    assert [path.name for path in (tmp_path / "outer").iterdir()] == ["other.txt"]
    with pytest.raises(NarrateError, match="deleted"), takes_in(folder, must_keep=True) as takes:
        takes.put(key(1), sound(1), RATE)
        shutil.rmtree(folder)
        takes.put(key(2), sound(2), RATE)
