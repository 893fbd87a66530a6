"""Takes at hand: in front of the disk, or in its place."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from narrate.clip import Samples, from_int16, to_int16

LIMIT = 64 << 20  # bytes: about ten minutes


@dataclass(frozen=True, slots=True)
class Take:
    """The sound of a chunk, exactly as it is stored: float32 on the grid of 16 bits, read-only."""

    samples: Samples
    sample_rate: int


def exact(samples: Samples, sample_rate: int) -> Take:
    """The take as it will be read back: heard now or from disk later, it is the same to the last bit."""
    rounded = from_int16(to_int16(samples))
    rounded.setflags(write=False)
    return Take(rounded, sample_rate)


class Memory:
    """Takes by key, the least recently used going first. By itself it is the store of those who want none on disk."""

    def __init__(self, limit_bytes: int = LIMIT) -> None:
        self._limit, self._held = limit_bytes, 0
        self._takes: OrderedDict[str, Take] = OrderedDict()

    def get(self, key: str) -> Take | None:
        take = self._takes.get(key)
        if take is not None:
            self._takes.move_to_end(key)
        return take

    def has(self, key: str) -> bool:
        return key in self._takes

    def put(self, key: str, samples: Samples, sample_rate: int) -> None:
        if len(samples):
            self.hold(key, exact(samples, sample_rate))

    def claim(self, key: str) -> bool:
        """True: whoever keeps takes in memory makes all of them."""
        return True

    def release(self, key: str) -> None:
        """Nothing to do: see `claim`."""

    def hold(self, key: str, take: Take) -> None:
        self.drop(key)
        self._takes[key] = take
        self._held += take.samples.nbytes
        while self._held > self._limit:
            self.drop(next(iter(self._takes)))

    def drop(self, key: str) -> None:
        take = self._takes.pop(key, None)
        if take is not None:
            self._held -= take.samples.nbytes
