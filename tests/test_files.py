"""Files that appear whole or not at all: whatever stops their writer, no half file and no leftover; nothing of others
is touched."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from narrate import files
from narrate.files import Exchanged, HeldFile, is_held, remove_abandoned, sweep_unfinished, write_atomically

STOPS = [KeyboardInterrupt, SystemExit, OSError]


def stopped_after(real: Callable[..., Any], stop: type[BaseException]) -> Callable[..., Any]:
    """What `real` does is done, and then the program is ended."""

    def done(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        raise stop

    return done


def no_locks(file: object, kind: int) -> None:
    raise OSError(errno.ENOLCK, "no locks available")


# Held files


def test_a_file_is_held_until_it_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "part"
    held = HeldFile(path)
    assert list(tmp_path.iterdir()) == [path]
    assert is_held(path)
    remove_abandoned(path)
    assert path.exists()
    held.discard()
    assert not is_held(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_nobody_holds_is_abandoned(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.touch()
    assert not is_held(path)
    assert path.exists()
    remove_abandoned(path)
    assert not path.exists()
    remove_abandoned(path)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["flock", "rename"])
def test_stopped_while_a_file_is_created_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, stop: type[BaseException]
) -> None:
    module: Any = {"flock": fcntl, "rename": os}[where]
    monkeypatch.setattr(module, where, stopped_after(getattr(module, where), stop))
    with pytest.raises(stop):
        HeldFile(tmp_path / "part")
    assert list(tmp_path.iterdir()) == []


def test_stopped_before_a_file_is_renamed_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(old: Path, new: Path) -> None:
        raise SystemExit(143)

    monkeypatch.setattr(os, "rename", ended)
    with pytest.raises(SystemExit):
        HeldFile(tmp_path / "part")
    assert list(tmp_path.iterdir()) == []


def test_swept_away_before_it_was_locked_it_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, times = fcntl.flock, []

    def late(file: Any, kind: int) -> None:
        times.append(kind)
        if len(times) == 1:
            remove_abandoned(Path(file.name))
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    held = HeldFile(tmp_path / "part")
    assert held.is_in_place()
    assert is_held(tmp_path / "part")
    assert list(tmp_path.iterdir()) == [tmp_path / "part"]
    held.discard()


def test_where_there_is_no_folder_nothing_is_created(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HeldFile(tmp_path / "nowhere" / "part")


def test_the_finished_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append("folder" if os.path.samestat(os.fstat(descriptor), tmp_path.stat()) else "file")
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        done.append("name")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    held = HeldFile(tmp_path / "part")
    held.path.write_bytes(b"sound")
    held.move_to(tmp_path / "book")
    assert done == ["file", "name", "folder"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"sound"]
    assert not is_held(tmp_path / "book")


@pytest.mark.parametrize("change", ["removed", "replaced", "replaced while the target is there"])
def test_a_file_that_was_exchanged_is_not_renamed_and_not_removed(tmp_path: Path, change: str) -> None:
    held = HeldFile(tmp_path / "part")
    held.path.write_bytes(b"ours")
    held.path.unlink()
    kept = {}
    if change != "removed":
        held.path.write_bytes(b"theirs")
        kept["part"] = b"theirs"
    if "target" in change:
        (tmp_path / "book").write_bytes(b"an earlier book")
        kept["book"] = b"an earlier book"
    assert not held.is_in_place()
    with pytest.raises(Exchanged):
        held.move_to(tmp_path / "book")
    held.discard()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_where_files_cannot_be_locked_they_are_written_and_nothing_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    held = HeldFile(tmp_path / "part")
    held.path.write_bytes(b"sound")
    remove_abandoned(held.path)
    assert is_held(held.path)
    held.move_to(tmp_path / "book")
    assert (tmp_path / "book").read_bytes() == b"sound"


# Small files


@pytest.mark.parametrize("lasting", [False, True])
def test_a_small_file_is_replaced_whole_and_is_private(tmp_path: Path, lasting: bool) -> None:
    path = tmp_path / "places.json"
    path.write_bytes(b"an earlier text that is longer")
    path.chmod(0o644)
    write_atomically(path, b"new", lasting=lasting)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("stop", STOPS)
def test_stopped_while_a_small_file_is_written_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    path = tmp_path / "places.json"
    path.write_bytes(b"old")

    def created(*arguments: Any, **options: Any) -> None:
        open(*arguments, **options).close()
        raise stop

    with monkeypatch.context() as patch, pytest.raises(stop):
        patch.setattr(files, "open", created, raising=False)
        write_atomically(path, b"new")
    with monkeypatch.context() as patch, pytest.raises(stop):
        patch.setattr(os, "fsync", stopped_after(os.fsync, stop))
        write_atomically(path, b"new", lasting=True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_only_what_lasts_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    write_atomically(tmp_path / "now.json", b"passing")
    assert sizes == []
    write_atomically(tmp_path / "place.json", b"lasting", lasting=True)
    assert sizes == [len(b"lasting")]


def test_two_writers_at_once_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with the same process number, as two containers have it."""
    path, replace, between = tmp_path / "place.json", Path.replace, []

    def interrupted(self: Path, target: Path) -> Path:
        if not between:
            between.append(self)
            write_atomically(path, b"the other")
        return replace(self, target)

    monkeypatch.setattr(os, "getpid", lambda: 7)
    monkeypatch.setattr(Path, "replace", interrupted)
    write_atomically(path, b"the one")
    assert path.read_bytes() == b"the one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    seconds_ago = {
        "a.json.0123456789abcdef.part": 90,
        "a.json.fedcba9876543210.part": 30,
        "b.json.0123456789abcdef.part": 90,
        "b.1234.part": 90,
        "film.part": 90,
        "a.json": 90,
    }
    for name, seconds in seconds_ago.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, 2 * (time.time() - seconds,))
    left = set(seconds_ago)
    sweep_unfinished(tmp_path, "a.json")
    left -= {"a.json.0123456789abcdef.part"}
    assert {path.name for path in tmp_path.iterdir()} == left
    sweep_unfinished(tmp_path)
    left -= {"b.json.0123456789abcdef.part", "b.1234.part"}
    assert {path.name for path in tmp_path.iterdir()} == left
