"""How long a book will sound, from its first second on: takes that are known by their length, the rest by its text."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrate.pace import chunk_seconds
from narrate.pipeline import LazyList
from narrate.text.document import Chunk

# So many seconds of takes must be known before their pace counts as much as the pace that is expected of all voices.
TRUST_SECONDS = 300.0
LOOK_CHUNKS = 16  # are looked at between two looks at the time


class Outlook(NamedTuple):
    """Seconds of sound at normal speed: until a chunk begins, until its chapter ends, and until all ends.

    None for what cannot be foreseen yet.
    """

    start: float
    chapter_end: float | None
    end: float | None


class Forecast:
    """Foresees the sound of `script`.

    `known` tells the seconds of a chunk's take if there is one, `share` which share of the text lies before a chunk's
    end, or None. The script is cut while somebody looks ahead, so it is looked at in small portions; until its end is
    reached, the rest is taken to be like what was seen.
    """

    def __init__(
        self,
        script: LazyList[Chunk],
        known: Callable[[Chunk], float | None],
        share: Callable[[Chunk], float | None],
    ) -> None:
        self._script, self._ask, self._share_of = script, known, share
        self._expected = array("d")  # seconds by the text
        self._heard = array("d")  # seconds of the take, 0 if it is not known
        self._pauses = array("d")
        self._chapters = array("l")
        self._share = 0.0
        self._asked = 0  # chunks before this one were asked for their takes once they had been made
        self.complete = False

    @property
    def seen(self) -> int:
        """How many chunks were looked at."""
        return len(self._expected)

    def look_ahead(self, seconds: float) -> None:
        """Look at more of the script, for at most about so many seconds of wall time."""
        until = time.monotonic() + seconds
        while not self.complete:
            for _ in range(LOOK_CHUNKS):
                chunk = self._script.get(len(self._expected))
                if chunk is None:
                    self.complete = not self._script.waiting
                    return
                self._add(chunk)
            if time.monotonic() >= until:
                return

    def _add(self, chunk: Chunk) -> None:
        self._expected.append(chunk_seconds(chunk))
        self._heard.append(self._ask(chunk) or 0.0)
        self._pauses.append(chunk.pause)
        self._chapters.append(chunk.chapter)
        self._share = self._share_of(chunk) or 0.0

    def learn(self, index: int) -> None:
        """The chunks before `index` have been made: their takes tell how long they are, and how fast the voice is."""
        for position in range(self._asked, min(index, len(self._expected))):
            if not self._heard[position] and (chunk := self._script.get(position)) is not None:
                self._heard[position] = self._ask(chunk) or 0.0
            self._asked = position + 1

    def at(self, index: int) -> Outlook:
        """What is foreseen for the chunk at `index`."""
        ends = self._ends()
        if not len(ends) or index > len(ends):
            return Outlook(0.0, None, None)
        start = float(ends[index - 1]) if index else 0.0
        return Outlook(start, self._chapter_end(ends, min(index, len(ends) - 1)), self._end(ends))

    def _ends(self) -> NDArray[np.float64]:
        """When each chunk ends, with its pause."""
        expected, heard = np.array(self._expected), np.array(self._heard)
        known = heard > 0
        pace = (TRUST_SECONDS + heard[known].sum()) / (TRUST_SECONDS + expected[known].sum())
        ends: NDArray[np.float64] = np.cumsum(np.where(known, heard, expected * pace) + np.array(self._pauses))
        return ends

    def _chapter_end(self, ends: NDArray[np.float64], index: int) -> float | None:
        others = np.flatnonzero(np.array(self._chapters[index:]) != self._chapters[index])
        if len(others):
            return float(ends[index + others[0] - 1])
        return float(ends[-1]) if self.complete else None

    def _end(self, ends: NDArray[np.float64]) -> float | None:
        if self.complete:
            return float(ends[-1])
        return float(ends[-1]) / self._share if self._share else None
