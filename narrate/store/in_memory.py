"""Takes in memory: in front of the disk, or in its place."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from narrate.clip import Samples, to_int16
from narrate.store.takes import Take, as_stored

LIMIT_BYTES = 64 << 20  # about ten minutes of sound


class MemoryTakes:
    """Takes by key; the least recently used go first. By itself it serves those who want no takes on the disk."""

    damaged = 0
    """Nothing in memory breaks."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes, self._held_bytes = limit_bytes, 0
        self._takes: OrderedDict[str, Take] = OrderedDict()
        self._verdicts: dict[str, str] = {}

    def get(self, key: str) -> Take | None:
        take = self._takes.get(key)
        if take is not None:
            self._takes.move_to_end(key)
        return take

    def has(self, key: str) -> bool:
        return key in self._takes

    def seconds(self, key: str) -> float | None:
        """How long the take is; None if it is not in memory. To ask for it is no use of the take."""
        take = self._takes.get(key)
        return None if take is None else take.seconds

    def put(self, key: str, samples: Samples, sample_rate: int) -> None:
        if len(samples):
            self.hold(key, as_stored(samples, sample_rate))

    def verdict(self, key: str) -> str | None:
        return self._verdicts.get(key)

    def put_verdict(self, key: str, samples: Samples, verdict: str) -> None:
        take = self._takes.get(key)
        if take is not None and np.array_equal(to_int16(take.samples), to_int16(samples)):
            self._verdicts[key] = verdict

    def claim(self, key: str) -> bool:
        """True: whoever keeps takes in memory makes all of them."""
        return True

    def release(self, key: str) -> None:
        """Nothing to do, because no claim keeps anybody else away."""

    def hold(self, key: str, take: Take) -> None:
        self.drop(key)
        self._takes[key] = take
        self._held_bytes += take.samples.nbytes
        while self._held_bytes > self._limit_bytes:
            self.drop(next(iter(self._takes)))

    def drop(self, key: str) -> None:
        take = self._takes.pop(key, None)
        self._verdicts.pop(key, None)
        if take is not None:
            self._held_bytes -= take.samples.nbytes
