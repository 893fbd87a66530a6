"""A take, and what everything that keeps takes can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from narrate.clip import Samples, from_int16, to_int16


@dataclass(frozen=True, slots=True)
class Take:
    """The sound of a chunk exactly as it is stored: mono, float32 on the grid of 16 bits, read-only."""

    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


def as_stored(samples: Samples, sample_rate: int) -> Take:
    """The take as it will be read back: heard now or from the disk later, it is the same to the last bit."""
    rounded = from_int16(to_int16(samples))
    rounded.setflags(write=False)
    return Take(rounded, sample_rate)


class Takes(Protocol):
    """Where good takes are kept and found again, by key (store/key.py)."""

    @property
    def damaged(self) -> int:
        """Takes that `get` found broken; they are removed, and made again."""
        ...

    def get(self, key: str) -> Take | None:
        """The take, or None if it must be made."""
        ...

    def has(self, key: str) -> bool:
        """True if the take is there; only `get` knows whether it is whole."""
        ...

    def seconds(self, key: str) -> float | None:
        """How long the take is; None if that is not known without making it."""
        ...

    def put(self, key: str, samples: Samples, sample_rate: int) -> None:
        """Keep a take, in the place of an earlier one if there is one. A take without a sample is not kept."""
        ...

    def verdict(self, key: str) -> str | None:
        """What was found about the take that is kept now, as it was given to `put_verdict`; None if nothing was."""
        ...

    def put_verdict(self, key: str, samples: Samples, verdict: str) -> None:
        """Keep what was found about the take beside it, if these samples are still the take. It goes with the take."""
        ...

    def claim(self, key: str) -> bool:
        """True if the caller shall make the take; False if somebody else makes it: `get` has it soon, or already."""
        ...

    def release(self, key: str) -> None:
        """Give a claim back: the take will not be made after all."""
        ...
