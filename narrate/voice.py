"""Voice: how it should sound, for any engine. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Voice:
    """What the listener asked for; an engine refuses, with an `InputError`, what it cannot honour.

    `name` None is the engine's own choice for the language. `speed` is applied after generation (pitch kept), so one
    take serves every speed. `seed` belongs to a chunk, not to a batch: same text, voice and seed, same take.
    """

    name: str | None = None
    language: str | None = None
    speed: float = 1.0
    seed: int = 0
    instruct: str | None = None
    describe: str | None = None
    reference: Path | None = None
    reference_text: str | None = None
