"""A take is made once: heard, exported, edited, damaged, by two at a time, or with nowhere to keep it."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import Samples
from tests.killed import BATCH, PATIENCE, Export, novel
from tests.recorded import Recorder, alsa_recorder
from tests.stored import files

TONE = ("-e", "tone:rate=8000", "--max-chars", "60")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "novel.txt"
    path.write_text(novel(60))
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "narrate", *map(str, arguments)]


def narrate(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )


def takes(said: str) -> tuple[int, int]:
    """How many takes the program says it has made, and how many it has reused."""
    found = re.search(r"(\d+) takes? made, (\d+) reused \(\d+\.\d%\)", said)
    assert found, said
    return int(found[1]), int(found[2])


def exported(source: Path, target: Path, *options: object) -> tuple[int, int]:
    done = narrate(source, "-o", target, "--force", "--verbose", *options)
    assert done.returncode == 0, done.stderr
    return takes(done.stderr)


def samples(path: Path) -> Samples:
    return np.asarray(soundfile.read(path, dtype="float32")[0], dtype=np.float32)


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Heard, then exported


@pytest.mark.parametrize("engine", ["tone", "tone-stream"])
def test_what_was_heard_is_in_the_file_and_is_not_made_again(tmp_path: Path, source: Path, engine: str) -> None:
    quick, slow = ("-e", engine, "--max-chars", "60"), ("-e", f"{engine}:rtf=0.05", "--max-chars", "60")
    store = ("--store", tmp_path / "store")
    undisturbed = tmp_path / "undisturbed.wav"
    chunks, none = exported(source, undisturbed, *quick, "--no-store")
    part = len(samples(undisturbed)) // 4
    recorder = alsa_recorder(tmp_path, paced=False)
    listening = subprocess.Popen(command(source, *slow, *store), env=recorder.env, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: recorder.raw.exists() and recorder.raw.stat().st_size > 4 * part, listening)
    listening.send_signal(signal.SIGINT)
    _, said = listening.communicate(timeout=PATIENCE)
    assert listening.returncode == 130, said
    stored = len(files(tmp_path / "store"))
    assert none == 0
    assert 0.2 * chunks < stored < chunks

    assert exported(source, tmp_path / "book.wav", *quick, *store) == (chunks - stored, stored)
    heard, written = np.trim_zeros(recorder.read(), "b"), samples(tmp_path / "book.wav")
    assert len(heard) >= 0.9 * part
    assert np.array_equal(heard, written[: len(heard)])
    assert (tmp_path / "book.wav").read_bytes() == undisturbed.read_bytes()


# Edited


def assert_only_the_change_is_made(source: Path, folder: Path, old: str, new: str) -> None:
    options = (*TONE, "--store", folder / "store")
    made, reused = exported(source, folder / "first.wav", *options)
    text = source.read_text(encoding="utf-8")
    place = text.index(old, len(text) // 2)
    source.write_text(text[:place] + new + text[place + len(old) :], encoding="utf-8")
    made_now, reused_now = exported(source, folder / "second.wav", *options)
    assert 1 <= made_now <= 3
    assert made_now + reused_now == pytest.approx(made + reused, abs=1)
    before, after = samples(folder / "first.wav"), samples(folder / "second.wav")
    shared = min(len(before), len(after))
    same_from_start = np.flatnonzero(before[:shared] != after[:shared])[0]
    same_to_end = np.flatnonzero(before[::-1][:shared] != after[::-1][:shared])[0]
    assert shared - same_from_start - same_to_end < 60 * 8000, "more than a minute changed"


def test_one_changed_word_costs_its_chunk(tmp_path: Path, source: Path) -> None:
    assert_only_the_change_is_made(source, tmp_path, "lantern", "wonderful candle")


def test_one_changed_word_in_a_real_book(tmp_path: Path, books: Path) -> None:
    source = tmp_path / "alice.txt"
    shutil.copy(books / "alice.txt", source)
    assert_only_the_change_is_made(source, tmp_path, "Hatter", "Milliner")


@pytest.mark.parametrize("change", ["a typo", "another name", "another voice"])
def test_the_place_is_found_again(tmp_path: Path, source: Path, change: str) -> None:
    quick: tuple[str, ...] = ("-e", "tone", "--max-chars", "60")
    (tmp_path / "first").mkdir()
    recorder = alsa_recorder(tmp_path / "first", paced=False)
    slow = ("-e", "tone:rtf=0.05", "--max-chars", "60")
    listening = subprocess.Popen(command(source, *slow), env=recorder.env, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: recorder.raw.exists() and recorder.raw.stat().st_size > 4 * 20 * 24_000, listening)
    listening.send_signal(signal.SIGINT)
    listening.communicate(timeout=PATIENCE)
    if change == "a typo":
        source.write_text(source.read_text().replace("number 0.", "the very first number, 0. It was long ago."))
    elif change == "another name":
        source = source.rename(tmp_path / "the same novel.txt")
    elif change == "another voice":
        quick += ("-v", "high")

    recorder = alsa_recorder(tmp_path, paced=False)
    done = narrate(source, *quick, env=recorder.env)
    assert done.returncode == 0, done.stderr
    assert "Going on" in done.stderr
    exported(source, tmp_path / "whole.wav", *quick, "--no-store")
    heard, written = np.trim_zeros(recorder.read(), "b"), np.trim_zeros(samples(tmp_path / "whole.wav"), "b")
    assert 0.2 * len(written) < len(heard) < len(written) - 15 * 24_000
    assert np.array_equal(heard, written[-len(heard) :])


def test_fresh_takes_are_made_once_too(tmp_path: Path) -> None:
    source = tmp_path / "refrain.txt"
    source.write_text("The lamp is lit. The lamp is lit. Somebody comes. The lamp is lit. Somebody comes.")
    options = ("-e", "tone:rate=8000", "--store", tmp_path / "store")
    assert exported(source, tmp_path / "a.wav", *options) == (2, 3)
    assert exported(source, tmp_path / "b.wav", *options, "--fresh-takes") == (3, 2)
    assert exported(source, tmp_path / "c.wav", *options, "--fresh-takes") == (0, 5)
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()
    first, second = samples(tmp_path / "a.wav"), samples(tmp_path / "b.wav")
    assert len(first) == len(second)
    assert not np.array_equal(first, second)


# Damaged


def test_fifty_damaged_takes_are_noticed_and_made_again(tmp_path: Path, source: Path) -> None:
    options = (*TONE, "--store", tmp_path / "store")
    chunks, _ = exported(source, tmp_path / "first.wav", *options)
    chance = random.Random(3)
    for path in chance.sample(files(tmp_path / "store"), 50):
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    done = narrate(source, "-o", tmp_path / "second.wav", "--verbose", *options)
    assert done.returncode == 0, done.stderr
    assert takes(done.stderr) == (50, chunks - 50)
    assert "50 damaged" in done.stderr
    assert (tmp_path / "first.wav").read_bytes() == (tmp_path / "second.wav").read_bytes()
    assert exported(source, tmp_path / "third.wav", *options) == (0, chunks)


# Two at once


@pytest.mark.parametrize("engine", ["tone:rtf=0.003,rate=8000", "tone-stream:rtf=0.003,rate=8000", "espeak", "tone"])
def test_two_exports_at_once_share_the_work(tmp_path: Path, source: Path, engine: str) -> None:
    options = ("-e", engine, "--max-chars", "60")
    alone = Export(tmp_path / "alone", source, options)
    alone.finish()
    pair = [Export(tmp_path / "shared", source, options, name) for name in ("one", "other")]
    running = [export.start() for export in pair]
    for process in running:
        _, said = process.communicate(timeout=PATIENCE)
        assert (process.returncode, said) == (0, "")
    for export in pair:
        assert export.target.read_bytes() == alone.target.read_bytes()
    assert alone.begun <= sum(export.begun for export in pair) <= alone.begun + BATCH
    assert len(files(pair[0].store)) == alone.begun


def test_an_export_does_not_wait_for_somebody_who_listens(tmp_path: Path, source: Path) -> None:
    slow, quick = (
        ("-e", engine, "--max-chars", "60", "--store", tmp_path / "store") for engine in ("tone:rtf=0.4", "tone")
    )
    recorder = alsa_recorder(tmp_path, paced=True)
    listening = subprocess.Popen(command(source, *slow), env=recorder.env, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: recorder.raw.exists() and recorder.raw.stat().st_size > 0, listening)
    made, reused = exported(source, tmp_path / "book.wav", *quick)
    assert listening.poll() is None
    assert made > 2 * reused
    listening.send_signal(signal.SIGINT)
    _, said = listening.communicate(timeout=PATIENCE)
    assert listening.returncode == 130, said
    heard, written = np.trim_zeros(recorder.read(), "b"), samples(tmp_path / "book.wav")
    assert len(heard)
    assert np.array_equal(heard, written[: len(heard)])


# Nowhere to keep it


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, free: int) -> Path:
    """A file that leaves so many bytes free."""
    ballast, facts = disk / "ballast", os.statvfs(disk)
    ballast.write_bytes(bytes(facts.f_bavail * facts.f_frsize - free))
    return ballast


def assert_stops_with(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("narrate:")]
    assert len(complaints) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in complaints[0]


def whole(source: Path, folder: Path) -> bytes:
    exported(source, folder / "whole.wav", *TONE, "--no-store")
    return (folder / "whole.wav").read_bytes()


def assert_heard_all(done: subprocess.CompletedProcess[str], recorder: Recorder, source: Path, folder: Path) -> None:
    """All of the book sounded, and one line said what was wrong."""
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("without storing") == 1
    exported(source, folder / "due.wav", "-e", "tone", "--max-chars", "60", "--no-store")
    due = samples(folder / "due.wav")
    heard = recorder.read()
    assert np.array_equal(heard[: len(due)], due)
    assert not heard[len(due) :].any()


def test_a_disk_that_fills_up_with_takes(tmp_path: Path, source: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        ballast = fill(disk, free=1_000_000)
        options = (*TONE, "--store", disk / "store")
        assert_stops_with(narrate(source, "-o", tmp_path / "book.wav", *options), "full", "--store", "again")
        assert not list(tmp_path.glob("*.wav"))
        assert not list(tmp_path.glob(".*"))
        kept = len(files(disk / "store"))
        assert kept > 5

        recorder = alsa_recorder(tmp_path, paced=False)
        listened = narrate(source, "-e", "tone", "--max-chars", "60", "--store", disk / "store", env=recorder.env)
        assert_heard_all(listened, recorder, source, tmp_path)
        assert len(files(disk / "store")) == kept

        ballast.unlink()
        made, reused = exported(source, tmp_path / "book.wav", *options)
        assert reused == kept
        assert made > 5
    assert (tmp_path / "book.wav").read_bytes() == whole(source, tmp_path)


def test_a_disk_that_fills_up_with_the_file(tmp_path: Path, source: Path) -> None:
    disk, options = tmp_path / "disk", (*TONE, "--store", tmp_path / "store")
    with small_disk(disk):
        ballast = fill(disk, free=1_000_000)
        assert_stops_with(narrate(source, "-o", disk / "book.wav", *options), "full", "-o")
        assert list(disk.iterdir()) == [ballast]
        kept = len(files(tmp_path / "store"))
        assert kept > 5
        ballast.unlink()
        _, reused = exported(source, disk / "book.wav", *options)
        assert reused == kept
        assert (disk / "book.wav").read_bytes() == whole(source, tmp_path)


def test_a_read_only_folder(tmp_path: Path, source: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        made, _ = exported(source, tmp_path / "book.wav", *TONE, "--store", disk / "store")
        before = sorted(disk.rglob("*"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for store in (disk / "store", disk / "new"):
            done = narrate(source, "-o", tmp_path / "second.wav", *TONE, "--store", store)
            assert_stops_with(done, "read-only", "--store")
        refused = narrate(source, "-o", disk / "book.wav", *TONE, "--no-store")
        assert (refused.returncode, "cannot be written" in refused.stderr) == (2, True)
        recorder = alsa_recorder(tmp_path, paced=False)
        listened = narrate(source, "-e", "tone", "--max-chars", "60", "--store", disk / "store", env=recorder.env)
        assert_heard_all(listened, recorder, source, tmp_path)
        assert sorted(disk.rglob("*")) == before
    assert made > 5


def test_a_store_that_is_deleted_under_an_export(tmp_path: Path, source: Path) -> None:
    store = tmp_path / "mine" / "store"
    export = command(
        source, "-o", tmp_path / "mine" / "book.wav", "-e", "tone:rtf=0.02", "--max-chars", "60", "--store", store
    )
    store.parent.mkdir()
    (store.parent / "diary.txt").write_text("mine")
    with subprocess.Popen(export, stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: len(files(store)) > 2 * BATCH, running)
        shutil.rmtree(store, ignore_errors=True)
        _, said = running.communicate(timeout=PATIENCE)
    assert_stops_with(subprocess.CompletedProcess(export, running.returncode, "", said), "deleted", "--store")
    assert [path.name for path in store.parent.iterdir() if path != store] == ["diary.txt"]
    assert not list(store.rglob("*.part"))


def test_a_store_that_is_deleted_while_somebody_listens(tmp_path: Path, source: Path) -> None:
    store, recorder = tmp_path / "store", alsa_recorder(tmp_path, paced=False)
    listen = command(source, "-e", "tone:rtf=0.01", "--max-chars", "60", "--store", store)
    with subprocess.Popen(listen, env=recorder.env, stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: len(files(store)) > 2 * BATCH, running)
        shutil.rmtree(store, ignore_errors=True)
        _, said = running.communicate(timeout=PATIENCE)
    done = subprocess.CompletedProcess(listen, running.returncode, "", said)
    assert_heard_all(done, recorder, source, tmp_path)
