"""How a voice drifts over a book: loudness, pitch and pace from the first take to the last, in steps of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from narrate.checking.verdict import Verdict

LEAST = 0.01  # of pitch and pace: less is none
LEAST_TAKES = 2  # to draw a line through
BLOCKS = "▁▂▃▄▅▆▇"  # seven, so that the usual one is in the middle
LABEL_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Quantity:
    """What drifts. Values are drawn as `level(value, usual)`, and at least `span` of that from bottom to top, so that
    what is natural looks even. `said` writes a value with its unit."""

    name: str
    label: str
    level: Callable[[float, float], float]
    span: float
    said: Callable[[float], str]


QUANTITIES = (
    Quantity("loudness_lufs", "Loudness", lambda value, usual: value - usual, 12.0, lambda value: f"{value:.1f} LUFS"),
    Quantity("pitch_hz", "Pitch", lambda value, usual: 12 * log2(value / usual), 8.0, lambda value: f"{value:.0f} Hz"),
    Quantity(
        "pace_times",
        "Pace",
        lambda value, usual: log2(value / usual),
        1.2,
        lambda value: f"{value:.2f} × a calm reader",
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """The takes of one stretch of time: 10th percentile, median and 90th, 0 at the bottom of the plot and 1 at its top;
    `odd` are the levels of those with something wrong."""

    low: float
    middle: float
    high: float
    odd: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """One quantity over the book; None for a step without a take. `usual` is its median, `least`, `most` its ends."""

    quantity: Quantity
    steps: tuple[Step | None, ...]
    usual: float
    least: float
    most: float


def drifts(verdicts: Sequence[Verdict], steps: int) -> list[Drift]:
    """The course of each quantity over the takes, which lie one after the other.

    Takes without figures are left out, and so is a quantity that is not known of two of them.
    """
    measured = [verdict for verdict in verdicts if verdict.measures]
    ends = np.cumsum([verdict.measures["seconds"] for verdict in measured])
    places = np.zeros(len(measured), dtype=int)
    if len(ends) and ends[-1] > 0:
        places = np.minimum(steps - 1, ((ends - 1e-9) / ends[-1] * steps).astype(int))
    found = [_drift(quantity, measured, places, steps) for quantity in QUANTITIES]
    return [drift for drift in found if drift is not None]


def _drift(
    quantity: Quantity, verdicts: Sequence[Verdict], places: np.ndarray[tuple[int], np.dtype[np.int_]], steps: int
) -> Drift | None:
    values = np.array([verdict.measures[quantity.name] for verdict in verdicts])
    known = np.flatnonzero(values > LEAST) if quantity.name != "loudness_lufs" else np.flatnonzero(values > -70)
    if len(known) < LEAST_TAKES:
        return None
    usual = float(np.median(values[known]))
    levels = {int(place): quantity.level(float(values[place]), usual) for place in known}
    reach = max(quantity.span / 2, *(abs(level) for level in levels.values()))
    drawn = {place: 0.5 + level / (2 * reach) for place, level in levels.items()}
    found: list[Step | None] = []
    for step in range(steps):
        here = [place for place in np.flatnonzero(places == step).tolist() if place in drawn]
        if not here:
            found.append(None)
            continue
        low, middle, high = np.percentile([drawn[place] for place in here], [10, 50, 90])
        odd = tuple(drawn[place] for place in here if not verdicts[place].good)
        found.append(Step(float(low), float(middle), float(high), odd))
    return Drift(quantity, tuple(found), usual, float(values[known].min()), float(values[known].max()))


def drift_lines(verdicts: Sequence[Verdict], columns: int = 80) -> list[str]:
    """The drift as lines for a terminal: a row of blocks for each quantity, and marks below them where a take is odd.

    No lines for fewer than two takes with figures.
    """
    said = {drift.quantity.name: f"  {drift.quantity.said(drift.usual)}" for drift in drifts(verdicts, 1)}
    if not said:
        return []
    wide = max(1, columns - LABEL_COLUMNS - max(map(len, said.values())))
    lines, odd = [], [False] * wide
    for drift in drifts(verdicts, wide):
        row = "".join(" " if step is None else BLOCKS[round(6 * step.middle)] for step in drift.steps)
        lines.append(f"{drift.quantity.label:<{LABEL_COLUMNS}}{row}{said[drift.quantity.name]}")
        odd = [before or (step is not None and bool(step.odd)) for before, step in zip(odd, drift.steps, strict=True)]
    if any(odd):
        lines.append((f"{'Odd':<{LABEL_COLUMNS}}" + "".join("^" if here else " " for here in odd)).rstrip())
    return lines
