"""The files of a store: `takes/ab/ab12….flac`, one per take, and `ab12….json` beside those that were checked.

A file that is there was written whole, because it was renamed into its place. Whether its bytes are still those that
were written only its seal knows (flac.py), and the seal notices what a power cut took. So nobody has to wait for the
disk (fsync); waiting only makes a power cut cost less. It may take a twentieth of the time: any voice slower than a few
hundred times real time then has every take on the disk before the next one is made, and a faster one makes the few that
are lost in no time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from narrate.files import private_folder, to_disk
from narrate.store import flac
from narrate.store.key import is_key

SYNC_SHARE = 0.05  # of the time may be spent waiting for the disk
_TAG = "b2:"


class TakeFile(NamedTuple):
    """A file of the store. `written` is in seconds since 1970."""

    key: str
    size_bytes: int
    written: float


class TakeFiles:
    """Takes as bytes, by key. Every method may raise `OSError`; a folder that was deleted is not made again."""

    def __init__(self, folder: Path) -> None:
        self._takes = folder / "takes"
        self._not_synced: list[Path] = []
        self._opened, self._waited_seconds = time.monotonic(), 0.0

    def build(self) -> None:
        """Make the folder if it is not there yet."""
        private_folder(self._takes)

    def path(self, key: str) -> Path:
        name = key.removeprefix(_TAG)
        return self._takes / name[:2] / f"{name}.flac"

    def place(self, key: str, part: Path) -> None:
        """Move the file `part` into the place of the take `key`."""
        path = self.path(key)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part.replace(path)
        self._not_synced.append(path)
        with suppress(OSError):
            self.verdict(key).unlink()  # it was about the take before

    def verdict(self, key: str) -> Path:
        """What was found about the take: a line that tells its sound from any other (`flac.content`), and the rest."""
        return self.path(key).with_suffix(".json")

    def head(self, key: str) -> bytes:
        """The first bytes of a take's file: enough for its label and its length."""
        with self.path(key).open("rb") as file:
            return file.read(flac.LABEL_WITHIN_BYTES)

    def remove(self, key: str) -> None:
        """Remove a take, which somebody else may have done already; a file that cannot be removed stays."""
        for path in (self.path(key), self.verdict(key)):
            with suppress(OSError):
                path.unlink()

    def sweep_verdicts(self) -> None:
        """Remove verdicts whose takes an earlier version of narrate removed."""
        for path in self._takes.glob("??/*.json"):
            if not path.with_suffix(".flac").exists():
                with suppress(OSError):
                    path.unlink()

    def files(self) -> Iterator[TakeFile]:
        """Every take there is, by the names of the files alone."""
        for folder in self._takes.glob("??"):
            with suppress(FileNotFoundError), os.scandir(folder) as files:
                for file in files:
                    key = _TAG + file.name.removesuffix(".flac")
                    if file.name.endswith(".flac") and is_key(key):
                        with suppress(FileNotFoundError):
                            facts = file.stat()
                            yield TakeFile(key, facts.st_size, facts.st_mtime)

    def sync(self, *, at_most_seconds: float = 0.0) -> None:
        """Wait until the disk has what was placed: as long as the share allows, or `at_most_seconds` if that is more.

        Several threads may do so at once.
        """
        until = time.monotonic() + at_most_seconds
        while self._not_synced:
            begin = time.monotonic()
            if begin >= until and self._waited_seconds > SYNC_SHARE * (begin - self._opened):
                return
            # The take was removed meanwhile, or the system cannot sync: then its seal will tell. Or another thread
            # took the last path from the list.
            with suppress(OSError, IndexError):
                path = self._not_synced.pop()
                to_disk(path)
                to_disk(path.parent)
            self._waited_seconds += time.monotonic() - begin
