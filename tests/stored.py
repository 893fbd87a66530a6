"""Takes to store and to find again: every number has a key and a sound of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrate.clip import Samples, to_int16
from narrate.store.memory import Memory
from narrate.store.store import Store

RATE = 24000


def key(number: int) -> str:
    return f"b2:{number:040x}"


def sound(number: int, length: int = 2400) -> Samples:
    """A sound of its own for every number."""
    return np.random.default_rng(number).uniform(-0.5, 0.5, length).astype(np.float32)


def same(store: Store | Memory, number: int, length: int = 2400) -> bool:
    """True if the store has exactly the sound that was put there."""
    take = store.get(key(number))
    return take is not None and np.array_equal(to_int16(take.samples), to_int16(sound(number, length)))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("takes/*/*.flac"))
