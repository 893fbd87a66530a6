"""Which processes are using a store just now. One that ends, however it ends, is seen to have ended.

Every open store holds a locked file `open/<name>.lock`; the system drops the lock with its process. Beside it lies the
one file the process is writing, so that what a killed process left behind is found and removed without a search.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from narrate.files import NEW, HeldFile, is_held, private_folder, remove_abandoned


class Presence:
    """This process's use of the store in `folder`. Raises `OSError` if the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "open"
        private_folder(self._folder)
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"  # the number is for people who look into the folder
        self._lock = HeldFile(self._path(self.name, "lock"), private=True)

    @property
    def part(self) -> Path:
        """The file being written."""
        return self._path(self.name, "part")

    def close(self) -> None:
        with suppress(OSError):  # deleted with the store, or become read-only: then it may stay
            self.part.unlink()
        self._lock.discard()

    def lives(self, name: str) -> bool:
        """True as long as the process of that presence has the store open, as far as the system can tell."""
        return name == self.name or is_held(self._path(name, "lock"))

    def reap(self) -> Iterator[str]:
        """Remove what ended processes left behind; yields the names of their presences."""
        for path in list(self._folder.glob("*")):
            if path.suffix == NEW:
                remove_abandoned(path)
            elif path.suffix == ".lock" and not self.lives(path.stem):
                for kind in ("part", "lock"):
                    with suppress(OSError):
                        self._path(path.stem, kind).unlink()
                yield path.stem

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}.{kind}"
