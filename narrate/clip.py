"""Clip: the sound of a chunk, or the next piece of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrate.text.document import Chunk

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """Sound of a chunk. A chunk may come in several clips, the last of which is `final`. The pause after it is a clip
    of its own with `pause=True`, and never final.

    `samples` are float32, mono, within [-1, 1]. `failure` says why a chunk could not be spoken; the clip is then
    silence. `raised`: the engine raised an error over this chunk alone. `request_id` is the request that it answers.
    """

    chunk: Chunk
    samples: Samples
    sample_rate: int
    final: bool = True
    pause: bool = False
    failure: str | None = None
    raised: bool = False
    request_id: str = ""

    @property
    def index(self) -> int:
        """The chunk's place in the book."""
        return self.chunk.index

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


def silence(seconds: float, sample_rate: int) -> Samples:
    """At least 0 whole samples of silence, `seconds` long to the nearest sample."""
    return np.zeros(max(0, round(seconds * sample_rate)), dtype=np.float32)


def join(parts: Iterable[Samples]) -> Samples:
    """The parts one after the other; an empty array for no parts."""
    kept = list(parts)
    return np.concatenate(kept) if kept else np.zeros(0, dtype=np.float32)


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """16-bit samples, rounded and clipped at full scale: the one conversion, so every file holds the same numbers."""
    scaled = np.clip(np.rint(samples * np.float32(32768.0)), -32768.0, 32767.0)
    return np.asarray(scaled, dtype=np.int16)


def from_int16(samples: NDArray[np.int16]) -> Samples:
    """The exact inverse: `to_int16(from_int16(x)) == x`."""
    return np.asarray(samples, dtype=np.float32) / np.float32(32768.0)


def on_grid(samples: Samples) -> Samples:
    """The nearest 16-bit samples, as floats: what is heard, stored and exported is then the same to the last bit."""
    return from_int16(to_int16(samples))
