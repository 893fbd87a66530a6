"""Who is using a store just now. A process that ends, however it ends, is seen to have ended.

Every open store holds a locked file `open/<name>.lock`; the system drops the lock with its process. Beside it lies the
one file the process is writing, so that what a killed process left behind is found and removed without a search.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that somebody has open
    fcntl = None  # type: ignore[assignment]


class Session:
    """This process's use of the store in `folder`. Raises `OSError` if the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._desk = folder / "open"
        self._desk.mkdir(parents=True, exist_ok=True)
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = self._path(self.name, "lock")
        self._file: BinaryIO
        if fcntl is None:
            self._file = self._lock.open("wb")
        else:
            unborn = self._path(self.name, "new")
            self._file = unborn.open("wb")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            unborn.rename(self._lock)  # it appears under its name locked: never taken for a dead one

    @property
    def part(self) -> Path:
        """The file being written."""
        return self._path(self.name, "part")

    def close(self) -> None:
        self._file.close()
        self._remove(self.name)

    def lives(self, name: str) -> bool:
        """True as long as the session's process has it open."""
        if name == self.name:
            return True
        try:
            if fcntl is None:
                self._path(name, "lock").unlink()
            else:
                with self._path(name, "lock").open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def bury_the_dead(self) -> Iterator[str]:
        """Remove what ended processes left behind; their names."""
        for lock in self._desk.glob("*.lock"):
            if not self.lives(lock.stem):
                self._remove(lock.stem)
                yield lock.stem

    def _remove(self, name: str) -> None:
        for kind in ("part", "lock"):
            with suppress(OSError):  # deleted with the store, or become read-only: then it may stay
                self._path(name, kind).unlink()

    def _path(self, name: str, kind: str) -> Path:
        return self._desk / f"{name}.{kind}"
