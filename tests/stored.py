"""Takes to store and to find again: every number has a key and a sound of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from narrate.clip import Samples, to_int16
from narrate.store.store import BookTakes, Store
from narrate.store.takes import Takes

RATE = 24000


def key(number: int) -> str:
    return f"b2:{number:040x}"


def sound(number: int, length: int = 2400) -> Samples:
    """A sound of its own for every number."""
    return np.random.default_rng(number).uniform(-0.5, 0.5, length).astype(np.float32)


def same(takes: Takes, number: int, length: int = 2400) -> bool:
    """True if the take is exactly the sound that was put there."""
    take = takes.get(key(number))
    return take is not None and np.array_equal(to_int16(take.samples), to_int16(sound(number, length)))


@contextmanager
def takes_in(folder: Path, book: str = "", *, must_keep: bool = False, **options: Any) -> Iterator[BookTakes]:
    """The store in the folder, opened for one book alone."""
    with Store(folder, **options) as store, store.for_book(book, must_keep=must_keep) as takes:
        yield takes


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("takes/*/*.flac"))
