"""The store of takes when processes are killed or work at once, and where takes cannot be kept."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrate.errors import NarrateError
from narrate.store.store import Store
from tests.stored import RATE, files, key, same, sound


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
from tests.stored import RATE, key, sound
from narrate.store.store import Store

with Store(Path(sys.argv[1]), book="killed") as store:
    for number in range(int(sys.argv[2]), 10**9):
        assert store.claim(key(number))
        store.put(key(number), sound(number), RATE)
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
        with Store(folder, memory_bytes=0) as store:
            there = store.has(key(said[-1] + 1))
            assert store.claim(key(said[-1] + 1)) != there, "a dead process holds nothing"
            assert store.claim(key(said[-1] + 2))
            assert all(same(store, number) for number in range(said[-1] + 1))
            assert same(store, said[-1] + 1) == there
            assert store.damaged == 0
            assert len(files(folder)) - store.size().takes in (0, 1)
        first = said[-1] + 1 + there
    assert not list((folder / "open").iterdir())


# Two at once


SHARER = """
import sys
from pathlib import Path
from tests.stored import RATE, key, same, sound
from narrate.store.store import Store

made = 0
with Store(Path(sys.argv[1]), memory_bytes=0, limit_bytes=int(sys.argv[2])) as store:
    sys.stdin.readline()
    waiting = list(range(150))
    while waiting:
        for number in list(waiting):
            if store.get(key(number)) is None:
                if not store.claim(key(number)):
                    continue
                store.put(key(number), sound(number), RATE)
                made += 1
            assert same(store, number) or int(sys.argv[2]) < 2**20
            waiting.remove(number)
    assert store.damaged == 0
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


def test_a_claim_is_for_one_and_ends_with_the_take_or_the_store(folder: Path) -> None:
    with Store(folder) as one, Store(folder) as other:
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
        one.__exit__(None, None, None)
        assert other.claim(key(3))


def test_many_threads_use_one_store(folder: Path) -> None:
    wrong: list[int] = []
    with Store(folder, memory_bytes=100_000) as store:

        def work(seed: int) -> None:
            for number in random.Random(seed).sample(range(60), 60):
                if store.get(key(number)) is None:
                    store.put(key(number), sound(number), RATE)
                if not same(store, number):
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
            for number in range(60):
                store.put(key(number), sound(number, 48000), RATE)
                assert same(store, number, 48000)
        assert len(said) == 1
        assert "full" in said[0]
        assert "\n" not in said[0]
        with Store(folder, memory_bytes=0, say=said.append) as store:
            health = store.verify()
            assert health.damaged == []
            assert 5 < health.whole.takes < 60
            assert all(same(store, number, 48000) for number in range(5))
            store.clear()
            store.put(key(99), sound(99), RATE)
            assert same(store, 99)
        assert len(said) == 1


def test_an_export_stops_at_a_full_disk_and_keeps_its_takes(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        folder, number = tmp_path / "small" / "store", 0
        with pytest.raises(NarrateError, match="full.*--store") as stopped, Store(folder, must_keep=True) as store:
            for number in range(60):
                store.put(key(number), sound(number, 48000), RATE)
        assert "\n" not in str(stopped.value)
        with Store(folder, memory_bytes=0) as store:
            assert number > 5
            assert all(same(store, kept, 48000) for kept in range(number))
            assert store.damaged == 0


def test_a_read_only_store_is_read(tmp_path: Path) -> None:
    said: list[str] = []
    place = tmp_path / "fixed"
    with mounted(place, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        folder = place / "store"
        with Store(folder, book="b") as store:
            store.put(key(1), sound(1), RATE)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with Store(folder, say=said.append) as store:
            assert same(store, 1)
            assert store.claim(key(2))
            assert said == []
            for number in range(2, 5):
                store.put(key(number), sound(number), RATE)
                assert same(store, number)
            assert store.size().takes == 1
        assert len(said) == 1
        with pytest.raises(NarrateError, match="--store"), Store(folder, must_keep=True):
            pass
        with pytest.raises(NarrateError, match="--store"), Store(place / "new", must_keep=True):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_without_permission_is_said_once(folder: Path) -> None:
    folder.mkdir(mode=0o555)
    said: list[str] = []
    with Store(folder, say=said.append) as store:
        for number in range(3):
            store.put(key(number), sound(number), RATE)
            assert same(store, number)
    assert len(said) == 1


def test_a_file_in_the_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    said: list[str] = []
    with Store(tmp_path / "store", say=said.append) as store:
        for number in range(3):
            store.put(key(number), sound(number), RATE)
            assert same(store, number)
    assert len(said) == 1
    assert (tmp_path / "store").read_text() == "not a folder"


def test_a_store_deleted_in_mid_run(tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "outer" / "store"
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "other.txt").write_text("mine")
    with Store(folder, say=said.append, book="b") as store:
        for number in range(9):
            if number == 4:
                shutil.rmtree(folder)
            store.put(key(number), sound(number), RATE)
            assert same(store, number)
            assert store.claim(key(100 + number))
        assert len(said) == 1
        assert "deleted" in said[0]
        assert store.verify().whole.takes == 0
    assert [path.name for path in (tmp_path / "outer").iterdir()] == ["other.txt"]
    with pytest.raises(NarrateError, match="deleted"), Store(folder, must_keep=True) as store:
        store.put(key(1), sound(1), RATE)
        shutil.rmtree(folder)
        store.put(key(2), sound(2), RATE)
