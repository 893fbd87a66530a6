"""Chunks and sounds for tests: made by hand, so that a test says what it needs."""

from __future__ import annotations

import numpy as np

from narrate.clip import Samples
from narrate.pace import expected_seconds
from narrate.text.document import Chunk

WORDS = "one two three four five six seven eight nine ten eleven twelve".split()


def a_chunk(index: int, spoken: str | None = None, *, pause: float = 0.3, language: str = "en") -> Chunk:
    """A chunk of a book with ten chunks in a paragraph and fifty in a chapter; its text is its own unless given."""
    spoken = spoken or f"Sentence {index} counts {WORDS[index % len(WORDS)]}."
    chapter = 1 + index // 50
    return Chunk(
        index=index,
        chapter=chapter,
        title=f"Chapter {chapter}",
        text=spoken,
        spoken=spoken,
        language=language,
        pause=pause,
        start=100 * index,
        end=100 * index + len(spoken),
        paragraph=index // 10,
    )


def chunks(count: int) -> list[Chunk]:
    return [a_chunk(index) for index in range(count)]


def speech_like(chunk: Chunk, sample_rate: int = 24_000, *, factor: float = 1.0) -> Samples:
    """A hum of the length the chunk should have, times `factor`."""
    seconds = expected_seconds(chunk.spoken, chunk.language) * factor
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.3 * np.sin(2 * np.pi * 180 * time)).astype(np.float32)
