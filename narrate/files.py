"""Files that appear whole or not at all, and files of which everybody can tell whether their writer still lives."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # On Windows there are no such locks, but nobody can remove a file that somebody has open.
    fcntl = None  # type: ignore[assignment]

NEW = ".new"  # ends the name of a held file until it is locked
STALE_SECONDS = 60.0  # after this time nobody is still writing a small file


class Exchanged(OSError):
    """Another program removed or replaced a file while we were writing it."""


def unique() -> str:
    """Letters for a file name that no other process has. Process numbers will not do: two containers share them."""
    return secrets.token_hex(8)


class HeldFile:
    """A new, empty file at `path`, known to be in use until it is closed or its process ends, however it ends.

    It is locked before it appears under its name, so nobody takes it for abandoned. On a file system without locks it
    can be written all the same; there every file counts as held. `private`: only its owner may read it. Raises
    `OSError`.
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self.path = path
        self._file = _created_and_locked(path, private)

    def is_in_place(self) -> bool:
        """True if the file that now stands under the name is the one that was created."""
        if fcntl is None:
            return True
        with suppress(OSError, ValueError):  # there is none, or this one was closed
            return os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))
        return False

    def move_to(self, target: Path) -> None:
        """Give the finished file the name `target`, in one step, once the disk has all of it; then let go of it.

        Raises `Exchanged` if another file stands under its name; then nothing is renamed.
        """
        os.fsync(self._file.fileno())
        if not self.is_in_place():
            raise Exchanged(f"{self.path} was removed or replaced")
        if fcntl is None:
            self._file.close()
        os.replace(self.path, target)
        self._file.close()
        with suppress(OSError):  # not every system can promise that a name survives a power cut
            to_disk(target.parent)

    def discard(self) -> None:
        """Remove the file and let go of it. What somebody else put in its place stays."""
        if fcntl is None:
            self._file.close()
        if self.is_in_place():
            _unlink(self.path)
        self._file.close()


def _created_and_locked(path: Path, private: bool) -> BinaryIO:
    opener = open_private if private else None
    if fcntl is None:
        return open(path, "xb", opener=opener)
    temporary = path.with_name(path.name + NEW)
    while True:
        file: BinaryIO | None = None
        try:
            file = open(temporary, "xb", opener=opener)  # noqa: SIM115 - it stays open as long as it is held
            with suppress(OSError):  # this file system knows no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            os.rename(temporary, path)
            return file
        except FileNotFoundError:
            if file is None:  # the folder is not there
                raise
            file.close()  # it was swept away in the moment before it was locked
        except BaseException:  # being ended arrives as an exception too
            if file is not None:
                file.close()
            _unlink(temporary)
            _unlink(path)
            raise


def is_held(path: Path) -> bool:
    """True if the process that holds the file may still live; False if it has ended, or there is no such file."""
    try:
        if fcntl is None:
            path.unlink()  # this fails as long as somebody has it open
        else:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # it is locked, or cannot be locked at all
        return True
    return False


def remove_abandoned(path: Path) -> None:
    """Remove the file unless a living process may hold it, or it is not ours to remove."""
    with suppress(OSError):
        if fcntl is None:
            path.unlink()
        else:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink()  # while it is locked, so that nobody takes it into use in between


def write_atomically(path: Path, data: bytes, *, lasting: bool = False, private: bool = True) -> None:
    """Have the small file `path` hold `data`. Whenever this is stopped, it holds all of it or what it held before.

    `private`: only its owner may read it. `lasting` waits until the disk has the bytes. Raises `OSError`.
    """
    temporary = path.with_name(f"{path.name}.{unique()}.part")
    try:
        with open(temporary, "xb", opener=open_private if private else None) as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        _unlink(temporary)
        raise


def sweep_unfinished(folder: Path, name: str = "*") -> None:
    """Remove what processes left that were killed while they wrote the file `name`, or any file, in the folder."""
    for part in folder.glob(f"{name}.*.part"):
        with suppress(OSError):  # its process has just finished it
            if part.stat().st_mtime < time.time() - STALE_SECONDS:
                part.unlink()


def to_disk(path: Path) -> None:
    """Wait until the disk has the bytes of a file, or the names in a folder. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(folder: Path) -> None:
    """Make the folder and those above it, as far as they are not there. Only their owner may look into them.

    What somebody reads is private. Folders that are there stay as they are. Raises `OSError`.
    """
    if not folder.parent.is_dir():
        private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """An `opener` for `open`: a file that it creates may be read by its owner alone."""
    return os.open(path, flags, 0o600)


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
