"""MP3 files as ACX, which brings audiobooks to Audible, takes them; and whether they are so.

ACX audio submission requirements: 192 kbit/s or more at a constant rate, 44.1 kHz, 0.5 to 1 s of room tone at the head
of a file and 1 to 5 s at its tail, at most 120 minutes, from -23 to -18 dB RMS, peaks to -3 dB, noise floor to -60 dB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from narrate.clip import Clip, silence
from narrate.clock import hms
from narrate.sinks import Sink
from narrate.sinks.about import About
from narrate.sinks.encoded import EncodedFile
from narrate.sinks.loudness import Aim, Levelled, RmsMeter
from narrate.sinks.split import Content, Split, SplitFiles
from narrate.text.document import Chunk

SAMPLE_RATE, BIT_RATE = 44_100, 192_000
HEAD_SECONDS, TAIL_SECONDS = 0.6, 1.5
MOST_SECONDS = 120 * 60.0
SPLIT_SECONDS = MOST_SECONDS - HEAD_SECONDS - TAIL_SECONDS - 30.0  # so that no file becomes longer
RMS_DB = (-23.0, -18.0)
MOST_PEAK_DB, MOST_NOISE_DB = -3.0, -60.0
TONE_DB = -72.0  # of the room tone: a room that is quiet, not a sound that is switched off
FLOOR_SECONDS = 0.5  # the noise floor is the quietest stretch of this length

# MP3 adds to the peaks, so the limiter stays below the limit.
BOOK = Aim(-20.0, "dB RMS", RmsMeter, peak_db=-5.0)
FILE = Aim(-20.0, "dB RMS", RmsMeter, peak_db=-5.0, near=1.5, even=False)


class Measured(NamedTuple):
    """What ACX measures: length in seconds, levels in dB of full scale, -inf for none."""

    seconds: float
    rms_db: float
    peak_db: float
    noise_db: float
    head_seconds: float
    tail_seconds: float


class AcxFile(Sink):
    """An MP3 file with room tone around and under its sound. `report` is told what was measured when it is complete.

    Its level is that of the book unless it is then far from what is wanted. The sound lies in a file without a name
    beside it meanwhile (see `Levelled`).
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        about: About,
        bit_rate: int,
        report: Callable[[Path, Measured], object],
    ) -> None:
        self._path, self._sample_rate, self._report = path, sample_rate, report
        self._levelled = Levelled(sample_rate, FILE, [lambda rate: _WithTone(path, rate, about, bit_rate)], path.parent)
        self._last: Clip | None = None

    def __enter__(self) -> Self:
        self._levelled.__enter__()
        return self

    def begin(self, chunk: Chunk) -> None:
        first = self._last is None
        self._levelled.begin(chunk)
        if first:
            self._last = Clip(chunk, silence(HEAD_SECONDS, self._sample_rate), self._sample_rate, False, True)
            self._levelled.write(self._last)

    def write(self, clip: Clip) -> None:
        self._levelled.write(clip)
        self._last = clip

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._last is not None:
            tail = silence(TAIL_SECONDS, self._sample_rate)
            self._levelled.write(replace(self._last, samples=tail, final=False, pause=True))
        self._levelled.__exit__(kind, error, trace)
        if error is None:
            self._report(self._path, measure(self._path))


class _WithTone(Sink):
    """Puts a quiet noise under all sound; the same book has the same noise."""

    def __init__(self, path: Path, sample_rate: int, about: About, bit_rate: int) -> None:
        self._file = EncodedFile(path, sample_rate, about, bit_rate, rate=SAMPLE_RATE)
        self._random = np.random.default_rng(0)

    def __enter__(self) -> Self:
        self._file.__enter__()
        return self

    def begin(self, chunk: Chunk) -> None:
        self._file.begin(chunk)

    def write(self, clip: Clip) -> None:
        tone = self._random.standard_normal(len(clip.samples)) * 10 ** (TONE_DB / 20)
        self._file.write(replace(clip, samples=(clip.samples + tone).astype(np.float32)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)


def measure(path: Path) -> Measured:
    """Decode a file and measure it. Raises what PyAV raises for one that is damaged."""
    import av

    powers: list[np.ndarray] = []  # type: ignore[type-arg]
    rest = np.zeros(0, np.float32)
    peak = 0.0
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        block = round(FLOOR_SECONDS * rate / 10)
        for frame in container.decode(audio=0):
            samples = np.concatenate([rest, frame.to_ndarray().astype(np.float32).reshape(-1)])
            peak = max(peak, float(np.abs(samples).max(initial=0.0)))
            whole = len(samples) // block * block
            powers.append(np.square(samples[:whole], dtype=np.float64).reshape(-1, block).mean(axis=1))
            rest = samples[whole:]
    power = np.concatenate(powers) if powers else np.zeros(0)
    windows = np.convolve(power, np.full(10, 0.1), "valid") if len(power) >= 10 else power
    (sounding,) = np.nonzero(power > 10 ** (MOST_NOISE_DB / 10))
    quiet = (int(sounding[0]), len(power) - 1 - int(sounding[-1])) if len(sounding) else (len(power), len(power))
    return Measured(
        (len(power) * block + len(rest)) / rate,
        _db(float(power.mean()) if len(power) else 0.0),
        _db(peak * peak),
        _db(float(windows.min(initial=1.0)) if len(windows) else 0.0),
        *(blocks * block / rate for blocks in quiet),
    )


def _db(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 0 else -np.inf


def faults(found: Measured) -> Iterator[str]:
    """What ACX would not take."""
    if found.seconds > MOST_SECONDS:
        yield f"it is {hms(found.seconds)} long; 2:00:00 is the most"
    if not RMS_DB[0] <= found.rms_db <= RMS_DB[1]:
        yield f"its level is {found.rms_db:.1f} dB RMS; from {RMS_DB[0]:.0f} to {RMS_DB[1]:.0f} is wanted"
    if found.peak_db > MOST_PEAK_DB:
        yield f"its peaks reach {found.peak_db:.1f} dB; {MOST_PEAK_DB:.0f} is the most"
    if found.noise_db > MOST_NOISE_DB:
        yield f"its noise floor is {found.noise_db:.1f} dB; {MOST_NOISE_DB:.0f} is the most"
    if not 0.5 <= found.head_seconds <= 1.0:
        yield f"{found.head_seconds:.1f} s of room tone are at its head; from 0.5 to 1 are wanted"
    if not 1.0 <= found.tail_seconds <= 5.0:
        yield f"{found.tail_seconds:.1f} s of room tone are at its tail; from 1 to 5 are wanted"


class Check:
    """Collects what the files of a book measure, and says at the end whether ACX takes them."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._files: list[Measured] = []
        self._faults = 0

    def add(self, path: Path, found: Measured) -> None:
        self._files.append(found)
        for fault in faults(found):
            self._faults += 1
            self._report(f"ACX would not take {path.name}: {fault}.")

    def end(self) -> None:
        if not self._files or self._faults:
            return
        levels = [found.rms_db for found in self._files]
        many = "1 file is" if len(self._files) == 1 else f"all {len(self._files)} files are"
        self._report(
            f"ACX: {many} within its limits: {min(levels):.1f} to {max(levels):.1f} dB RMS, "
            f"peaks to {max(found.peak_db for found in self._files):.1f} dB, "
            f"noise floor to {max(found.noise_db for found in self._files):.1f} dB, "
            f"the longest {hms(max(found.seconds for found in self._files))}."
        )


class AcxFolder(SplitFiles):
    """A folder with a file for each chapter, or more for one that is too long. `report` is told, in sentences, whether
    they are within the limits."""

    def __init__(
        self,
        folder: Path,
        sample_rate: int,
        about: About,
        contents: Sequence[Content],
        *,
        bit_rate: int | None = None,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._check, self._bit_rate = Check(report), max(BIT_RATE, bit_rate or 0)
        split = Split(most_seconds=SPLIT_SECONDS)
        super().__init__(folder, ".mp3", sample_rate, about, contents, self._open_acx, split=split)

    def _open_acx(self, path: Path, sample_rate: int, about: About) -> Sink:
        return AcxFile(path, sample_rate, about, self._bit_rate, self._check.add)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is None:
            self._check.end()
