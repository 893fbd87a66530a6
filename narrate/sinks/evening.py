"""Takes of one voice that are far louder or softer than most are brought nearer to them; all others stay."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from narrate.clip import Samples

FRAME_SECONDS = 0.02
SILENT_DB = 30.0  # below its loudest frame nothing of a take counts
FEWEST_FRAMES = 15  # a take with less sound is too short to judge
FEWEST_TAKES = 8  # of a voice, to know what is usual
WITHIN_DB = 3.0  # of the median, a take stays as it is, and one that is farther off comes so near


class Level(NamedTuple):
    """How loud a take is, in dB of full scale; None if it is too short or silent. `voice` is what speaks it."""

    voice: str
    db: float | None


class TakeMeter:
    """Measures the sound of one take, which may come in pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._frame = max(1, round(FRAME_SECONDS * sample_rate))
        self._powers: list[np.ndarray] = []  # type: ignore[type-arg]

    def add(self, samples: Samples) -> None:
        count = len(samples) // self._frame
        frames = samples[: count * self._frame].reshape(count, self._frame)
        self._powers.append(np.mean(np.square(frames, dtype=np.float64), axis=1))

    @property
    def db(self) -> float | None:
        """The level of what sounds: the pauses within a take do not make it soft."""
        powers = np.concatenate(self._powers) if self._powers else np.zeros(0)
        sounding = powers[powers > powers.max(initial=0.0) * 10 ** (-SILENT_DB / 10)]
        return 10 * float(np.log10(sounding.mean())) if len(sounding) >= FEWEST_FRAMES else None


def gains(levels: Sequence[Level]) -> list[float]:
    """The factor for each take: 1.0 for most."""
    known: dict[str, list[float]] = {}
    for voice, db in levels:
        if db is not None:
            known.setdefault(voice, []).append(db)
    middle = {voice: median(dbs) for voice, dbs in known.items() if len(dbs) >= FEWEST_TAKES}
    return [1.0 if db is None or voice not in middle else _gain(db - middle[voice]) for voice, db in levels]


def _gain(off_db: float) -> float:
    kept = min(max(off_db, -WITHIN_DB), WITHIN_DB)
    return 1.0 if kept == off_db else 10 ** ((kept - off_db) / 20)
