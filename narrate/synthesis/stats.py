"""Stats: what a narration has done so far, counted while it happens."""

from __future__ import annotations

from dataclasses import dataclass, field

from narrate.checking.verdict import Verdict
from narrate.text.document import Chunk


@dataclass(slots=True)
class Stats:
    """Takes, and seconds of sound. `engine_seconds` are of wall time; `failed` are chunks with what went wrong.

    `checked` takes were judged by slow judges, and the `doubtful` among them are not as they should be.
    """

    made: int = 0
    reused: int = 0
    retaken: int = 0
    made_seconds: float = 0.0
    reused_seconds: float = 0.0
    retaken_seconds: float = 0.0
    engine_seconds: float = 0.0
    failed: list[tuple[Chunk, str]] = field(default_factory=list)
    checked: int = 0
    doubtful: list[tuple[Chunk, Verdict]] = field(default_factory=list)

    @property
    def rtf(self) -> float | None:
        """Wall seconds per second of sound made, or None before anything was made."""
        return self.engine_seconds / self.made_seconds if self.made_seconds else None
