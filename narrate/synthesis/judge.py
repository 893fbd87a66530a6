"""Is this take good? Judging a chunk's sound by its text, and trimming it to natural pauses. Knows no engine.

A neural voice sometimes never stops, stops at once, or murmurs silence (0.3 to 0.7 % of rows in public reports), so
every take is measured before anybody hears it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from narrate.clip import Samples
from narrate.pace import expected_seconds, letters, longest_seconds
from narrate.text.document import Chunk

SHORTEST = 0.22  # of the expected length: fast speech passes, a swallowed sentence does not
QUIET = 10 ** (-45 / 20)  # relative to the loudest frame
VOICED_SHARE = 0.15  # of the take's frames must be louder than that
LEAD = 0.06  # seconds of quiet kept before the first sound
TAIL = 0.12  # and after the last
FRAME = 0.01  # seconds
# Where a chunk is best cut: after a sentence, else after a clause, else between words.
_MARKS = [re.compile(marks) for marks in (r"[.!?。！？…]+[”」』）\"')]*\s*", r"[,;:，、；：—]\s*", r"\s+")]


Judge = Callable[[Samples, int, Chunk], str | None]
"""Told samples, sample rate and chunk, a judge says in a few words what is wrong with the take; None if it is good."""


def judges(*, deterministic: bool) -> tuple[Judge, ...]:
    """The judges at hand. The length of a deterministic engine's takes is not judged: asking again would change
    nothing, and what it says is right by its own rules."""
    return (flaw,) if deterministic else (flaw, wrong_length)


def first_fault(asked: Iterable[Judge], samples: Samples, sample_rate: int, chunk: Chunk) -> str | None:
    """What the first of the judges says that finds something wrong; None for a good take."""
    return next((wrong for judge in asked if (wrong := judge(samples, sample_rate, chunk))), None)


def flaw(samples: Samples, sample_rate: int, chunk: Chunk) -> str | None:
    """What no listener could take for speech, in a few words; None if there is nothing of the kind."""
    if not len(samples):
        return "no sound"
    if not np.isfinite(samples).all():
        return "broken samples (not a number)"
    if not _loud_frames(samples, sample_rate).any():
        return "silence"
    return None


def wrong_length(samples: Samples, sample_rate: int, chunk: Chunk) -> str | None:
    """What is wrong with the length of the sound, for its text."""
    seconds = len(samples) / sample_rate
    expected = expected_seconds(chunk.spoken, chunk.language)
    if seconds > longest_seconds(chunk.spoken, chunk.language):
        return f"{seconds:.0f} s long where {expected:.0f} s were expected"
    voiced = _loud_frames(samples, sample_rate).sum() * FRAME
    if voiced < VOICED_SHARE * seconds:
        return f"silence for {1 - voiced / seconds:.0%} of its length"
    if letters(chunk.spoken) >= 8 and seconds < SHORTEST * expected:
        return f"only {seconds:.1f} s long where {expected:.0f} s were expected"
    return None


def trim(samples: Samples, sample_rate: int, *, lead: bool = True, tail: bool = True) -> Samples:
    """Cut the quiet at the ends down to `LEAD` and `TAIL` seconds; an all-quiet piece is returned as it is."""
    loud = np.flatnonzero(_loud_frames(samples, sample_rate))
    if not len(loud):
        return samples
    frame = max(1, round(FRAME * sample_rate))
    start = max(0, int(loud[0]) * frame - round(LEAD * sample_rate)) if lead else 0
    end = min(len(samples), (int(loud[-1]) + 1) * frame + round(TAIL * sample_rate)) if tail else len(samples)
    return samples[start:end]


def halves(chunk: Chunk) -> tuple[Chunk, Chunk] | None:
    """The chunk cut in two near its middle, at the best mark there; None if it is too short to cut.

    Both carry the chunk's index: they are spoken one after the other in its place.
    """
    spoken = chunk.spoken
    middle = len(spoken) / 2
    near = range(round(len(spoken) * 0.2), round(len(spoken) * 0.8) + 1)
    cut = round(middle)
    for marks in _MARKS:
        if cuts := [match.end() for match in marks.finditer(spoken) if match.end() in near]:
            cut = min(cuts, key=lambda place: abs(place - middle))
            break
    first, second = spoken[:cut].strip(), spoken[cut:].strip()
    if letters(first) < 2 or letters(second) < 2:
        return None
    return replace(chunk, spoken=first), replace(chunk, spoken=second)


def _loud_frames(samples: Samples, sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For every 10 ms whether it is louder than `QUIET` times the loudest 10 ms (and than 16-bit noise)."""
    frame = max(1, round(FRAME * sample_rate))
    padded = np.zeros(-(-len(samples) // frame) * frame, dtype=np.float32)
    padded[: len(samples)] = samples
    levels = np.sqrt(np.mean(np.square(padded.reshape(-1, frame)), axis=1))
    floor = max(QUIET * float(levels.max(initial=0.0)), 1e-4)
    return np.asarray(levels > floor)
