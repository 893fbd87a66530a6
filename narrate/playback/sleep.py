"""The sleep timer: ends a reading after some minutes, or when the chapter ends."""

from __future__ import annotations

import re
from dataclasses import dataclass

from narrate.errors import InputError
from narrate.text.document import Chunk

CHOICES: tuple[float | str | None, ...] = (15.0, 30.0, 45.0, 60.0, "chapter", None)
"""Minutes, the end of the chapter, or off: what a key goes through."""


@dataclass(slots=True)
class SleepTimer:
    """Tells when a listener is to be left in peace: at the first sentence after so many `minutes` of listening, or at
    the first of the next "chapter". None: never. Seconds are of what was heard; a pause does not count.
    """

    choice: float | str | None = None
    _chapter: int | None = None
    _until: float = 0.0

    def set(self, choice: float | str | None, chunk: Chunk | None, heard_seconds: float) -> None:
        """Start anew from this moment."""
        self.choice = choice
        self._chapter = chunk.chapter if chunk else None
        self._until = heard_seconds + 60 * choice if isinstance(choice, float) else 0.0

    def following(self) -> float | str | None:
        """The choice after this one."""
        place = CHOICES.index(self.choice) if self.choice in CHOICES else -1
        return CHOICES[(place + 1) % len(CHOICES)]

    def left_seconds(self, heard_seconds: float) -> float | None:
        """How long until it is time; None if it is not a matter of minutes."""
        return max(0.0, self._until - heard_seconds) if isinstance(self.choice, float) else None

    def is_due(self, chunk: Chunk, heard_seconds: float) -> bool:
        """True if this chunk, which is about to sound, is to be kept for the next time."""
        if self.choice == "chapter":
            if self._chapter is None:
                self._chapter = chunk.chapter
            return chunk.chapter != self._chapter
        return self.choice is not None and heard_seconds >= self._until


def parse_sleep(text: str) -> float | str:
    """Minutes ("30", "1.5") or "chapter". Raises `InputError` for anything else."""
    if text.strip().lower() == "chapter":
        return "chapter"
    if re.fullmatch(r"\d+(\.\d+)?", text.strip()) and float(text) > 0:
        return float(text)
    raise InputError(f"--sleep {text} is no time. Use a number of minutes, such as 30, or the word chapter.")
