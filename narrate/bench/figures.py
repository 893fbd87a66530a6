"""What is reported of the runs over a text, as plain numbers: the same for the tables, for JSON and for comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from narrate.bench.measure import Run, Workload

STAGES = (
    "load", "normalise", "chunk", "plan", "load engine", "prefill", "decode", "vocoder", "speak", "judge", "store",
    "room wait", "sound wait", "sink",
)  # fmt: skip
MOMENTS = 240  # of the buffer's level, in JSON


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a run. `form` and `unit` are for people; `better`: -1 where less is better, +1 where more is."""

    key: str
    label: str
    form: str
    unit: str
    of: Callable[[Run], float | None]
    better: int = -1
    always: bool = True  # shown even where it is not known


def _mega(count: float | None) -> float | None:
    return None if count is None else count / 1e6


def _count(gaps: Sequence[float] | None) -> float | None:
    return None if gaps is None else len(gaps)


def _sum(gaps: Sequence[float] | None) -> float | None:
    return None if gaps is None else sum(gaps)


FIGURES = (
    Figure("rtf", "RTF (wall ÷ speech)", "{:.3g}", "", lambda run: run.rtf),
    Figure("times_real_time", "times real time", "{:.3g}", " ×", lambda run: 1 / run.rtf if run.rtf else None, +1),
    Figure("speech_seconds", "speech made", "{:.1f}", " s", lambda run: run.speech, 0),
    Figure("sound_seconds", "sound with pauses", "{:.1f}", " s", lambda run: run.sound, 0),
    Figure("first_sound_cold", "first sound, cold", "{:.2f}", " s", lambda run: None),
    Figure("first_sound_warm", "first sound, warm", "{:.3f}", " s", lambda run: run.first),
    Figure("gaps", "gaps for a listener", "{:.0f}", "", lambda run: len(run.gaps)),
    Figure("silence_seconds", "silence in them", "{:.2f}", " s", lambda run: run.silence),
    Figure("played_gaps", "gaps, played", "{:.0f}", "", lambda run: _count(run.played_gaps), -1, False),
    Figure("played_silence_seconds", "silence in them", "{:.2f}", " s", lambda run: _sum(run.played_gaps), -1, False),
    Figure("takes", "takes made", "{:.0f}", "", lambda run: run.made, 0),
    Figure("reused", "takes reused", "{:.0f}", "", lambda run: run.reused, 0),
    Figure("retaken", "taken again", "{:.0f}", "", lambda run: run.retaken),
    Figure("failed", "not spoken", "{:.0f}", "", lambda run: run.failed),
    Figure("padding", "padding in batches", "{:.1%}", "", lambda run: run.padding, -1, False),
    Figure("peak_memory_mb", "memory, peak", "{:.0f}", " MB", lambda run: _mega(run.peak_bytes)),
    Figure("memory_growth_mb_per_hour", "growth per hour", "{:+.2f}", " MB", lambda run: _mega(run.growth), -1, False),
    Figure("peak_gpu_mb", "GPU memory, peak", "{:.0f}", " MB", lambda run: run.gpu_megabytes, -1, False),
    Figure("gpu_busy_percent", "GPU busy", "{:.0f}", " %", lambda run: run.gpu_busy, +1, False),
)
COLD = "first_sound_cold"


def of_text(workload: Workload, runs: Sequence[Run], cold: Sequence[float]) -> dict[str, Any]:
    """The figures of every run over a text, its stages over all of them, and the buffer's level in the last."""
    figures: dict[str, list[float]] = {}
    for figure in FIGURES:
        found = [value for run in runs if (value := figure.of(run)) is not None]
        values = list(cold) if figure.key == COLD else found
        if values:
            figures[figure.key] = [round(value, 6) for value in values]
    last = runs[-1]
    return {
        "name": workload.name,
        "language": workload.voice.language,
        "engine": workload.spec,
        "simulated": workload.simulated is not None,
        "complete": all(run.complete for run in runs),
        "runs": len(runs),
        "figures": figures,
        "stages": _stages(runs),
        "gaps": [{"chunk": gap.chunk, "at": round(gap.at, 3), "seconds": round(gap.seconds, 3)} for gap in last.gaps],
        "buffered": _thinned([(round(at, 3), round(level, 3)) for at, level in last.levels]),
    }


def of_run(run: Run) -> dict[str, float]:
    """The figures of one run."""
    return {figure.key: round(value, 6) for figure in FIGURES if (value := figure.of(run)) is not None}


def _stages(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Count, percentiles and the greatest of the seconds of every stage, and its share of the whole."""
    elapsed = sum(run.elapsed for run in runs) or 1.0
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, seconds in run.stages.items():
            found.setdefault(name, []).extend(seconds)
    known = [name for name in STAGES if name in found] + sorted(found.keys() - set(STAGES))
    return {name: _spread(found[name], elapsed) for name in known}


def _spread(seconds: Sequence[float], elapsed: float) -> dict[str, float]:
    import numpy as np

    p50, p90, p95, p99, most = np.percentile(seconds, [50, 90, 95, 99, 100])
    parts = {"p50": p50, "p90": p90, "p95": p95, "p99": p99, "max": most, "share": sum(seconds) / elapsed}
    return {"count": len(seconds), **{name: round(float(value), 9) for name, value in parts.items()}}


def _thinned(levels: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOMENTS` of them, the last among them."""
    step = max(1, -(-len(levels) // MOMENTS))
    return levels[::-1][::step][::-1]
