"""When each chapter sounds, counted in the samples that were written."""

from __future__ import annotations

from typing import NamedTuple

from narrate.text.document import Chunk

SHORTEST_CHAPTER_SECONDS = 0.1  # libraries throw shorter ones away


class ChapterTime(NamedTuple):
    """A chapter's title, in one line, and its first sample and the one after its last."""

    title: str
    start: int
    end: int


class Timeline:
    """Counts samples as they are written and notes where chapters begin. A chapter that a listener goes back to begins
    once more."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.samples = 0
        self._chapter: int | None = None
        self._beginnings: list[tuple[str, int]] = []

    def begin(self, chunk: Chunk) -> None:
        """The samples of this chunk come next."""
        if chunk.chapter != self._chapter:
            self._chapter = chunk.chapter
            fallback = str(chunk.chapter) if chunk.chapter else ""
            self._beginnings.append((" ".join(chunk.title.split()) or fallback, self.samples))

    def add(self, samples: int) -> None:
        """So many samples were written."""
        self.samples += samples

    def chapters(self, untitled: str = "") -> list[ChapterTime]:
        """The chapters so far: the first begins at 0, each ends where the next begins, the last at the last sample.

        None is shorter than `SHORTEST_CHAPTER_SECONDS`; what would be belongs to the one before it, or at the beginning
        to the one after it. `untitled` is the title of what stands before the first heading of a book.
        """
        shortest = SHORTEST_CHAPTER_SECONDS * self.sample_rate
        ends = [start for _, start in self._beginnings[1:]] + [self.samples]
        found: list[ChapterTime] = []
        for (title, start), end in zip(self._beginnings, ends, strict=False):
            if end - start >= shortest:
                before = found[-1].end if found else 0
                found.append(ChapterTime(title or untitled, before, end))
            elif found:
                found[-1] = found[-1]._replace(end=end)
        return found
