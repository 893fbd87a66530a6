"""This benchmark against an earlier one: the ratio of every figure, and whether it is more than chance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isclose
from pathlib import Path
from statistics import fmean
from typing import Any

from narrate.bench.figures import FIGURES
from narrate.errors import InputError

SCHEMA = 1
SAME = 5e-4  # closer than this, relative to one another, two figures are shown as the same number
UNKNOWN = "not known"
MARKS = {
    "same": "no difference in the digits shown",
    "within the spread": "a difference no larger than between repeats of the same version",
    "better": "every repeat is better than every earlier one, by more than repeats differ",
    "worse": "every repeat is worse than every earlier one, by more than repeats differ",
    "differs": "as clear a difference, of a figure that is neither good nor bad",
    UNKNOWN: "one run each cannot tell; measure both versions with --repeat 3",
}
"""What each verdict means."""


def load(path: Path) -> dict[str, Any]:
    """The JSON of an earlier benchmark: a file of nothing else, or one that ends with it as its last line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from error
    for candidate in (text, (text.strip().splitlines() or [""])[-1]):
        try:
            found = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("schema") == SCHEMA and "texts" in found:
            return found
    raise InputError(f"{path} is no result of this version of `narrate bench`: name a file written by --json.")


def against(before: Mapping[str, Any], now: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Row by row, for texts that both have read with the same engine."""
    known = {(text["name"], text["engine"]): text for text in before["texts"]}
    rows = []
    for text in now["texts"]:
        old = known.get((text["name"], text["engine"]))
        for figure in FIGURES if old else ():
            was, is_now = old["figures"].get(figure.key), text["figures"].get(figure.key)  # type: ignore[index]
            if was and is_now:
                rows.append(
                    {
                        "name": text["name"],
                        "key": figure.key,
                        "label": figure.label,
                        "before": fmean(was),
                        "now": fmean(is_now),
                        "ratio": fmean(is_now) / fmean(was) if fmean(was) else None,
                        "verdict": verdict(was, is_now, figure.better),
                    }
                )
    return {"file": file, "commit": before["commit"], "when": before["when"], "rows": rows}


def is_worse(compared: Mapping[str, Any]) -> bool:
    """True if a figure of this comparison is worse than it was."""
    return any(row["verdict"] == "worse" for row in compared["rows"])


def verdict(before: Sequence[float], now: Sequence[float], better: int) -> str:
    """A word of `MARKS`: "better", "worse" or "differs" if all repeats of one lie beyond all of the other, and further
    away than those of either lie apart."""
    if isclose(fmean(before), fmean(now), rel_tol=SAME):
        return "same"
    if min(len(before), len(now)) < 2:
        return UNKNOWN
    apart = max(max(before) - min(before), max(now) - min(now))
    distance = max(min(now) - max(before), min(before) - max(now))
    if distance <= 0 or abs(fmean(now) - fmean(before)) <= apart:
        return "within the spread"
    if not better:
        return "differs"
    return "better" if (fmean(now) > fmean(before)) == (better > 0) else "worse"
