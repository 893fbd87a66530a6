"""The course of a voice through a book: how its takes have sounded so far, and what is odd about the next one.

Medians, and median deviations from them (Rousseeuw and Croux 1993, on robust measures of scale), of the last takes: a
few bad ones among them change nothing, and a voice that is lively by nature is allowed more than an even one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2, sqrt

import numpy as np

from narrate.checking.measures import BANDS_HZ, measure
from narrate.clip import Samples
from narrate.text.document import Chunk

REMEMBERED = 100  # takes: a book may change slowly
FEWEST = 8  # takes to know a voice by
SHORTEST_SECONDS = 1.5  # shorter takes are neither judged nor remembered: a cry, a heading, a single word
TYPICAL_SECONDS = 4.0  # shorter takes may differ more, longer ones not less
SIGMA = 1.4826  # median deviations in a standard deviation of what is normally spread
USUAL_TIMES = 4.5  # standard deviations are still usual

BANDS = tuple(f"band_{low}_hz_db" for low in BANDS_HZ[:-1])
LEAST_BAND_DB = 1.0  # no octave is steadier than that, for this purpose
MOST_COLOUR = 4.0  # deviations of all octaves together, as their root mean square
LOUD_NOISE_DBFS = -60.0  # less noise than that nobody minds
WITH_A_PAUSE_SECONDS = 6.0  # a shorter take may have no pause, in which alone noise can be measured
MOST_CLIPPED = 0.001  # of the samples
MOST_SILENCE_SECONDS = 1.5  # longer than usual
QUIET_END_DB, LOUD_END_DB = -40.0, -20.0
MOST_ENDS = 95  # per cent of the takes of a voice that ends quietly do so
FRACTIONS = ((0.25, "a quarter"), (1 / 3, "a third"))


@dataclass(frozen=True, slots=True)
class Trait:
    """A figure that a voice keeps. `off` is how far a value is from the usual one, and `least` how far it may be even
    in the evenest voice; beyond that, `times` the standard deviation. `words` say it. `only_if` the take can be judged
    by it."""

    name: str
    off: Callable[[float, float], float]
    least: float
    words: Callable[[float], str]
    only_if: Callable[[Mapping[str, float]], bool] = lambda _: True
    times: float = USUAL_TIMES


def _difference(value: float, usual: float) -> float:
    return value - usual


def _octaves(value: float, usual: float) -> float:
    return log2(value / usual) if value > 0 and usual > 0 else 0.0


def _semitones(value: float, usual: float) -> float:
    return 12 * _octaves(value, usual)


def _pace_words(off: float) -> str:
    times = 2**off
    if times <= 0.55:
        return "half as quick as" if times > 0.45 else f"{times:.0%} as quick as"
    if times >= 1.8:
        return "twice as quick as" if times < 2.2 else f"{times:.1f} times as quick as"
    share = abs(times - 1)
    near, words = min(FRACTIONS, key=lambda fraction: abs(fraction[0] - share))
    return f"{words if abs(near - share) < 0.04 else f'{share:.0%}'} {'slower' if off < 0 else 'quicker'} than"


def _higher(off: float) -> str:
    return f"{abs(off):.1f} semitones {'higher' if off > 0 else 'lower'} than"


def _louder(off: float) -> str:
    return f"{abs(off):.0f} dB {'louder' if off > 0 else 'softer'} than"


TRAITS = (
    Trait("loudness_lufs", _difference, 3.0, _louder),
    Trait("pitch_hz", _semitones, 1.4, _higher, times=4.0),
    Trait("pace_times", _octaves, 0.3, _pace_words),
    Trait(
        "noise_dbfs",
        lambda value, usual: max(0.0, value - usual),  # nobody minds less of it
        20.0,
        lambda off: f"{off:.0f} dB more noise than",
        only_if=lambda measures: (
            measures["noise_dbfs"] > LOUD_NOISE_DBFS and measures["seconds"] >= WITH_A_PAUSE_SECONDS
        ),
    ),
)
_KEPT = (*(trait.name for trait in TRAITS), *BANDS, "clicks", "longest_silence_seconds", "end_db")


def is_known(measures: Mapping[str, float]) -> bool:
    """True for figures that a course can be followed by; another version of narrate may have kept others."""
    return all(name in measures for name in (*_KEPT, "seconds", "clipped_share"))


class Course:
    """How the takes of one voice in one language have sounded, in the order of the book. Not for several threads."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._takes: deque[tuple[float, ...]] = deque(maxlen=remembered)
        self._known: tuple[dict[str, float], dict[str, float]] | None = None

    def add(self, measures: Mapping[str, float]) -> None:
        """Remember a take that is part of the book."""
        if measures["seconds"] >= SHORTEST_SECONDS:
            self._takes.append(tuple(measures[name] for name in _KEPT))
            self._known = None

    @property
    def usual(self) -> Mapping[str, float]:
        """The medians so far; empty as long as too few takes are known to judge by."""
        return self._medians()[0]

    def odd(self, measures: Mapping[str, float]) -> tuple[str, ...]:
        """What is odd about a take, each in a few words ("9 dB louder than the takes before it"); () for a good one.

        Faults of the signal are found in every take; all else once a few takes are known, and not in very short ones.
        """
        usual, spread = self._medians()
        found = _faults(measures, usual)
        if usual and measures["seconds"] >= SHORTEST_SECONDS:
            found += _unlike(measures, usual, spread, _room(measures))
        return tuple(found)

    def strangeness(self, measures: Mapping[str, float]) -> float:
        """How far the take is from the usual in what is farthest, as a share of what is still usual: above 1 is odd.

        0 as long as too few takes are known, and for very short ones.
        """
        usual, spread = self._medians()
        if not usual or measures["seconds"] < SHORTEST_SECONDS:
            return 0.0
        room = _room(measures)
        shares = [abs(off) / most for _, off, most in _offs(measures, usual, spread, room)]
        return max(*shares, _colour(measures, usual, spread) / (room * MOST_COLOUR))

    def _medians(self) -> tuple[dict[str, float], dict[str, float]]:
        if self._known is None:
            self._known = self._find() if len(self._takes) >= FEWEST else ({}, {})
        return self._known

    def _find(self) -> tuple[dict[str, float], dict[str, float]]:
        takes = np.array(self._takes)
        middles = dict(zip(_KEPT, map(float, np.median(takes, axis=0)), strict=True))
        off = {trait.name: trait.off for trait in TRAITS}
        spread = {}
        for name, column in zip(_KEPT, takes.T, strict=True):
            measured = off.get(name, _difference)
            spread[name] = SIGMA * float(np.median([abs(measured(value, middles[name])) for value in column.tolist()]))
        middles["end_db"] = float(np.percentile(takes[:, _KEPT.index("end_db")], MOST_ENDS))
        return middles, spread


class Courses:
    """The course of each language that a book is read in: another language is another voice, or sounds like one."""

    def __init__(self) -> None:
        self._courses: dict[str, Course] = {}

    def follow(self, samples: Samples, sample_rate: int, chunk: Chunk) -> tuple[dict[str, float], str]:
        """The figures of the next take, and what is odd about it, in a few words or ""; then it is remembered.

        Bad ones are remembered, too: a voice that stays changed is the voice of the book.
        """
        measures = measure(samples, sample_rate, chunk)
        course = self._courses.setdefault(chunk.language, Course())
        odd = course.odd(measures)
        course.add(measures)
        return measures, ", ".join(odd)


def _faults(measures: Mapping[str, float], usual: Mapping[str, float]) -> list[str]:
    """What is wrong with the signal itself, whatever the voice."""
    found = []
    clicks = round(measures["clicks"])
    if clicks > usual.get("clicks", 0):
        found.append("a click" if clicks == 1 else f"{clicks} clicks")
    if measures["clipped_share"] > MOST_CLIPPED:
        found.append(f"{measures['clipped_share']:.1%} of it is clipped")
    silence = measures["longest_silence_seconds"]
    if silence > usual.get("longest_silence_seconds", 0.5) + MOST_SILENCE_SECONDS:
        found.append(f"a silence of {silence:.1f} s inside")
    if measures["end_db"] > LOUD_END_DB and usual.get("end_db", 0.0) < QUIET_END_DB:
        found.append("it breaks off at the end")
    return found


def _room(measures: Mapping[str, float]) -> float:
    """How much more a take may differ because it is short."""
    return max(1.0, sqrt(TYPICAL_SECONDS / measures["seconds"]))


def _offs(
    measures: Mapping[str, float], usual: Mapping[str, float], spread: Mapping[str, float], room: float
) -> list[tuple[Trait, float, float]]:
    """Of each trait that the take can be judged by: how far it is off, and how far it may be."""
    return [
        (
            trait,
            trait.off(measures[trait.name], usual[trait.name]),
            room * max(trait.least, trait.times * spread[trait.name]),
        )
        for trait in TRAITS
        if trait.only_if(measures)
    ]


def _unlike(
    measures: Mapping[str, float], usual: Mapping[str, float], spread: Mapping[str, float], room: float
) -> list[str]:
    """In what the take is not like those before it."""
    offs = _offs(measures, usual, spread, room)
    found = [f"{trait.words(off)} the takes before it" for trait, off, most in offs if abs(off) > most]
    if _colour(measures, usual, spread) > room * MOST_COLOUR:
        found.append("it sounds like another voice")
    return found


def _colour(measures: Mapping[str, float], usual: Mapping[str, float], spread: Mapping[str, float]) -> float:
    """How far the octaves are from the usual ones, in standard deviations."""
    off = [(measures[name] - usual[name]) / max(LEAST_BAND_DB, spread[name]) for name in BANDS]
    return sqrt(sum(value * value for value in off) / len(off))
