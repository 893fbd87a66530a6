"""How good the sound is, as far as a program can tell: by measure, by a trained judge, by a recogniser of speech."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import fmean, median
from typing import Any

import numpy as np

from narrate.clip import Clip, Samples, join
from narrate.pace import expected_seconds
from narrate.text.document import Chunk

AT_MOST = 1800.0  # seconds of sound that are kept for it
FRAME = 0.01  # seconds
QUIET = 10 ** (-50 / 20)  # of full scale
FULL = 0.999
ODD_RATE = 1.5  # times quicker or slower than most chunks
ODD_LOUDNESS = 6.0  # dB from most chunks
JUDGED = 20  # clips, evenly spread: the judges are slow
JUDGED_SECONDS = 3.0  # shorter clips tell them little
JUDGED_RATE = 16_000
RECOGNISERS = ("large-v3", "medium", "small", "base", "tiny")

JUDGES_REMEDY = "no DNSMOS: pip install speechmos librosa onnxruntime"
RECOGNISER_REMEDY = "no error rates: pip install faster-whisper jiwer, and fetch a model for it"


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """A whole chunk and its sound."""

    chunk: Chunk
    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate

    @property
    def loudness(self) -> float:
        """Root mean square of what is not silence, in dB below full scale."""
        levels = _levels(self.samples, self.sample_rate)
        loud = levels[levels > QUIET]
        return float(10 * np.log10(np.mean(np.square(loud)))) if len(loud) else -120.0

    @property
    def pace(self) -> float:
        """How many times quicker than a calm reader."""
        return expected_seconds(self.chunk.spoken, self.chunk.language) / max(self.seconds, 0.01)


@dataclass(frozen=True, slots=True)
class Quality:
    """`silence` and `clipping` are shares. `pace` is relative to a calm reader, `loudness` in dB. `odd` are the chunks
    that are much quicker, slower, louder or softer than the rest, with what is odd about them; `mos` the judge's marks,
    1 to 5; `errors` the share of words and of characters a recogniser heard otherwise; `missing` says what is not here.
    """

    takes: int
    seconds: float
    silence: float
    clipping: float
    pace: tuple[float, float, float]  # P10, P50, P90
    loudness: tuple[float, float, float]
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

    def takes(self) -> list[SpokenChunk]:
        return [
            SpokenChunk(parts[0].chunk, join(part.samples for part in parts), parts[0].sample_rate)
            for parts in self._parts.values()
        ]


def judge(takes: Sequence[SpokenChunk], told: Callable[[str], object] = lambda _: None) -> Quality | None:
    """All that can be said here about the takes; None for none."""
    if not takes:
        return None
    samples = np.concatenate([take.samples for take in takes])
    levels = _levels(samples, takes[0].sample_rate)
    told("listening to the takes")
    judged = _spread([take for take in takes if take.seconds >= JUDGED_SECONDS] or list(takes))
    mos, errors = _mos(judged), _errors(judged)
    missing = [remedy for found, remedy in ((mos, JUDGES_REMEDY), (errors, RECOGNISER_REMEDY)) if found is None]
    return Quality(
        takes=len(takes),
        seconds=sum(take.seconds for take in takes),
        silence=float(np.mean(levels < QUIET)),
        clipping=float(np.mean(np.abs(samples) >= FULL)),
        pace=_spread_of([take.pace for take in takes]),
        loudness=_spread_of([take.loudness for take in takes]),
        odd=tuple(_odd(takes)),
        mos=mos,
        errors=errors,
        missing=tuple(missing),
    )


def _odd(takes: Sequence[SpokenChunk]) -> list[tuple[str, str]]:
    pace = median(take.pace for take in takes)
    loudness = median(take.loudness for take in takes)
    found = []
    for take in takes:
        wrong = []
        if not 1 / ODD_RATE <= take.pace / pace <= ODD_RATE:
            wrong.append(f"{take.pace / pace:.1f} × as quick")
        if abs(take.loudness - loudness) > ODD_LOUDNESS:
            wrong.append(f"{take.loudness - loudness:+.0f} dB")
        if wrong:
            found.append((", ".join(wrong), " ".join(take.chunk.text.split())))
    return found


def _mos(takes: Sequence[SpokenChunk]) -> dict[str, float] | None:
    """DNSMOS, the mean over the takes: overall, signal, background (P.835) and overall (P.808)."""
    if find_spec("speechmos") is None:
        return None
    import librosa
    from speechmos import dnsmos

    marks: dict[str, list[float]] = {}
    for take in takes:
        heard = librosa.resample(take.samples, orig_sr=take.sample_rate, target_sr=JUDGED_RATE)
        for name, mark in dnsmos.run(np.clip(heard, -1, 1), JUDGED_RATE, return_df=False).items():
            if name.endswith("_mos"):
                marks.setdefault(name.removesuffix("_mos"), []).append(float(mark))
    return {name: fmean(found) for name, found in marks.items()}


def _errors(takes: Sequence[SpokenChunk]) -> dict[str, float] | None:
    """Word and character error rates of what a recogniser hears, by letters alone."""
    recogniser = _recogniser()
    if recogniser is None:
        return None
    import jiwer
    import librosa

    said, heard = [], []
    for take in takes:
        sound = librosa.resample(take.samples, orig_sr=take.sample_rate, target_sr=JUDGED_RATE)
        parts, _ = recogniser.transcribe(sound, language=take.chunk.language)
        said.append(_plain(take.chunk.spoken))
        heard.append(_plain(" ".join(part.text for part in parts)))
    return {"wer": float(jiwer.wer(said, heard)), "cer": float(jiwer.cer(said, heard))}


def _recogniser() -> Any:
    """The largest model of faster-whisper that is on this machine, or None."""
    if find_spec("faster_whisper") is None or find_spec("jiwer") is None:
        return None
    from faster_whisper import WhisperModel

    for name in RECOGNISERS:
        with suppress(Exception):  # not fetched: what is raised then differs from version to version
            return WhisperModel(name, local_files_only=True)
    return None


def _plain(text: str) -> str:
    kept = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    return " ".join(kept.split())


def _levels(samples: Samples, sample_rate: int) -> np.ndarray[Any, Any]:
    """Root mean square of every 10 ms."""
    frame = max(1, round(FRAME * sample_rate))
    whole = samples[: max(frame, len(samples) // frame * frame)]
    padded = np.zeros(-(-len(whole) // frame) * frame, dtype=np.float32)
    padded[: len(whole)] = whole
    return np.asarray(np.sqrt(np.mean(np.square(padded.reshape(-1, frame)), axis=1)))


def _spread(takes: list[SpokenChunk]) -> list[SpokenChunk]:
    step = max(1, -(-len(takes) // JUDGED))
    return takes[::step]


def _spread_of(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return float(low), float(middle), float(high)
