"""How good the sound is, as far as a program can tell: by measure, by a trained judge, by a recogniser of speech.

Measures, what is odd, and what was heard are those of `--check` and `--report` (checking/, text/comparison/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import fmean

import numpy as np

from narrate.checking.course import Course
from narrate.checking.examiner import Case
from narrate.checking.measures import SILENT_DB, measure
from narrate.checking.recogniser import RATE, RecogniserError, Sound, missing, open_recogniser
from narrate.clip import Clip, join
from narrate.text.comparison.compare import compare

AT_MOST = 1800.0  # seconds of sound that are kept for it
JUDGED = 20  # clips, evenly spread: the judges are slow
JUDGED_SECONDS = 3.0  # shorter clips tell them little
JUDGES_REMEDY = "no DNSMOS: pip install speechmos librosa onnxruntime"
SPREAD = {
    "loudness_lufs": "loudness",
    "pitch_hz": "pitch",
    "pitch_range_semitones": "pitch_range",
    "pace_times": "pace",
    "noise_dbfs": "noise",
    "longest_silence_seconds": "longest_silence",
}
"""Figures of a take (checking/measures.py) and what they are called here."""


@dataclass(frozen=True, slots=True)
class Quality:
    """`spread`: 10th percentile, median and 90th of figures over the takes, by the names of `SPREAD`. `clipping` is a
    share of the samples, `clicks` a number. `odd` are the chunks that are unlike the rest, with what is odd about them;
    `mos` the judge's marks, 1 to 5; `errors` what a recogniser heard otherwise: the mean, median and 90th percentile of
    the share, and the share of takes that are in doubt. `missing` says what is not here.
    """

    takes: int
    seconds: float
    clipping: float
    clicks: int
    spread: Mapping[str, tuple[float, float, float]]
    odd: tuple[tuple[str, str], ...]
    mos: dict[str, float] | None
    errors: dict[str, float] | None
    missing: tuple[str, ...]


class Collector:
    """Keeps the clips of a run, as whole takes, for `judge`."""

    def __init__(self) -> None:
        self._parts: dict[int, list[Clip]] = {}
        self._seconds = 0.0

    def __call__(self, clip: Clip) -> None:
        if self._seconds < AT_MOST and clip.failure is None:
            self._seconds += clip.seconds
            self._parts.setdefault(clip.index, []).append(clip)

    def takes(self) -> list[Case]:
        return [
            Case(parts[0].chunk, join(part.samples for part in parts), parts[0].sample_rate)
            for parts in self._parts.values()
        ]


def judge(takes: Sequence[Case], told: Callable[[str], object] = lambda _: None) -> Quality | None:
    """All that can be said here about the takes; None for none."""
    if not takes:
        return None
    told("listening to the takes")
    figures = [measure(take.samples, take.sample_rate, take.chunk) for take in takes]
    judged = _spread([take for take in takes if take.seconds >= JUDGED_SECONDS] or list(takes))
    mos = _mos(judged)
    errors, why = _errors(judged)
    seconds = sum(take.seconds for take in takes)
    return Quality(
        takes=len(takes),
        seconds=seconds,
        clipping=sum(each["clipped_share"] * each["seconds"] for each in figures) / max(seconds, 1e-9),
        clicks=round(sum(each["clicks"] for each in figures)),
        spread={
            called: _spread_of([each[name] for each in figures if _told(name, each)]) for name, called in SPREAD.items()
        },
        odd=tuple(_odd(takes, figures)),
        mos=mos,
        errors=errors,
        missing=tuple(remedy for remedy in (JUDGES_REMEDY if mos is None else "", why) if remedy),
    )


def _told(name: str, figures: Mapping[str, float]) -> bool:
    """False for silence, which has neither loudness nor pitch."""
    if name.startswith("pitch"):
        return figures["pitch_hz"] > 0
    return name != "loudness_lufs" or figures[name] > SILENT_DB


def _odd(takes: Sequence[Case], figures: Sequence[Mapping[str, float]]) -> list[tuple[str, str]]:
    """Takes that are unlike all of them, also the first."""
    courses: dict[str, Course] = {}
    for take, each in zip(takes, figures, strict=True):
        courses.setdefault(take.chunk.language, Course(remembered=len(takes))).add(each)
    found = []
    for take, each in zip(takes, figures, strict=True):
        odd = courses[take.chunk.language].odd(each)
        if odd:
            said = ", ".join(odd).replace("the takes before it", "the rest")
            found.append((said, " ".join(take.chunk.text.split())))
    return found


def _mos(takes: Sequence[Case]) -> dict[str, float] | None:
    """DNSMOS, the mean over the takes: overall, signal, background (P.835) and overall (P.808)."""
    if find_spec("speechmos") is None:
        return None
    import librosa
    from speechmos import dnsmos

    marks: dict[str, list[float]] = {}
    for take in takes:
        heard = librosa.resample(take.samples, orig_sr=take.sample_rate, target_sr=RATE)
        for name, mark in dnsmos.run(np.clip(heard, -1, 1), RATE, return_df=False).items():
            if name.endswith("_mos"):
                marks.setdefault(name.removesuffix("_mos"), []).append(float(mark))
    return {name: fmean(found) for name, found in marks.items()}


def _errors(takes: Sequence[Case]) -> tuple[dict[str, float] | None, str]:
    """What the usual recogniser hears otherwise, and why there is none."""
    language = takes[0].chunk.language
    if (why := missing(None, language)) is not None:
        return None, f"no error rates: {why}"
    heard: list[str | None] = []
    try:
        with closing(open_recogniser(None, language)) as recogniser:
            for first in range(0, len(takes), recogniser.batch):
                batch = takes[first : first + recogniser.batch]
                sounds = [Sound(take.samples, take.sample_rate, take.chunk.language) for take in batch]
                heard += recogniser.hear(sounds)
    except RecogniserError as error:
        return None, f"no error rates: {str(error).rstrip('.')}"
    found = [
        compare(take.chunk.spoken, text, take.chunk.language)
        for take, text in zip(takes, heard, strict=True)
        if text is not None
    ]
    if not found:
        return None, "no error rates: the recogniser could not hear the takes"
    rates = [each.rate for each in found]
    middle, high = np.percentile(rates, [50, 90])
    doubtful = fmean(bool(each.why) for each in found)
    return {"mean": fmean(rates), "p50": float(middle), "p90": float(high), "doubtful": doubtful}, ""


def _spread(takes: list[Case]) -> list[Case]:
    step = max(1, -(-len(takes) // JUDGED))
    return takes[::step]


def _spread_of(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values or [0.0], [10, 50, 90])
    return float(low), float(middle), float(high)
