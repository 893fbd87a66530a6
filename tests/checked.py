"""Real takes of a real book, good ones and ones with a fault, before measures, the course of the voice, comparison."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from narrate.checking.course import Course
from narrate.checking.measures import measure
from narrate.clip import Samples
from narrate.clock import OFF
from narrate.engines import Engine
from narrate.engines.table import load_engine
from narrate.text.book import TextOptions, open_book
from narrate.text.chunking.chunks import cut
from narrate.text.comparison.compare import compare
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.faults import ERRORS, SOUND_FAULTS, TEXT_FAULTS, Recogniser, end_cut, pieces
from tests.speech import clips_of, requests, whole

KNOWN = 40  # takes before the first that is judged
SHORTEST_SECONDS = 2.0  # of a take that gets a fault
BABBLE_WORDS = 4  # a recogniser hears some words in a murmur, half of the time
OTHER_VOICE = "another voice"


@dataclass
class Found:
    """How many takes had the fault, and by what it was found."""

    takes: int = 0
    by_sound: int = 0
    by_text: int = 0
    by_either: int = 0

    def count(self, sound: bool, text: bool) -> None:
        self.takes += 1
        self.by_sound += sound
        self.by_text += text
        self.by_either += sound or text


@dataclass
class Checked:
    """`faults` by their names; `good` are takes without any. `error_rate` is what the recogniser heard otherwise of
    good takes, `seconds` their length, `measuring_seconds` what their figures took."""

    faults: dict[str, Found] = field(default_factory=dict)
    good: Found = field(default_factory=Found)
    rates: list[float] = field(default_factory=list)
    seconds: float = 0.0
    measuring_seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)

    @property
    def error_rate(self) -> float:
        return float(np.mean(self.rates)) if self.rates else 0.0


@dataclass
class Speaker:
    """An engine with a voice."""

    engine: Engine
    voice: Voice

    def say(self, chunks: Sequence[Chunk]) -> list[tuple[Samples, int]]:
        asked = requests(chunks, self.voice)
        clips = whole(clips_of(self.engine, asked))
        return [(clips[each.id].samples, clips[each.id].sample_rate) for each in asked]


def check(
    book: Path, spec: str, voice: str | None, other: str | None, *, good: int, faulty: int, seed: int,
    now: Callable[[], float] = lambda: 0.0,
) -> Checked:  # fmt: skip
    """`good` takes of the book in a voice, and `faulty` more with each of the faults, before the check.

    `other` is the voice that speaks up where it does not belong, None if there is none. `now` tells the time.
    """
    luck, found = random.Random(seed), Checked()
    opened = open_book(str(book), TextOptions())
    assert opened.document is not None
    script = list(islice(cut(opened.document), 2 * good + KNOWN + 200))
    language = script[0].language
    words = [word for chunk in script[:400] for word in _words(chunk.spoken, language)]
    recogniser = Recogniser(language, ERRORS[language], luck, words)
    with _engine(spec) as engine:
        speaker = Speaker(engine, Voice(name=voice))
        course = Course()
        takes: list[tuple[Chunk, Samples, int]] = []
        for chunk, (samples, rate) in zip(script[: good + KNOWN], speaker.say(script[: good + KNOWN]), strict=True):
            begin = now()
            figures = measure(samples, rate, chunk)
            found.measuring_seconds += now() - begin
            found.seconds += len(samples) / rate
            odd = course.odd(figures)
            course.add(figures)
            if len(takes) >= KNOWN:
                compared = compare(chunk.spoken, recogniser.hear(chunk.spoken), language)
                found.rates.append(compared.rate)
                found.good.count(bool(odd), bool(compared.why))
                found.reasons += [*odd, *([compared.why] if compared.why else [])]
            takes.append((chunk, samples, rate))
        long = [take for take in takes[KNOWN:] if len(take[1]) >= SHORTEST_SECONDS * take[2]]
        for name, chunk, samples, rate, heard in _faulty(luck.sample(long, faulty), speaker, other, recogniser):
            odd = deepcopy(course).odd(measure(samples, rate, chunk))
            why = compare(chunk.spoken, heard, language).why
            found.faults.setdefault(name, Found()).count(bool(odd), bool(why))
    return found


def _faulty(
    takes: Sequence[tuple[Chunk, Samples, int]], speaker: Speaker, other: str | None, recogniser: Recogniser
) -> Iterator[tuple[str, Chunk, Samples, int, str]]:
    """The name of the fault, the chunk, how it sounds, and what is heard."""
    luck, language = recogniser.luck, recogniser.language
    for name, change in TEXT_FAULTS.items():
        said = [replace(chunk, spoken="".join(change(pieces(chunk.spoken, language), luck))) for chunk, *_ in takes]
        for (chunk, *_), wrong, (samples, rate) in zip(takes, said, speaker.say(said), strict=True):
            yield name, chunk, samples, rate, recogniser.hear(wrong.spoken)
    for name, make in SOUND_FAULTS.items():
        for chunk, samples, rate in takes:
            sound = make(samples, rate, luck)
            heard = chunk.spoken
            if make is end_cut:
                heard = heard[: round(len(heard) * len(sound) / len(samples))]
            heard = recogniser.hear(heard)
            if name == "babble appended" and luck.random() < 0.5:
                space = " " if language == "en" else ""
                heard += space + space.join(luck.choices(recogniser.vocabulary, k=BABBLE_WORDS))
            yield name, chunk, sound, rate, heard
    if other is not None:
        stranger = replace(speaker, voice=Voice(name=other))
        for (chunk, *_), (samples, rate) in zip(takes, stranger.say([chunk for chunk, *_ in takes]), strict=True):
            yield OTHER_VOICE, chunk, samples, rate, recogniser.hear(chunk.spoken)


def _words(text: str, language: str) -> list[str]:
    return re.findall(r"\w+", text) if language == "en" else re.findall(r"\w", text)


class _engine:  # noqa: N801 - used as a function
    def __init__(self, spec: str) -> None:
        self._engine = load_engine(spec)

    def __enter__(self) -> Engine:
        self._engine.prepare(Voice(), OFF)
        return self._engine

    def __exit__(self, *_: object) -> None:
        self._engine.close()
