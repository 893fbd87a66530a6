"""Voice: how it should sound, for any engine. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Voice:
    """How a listener wants the book to sound; an engine refuses with an `InputError` what it cannot do.

    `name` None is the engine's own choice for the language. `seed` belongs to a chunk and not to a batch: the same
    text, voice and seed make the same take.
    """

    name: str | None = None
    language: str | None = None
    seed: int = 0
    instruct: str | None = None
    describe: str | None = None
    reference: Path | None = None
    reference_text: str | None = None
