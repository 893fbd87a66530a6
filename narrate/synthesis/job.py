"""A chunk on its way through an engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from narrate.checking.verdict import Verdict
from narrate.clip import Clip, Samples, from_int16
from narrate.text.document import Chunk


@dataclass(slots=True, eq=False)
class Tried:
    """A take of the chunk that slow judges look at, or have looked at. `number` counts the takes from 1."""

    data: NDArray[np.int16]
    sample_rate: int
    number: int
    verdict: Verdict | None = None

    @property
    def samples(self) -> Samples:
        return from_int16(self.data)

    @property
    def seconds(self) -> float:
        return len(self.data) / self.sample_rate


@dataclass(slots=True, eq=False)
class Job:
    """If the chunk was cut in two, `parts` are the halves still to be made, `made` those that are, and `half_attempt`
    is where each of them begins.

    `heard` are the pieces that went out while the rest was still being made, `heard_seconds` long; `back` are pieces
    that wait for the rest. `offset` is how many seconds of sound lie before the chunk, counted from where the narration
    began.

    `latest` is the take that slow judges have now, `best` the best of those that they have judged, and `tries` counts
    all of them; `cut_late`: it was cut in two because they liked no take. `handed_on`: a take went out, and others are
    of no use any more.
    """

    chunk: Chunk
    key: str
    offset: float
    attempt: int = 0
    half_attempt: int = 0
    parts: list[Chunk] = field(default_factory=list)
    made: list[Clip] = field(default_factory=list)
    heard: list[Samples] = field(default_factory=list)
    heard_seconds: float = 0.0
    back: list[Samples] = field(default_factory=list)
    tries: int = 0
    latest: Tried | None = None
    best: Tried | None = None
    cut_late: bool = False
    handed_on: bool = False

    @property
    def asked(self) -> Chunk:
        """The chunk, or the half of it, that the engine is asked for."""
        return self.parts[0] if self.parts else self.chunk

    @property
    def halved(self) -> bool:
        return bool(self.parts or self.made)
