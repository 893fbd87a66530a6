"""Chunks, requests and sounds for tests: made by hand, so that a test says what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from narrate.clip import Clip, Samples, join
from narrate.engines import Engine, Request, always, never
from narrate.pace import expected_seconds
from narrate.text.document import Chunk
from narrate.voice import Voice

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


def a_request(
    chunk: Chunk,
    voice: Voice | None = None,
    *,
    reading: str = "",
    attempt: int = 0,
    due: Callable[[], float] = never,
    begin: Callable[[], bool] = always,
) -> Request:
    """A request for the chunk; its id is made of the reading, the chunk's index and the attempt."""
    name = f"{reading}:{chunk.index}:{attempt}"
    return Request(name, chunk, voice or Voice(), attempt=attempt, due=due, begin=begin)


def requests(chunks: Iterable[Chunk], voice: Voice | None = None, *, reading: str = "") -> list[Request]:
    return [a_request(chunk, voice, reading=reading) for chunk in chunks]


def clips_of(engine: Engine, asked: Iterable[Request | None]) -> list[Clip]:
    """All clips that the engine yields for the requests."""
    return [clip for clips in engine.synthesize(asked) for clip in clips]


def whole(clips: Iterable[Clip]) -> dict[str, Clip]:
    """One clip per request, its pieces joined; checks that each request ends once and nothing follows its end."""
    parts: dict[str, list[Samples]] = {}
    ended: dict[str, Clip] = {}
    for clip in clips:
        assert clip.request_id not in ended
        parts.setdefault(clip.request_id, []).append(clip.samples)
        if clip.final:
            ended[clip.request_id] = replace(clip, samples=join(parts[clip.request_id]))
    assert ended.keys() == parts.keys()
    return ended
