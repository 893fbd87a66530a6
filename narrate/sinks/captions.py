"""The text of a chunk in captions, and when each of them sounds: the silences between sentences tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from narrate.clip import Samples
from narrate.pace import expected_seconds
from narrate.text.chunking.phrases import cut_points
from narrate.text.chunking.sentences import sentence_breaks

LINE_COLUMNS = 42  # of a caption; a Chinese or Japanese character takes two
LINES = 2

FRAME_SECONDS = 0.01
SHORTEST_SILENCE_SECONDS = 0.06  # shorter ones are in the midst of words
SILENT_SHARE = 0.03  # of the loudest frame (-30 dB)
NO_SILENCE_COST = 1.0  # of a place between sentences at which no silence is found
FARTHEST = 0.75  # from where it is expected, in lengths of the shorter piece beside it
LENGTH_WORTH = 2.0  # what a second of silence weighs against the distance from where it is expected


class Caption(NamedTuple):
    """A text and the samples in which it sounds, counted from the beginning of its chunk."""

    text: str
    start: int
    end: int


class Silence(NamedTuple):
    """The first silent sample and the first that is not."""

    start: int
    end: int


def columns(text: str) -> int:
    """How wide a text is, in columns of a terminal."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a chunk's text, each in one line; a line of the text is never joined with the next."""
    found = []
    for line in text.splitlines():
        start = 0
        for end, _ in sentence_breaks(line, language):
            found.append(" ".join(line[start:end].split()))
            start = end
    return [sentence for sentence in found if sentence]


def pieces(sentence: str, language: str, widest: int) -> list[str]:
    """The sentence in pieces of at most `widest` columns and about the same length, cut where it hurts least."""
    width = columns(sentence)
    if width <= widest or len(sentence) < 2:
        return [sentence] if sentence else []
    count = -(-width // widest)
    target = len(sentence) / count
    fits = [at for at, used in enumerate(accumulate(map(columns, sentence)), 1) if used <= widest]
    high = max(1, min(len(fits), len(sentence) - 1))
    low = max(1, min(high, int(target * 0.5)))
    best = next((cuts for cuts in cut_points(sentence, low, high, language) if cuts), [high])
    at = min(best, key=lambda cut: abs(cut - target))
    return [sentence[:at].strip(), *pieces(sentence[at:].strip(), language, widest)]


def wrapped(text: str, language: str) -> list[str]:
    """A caption's text in lines."""
    return pieces(text, language, LINE_COLUMNS)


def captions(text: str, language: str, samples: Samples, sample_rate: int, *, whole: bool = False) -> list[Caption]:
    """The captions of a chunk that sounds like `samples`: sentences, cut to `LINES` lines unless `whole`."""
    texts = sentences(text, language)
    if not whole:
        texts = [piece for sentence in texts for piece in _in_lines(sentence, language)]
    if not texts:
        return []
    times = sentence_times(texts, language, samples, sample_rate)
    return [Caption(piece, start, end) for piece, (start, end) in zip(texts, times, strict=True)]


def sentence_times(texts: Sequence[str], language: str, samples: Samples, sample_rate: int) -> list[tuple[int, int]]:
    """The first sample of each text that `samples` say, one after the other, and the one after its last."""
    weights = [expected_seconds(text, language) for text in texts]
    return place(weights, silences(samples, sample_rate), len(samples), sample_rate)


def _in_lines(sentence: str, language: str) -> list[str]:
    """The sentence in pieces that fit into the lines of a caption, also once these are cut between words."""
    for widest in range(LINES * LINE_COLUMNS, LINE_COLUMNS - 1, -4):
        found = pieces(sentence, language, widest)
        if all(len(wrapped(piece, language)) <= LINES for piece in found):
            return found
    return pieces(sentence, language, LINE_COLUMNS)


def silences(samples: Samples, sample_rate: int) -> list[Silence]:
    """The silences within the sound, without those at its beginning and end."""
    frame = max(1, round(FRAME_SECONDS * sample_rate))
    count = len(samples) // frame
    if not count:
        return []
    loudness = np.sqrt(np.mean(np.square(samples[: count * frame].reshape(count, frame)), axis=1))
    silent = loudness <= SILENT_SHARE * loudness.max()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(np.int8)))
    runs = [Silence(int(start) * frame, int(end) * frame) for start, end in edges.reshape(-1, 2)]
    shortest = SHORTEST_SILENCE_SECONDS * sample_rate
    return [run for run in runs if run.end - run.start >= shortest and run.start > 0 and run.end < count * frame]


def place(weights: Sequence[float], found: Sequence[Silence], total: int, sample_rate: int) -> list[tuple[int, int]]:
    """The first and last samples of pieces that take time in proportion to `weights`, in a sound of `total` samples.

    Between two pieces lies the silence that is near to where it is expected, and long; where none is, one piece ends
    where the next begins. The choice is the cheapest for all places together, by dynamic programming: in order, and no
    silence twice.
    """
    scale = total / sum(weights)
    expected = [at * scale for at in accumulate(weights[:-1])]
    reach = [scale * min(pair) for pair in zip(weights, weights[1:], strict=False)]
    chosen = _choose(expected, reach, found, sample_rate)
    known = [(0.0, 0.0)] + [
        (at, (run.start + run.end) / 2) for at, run in zip(expected, chosen, strict=True) if run is not None
    ]
    known.append((float(total), float(total)))
    ends, starts = [], [0]
    for at, run in zip(expected, chosen, strict=True):
        between = round(float(np.interp(at, [k for k, _ in known], [v for _, v in known])))
        ends.append(run.start if run else between)
        starts.append(run.end if run else between)
    return list(zip(starts, [*ends, total], strict=True))


def _choose(
    expected: Sequence[float], reach: Sequence[float], found: Sequence[Silence], sample_rate: int
) -> list[Silence | None]:
    """For each expected place a silence or none."""
    # best[j]: the cheapest choice for the places so far that uses only the first j silences.
    best: list[tuple[float, tuple[int | None, ...]]] = [(0.0, ())] * (len(found) + 1)
    for at, width in zip(expected, reach, strict=True):
        row: list[tuple[float, tuple[int | None, ...]]] = []
        for j in range(len(found) + 1):
            options = [(best[j][0] + NO_SILENCE_COST, (*best[j][1], None))]
            if j:
                run = found[j - 1]
                far = abs((run.start + run.end) / 2 - at) / max(1.0, width)
                cost = far - LENGTH_WORTH * (run.end - run.start) / sample_rate
                options.append(row[j - 1])
                if far <= FARTHEST:
                    options.append((best[j - 1][0] + cost, (*best[j - 1][1], j - 1)))
            row.append(min(options, key=lambda option: option[0]))
        best = row
    return [None if j is None else found[j] for j in best[-1][1]]
