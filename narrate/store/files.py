"""The files of a store: `takes/ab/ab12….flac`, one per take, and nothing else.

A file that is there was written whole: it was renamed into its place. Whether its bytes are still those that were
written only its seal knows (flac.py), power cuts included; so writing need not wait for the disk, and waiting (fsync)
only serves to lose little. It may cost a twentieth of the time: any voice slower than a few hundred times real time
has every take on the disk before the next one is made, and a faster one loses nothing worth keeping.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SYNC_SHARE = 0.05  # of the time may be spent waiting for the disk
_TAG = "b2:"


class Entry(NamedTuple):
    key: str
    size: int
    written: float


class Shelf:
    """Takes as bytes, by key. Every method may raise `OSError`; a shelf that was deleted is not made again."""

    def __init__(self, folder: Path) -> None:
        self._takes = folder / "takes"
        self._not_synced: list[Path] = []
        self._opened, self._waited = time.monotonic(), 0.0

    def build(self) -> None:
        self._takes.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        name = key.removeprefix(_TAG)
        return self._takes / name[:2] / f"{name}.flac"

    def place(self, key: str, part: Path) -> None:
        """Move the file `part` into the place of the take `key`."""
        path = self.path(key)
        path.parent.mkdir(exist_ok=True)
        part.replace(path)
        self._not_synced.append(path)

    def remove(self, key: str) -> None:
        """Gone is gone, whoever did it; a file that cannot be removed stays."""
        with suppress(OSError):
            self.path(key).unlink()

    def entries(self) -> Iterator[Entry]:
        """Every take there is, by the names of the files alone."""
        for folder in self._takes.glob("??"):
            with suppress(FileNotFoundError), os.scandir(folder) as files:
                for file in files:
                    if file.name.endswith(".flac"):
                        with suppress(FileNotFoundError):
                            facts = file.stat()
                            yield Entry(_TAG + file.name.removesuffix(".flac"), facts.st_size, facts.st_mtime)

    def sync(self, *, at_most: float = 0.0) -> None:
        """Wait for the disk to have what was placed: as long as the share allows, or `at_most` seconds if more."""
        until = time.monotonic() + at_most
        while self._not_synced:
            begin = time.monotonic()
            if begin >= until and self._waited > SYNC_SHARE * (begin - self._opened):
                return
            # Removed meanwhile, or a system that cannot: the seal will tell. Or another thread took the last of them.
            with suppress(OSError, IndexError):
                path = self._not_synced.pop()
                _to_disk(path)
                _to_disk(path.parent)
            self._waited += time.monotonic() - begin


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
