"""One loudness for every book: sound waits in a file without a name until all of it is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, Samples
from narrate.errors import SinkError
from narrate.sinks import Opener, Sink
from narrate.sinks.evening import Level, TakeMeter, gains
from narrate.text.document import Chunk

SILENT_LUFS = -70.0  # what EBU R 128 says of silence, and of less than 0.4 s
MOST_PEAK_DB = -3.5  # of the samples: what lies between them stays below -3 dB
NEAR_LU = 0.1  # near enough
PASSES = 6  # tries to find the gain that comes near enough
MEASURED_SHARE = 0.2  # of the time it takes to bring a book to its loudness is measuring
OVERSHOOT = 1.5  # of what is missing the limiter will take a part again
BLOCK_SECONDS = 0.02  # the limiter looks at blocks of this length
ATTACK, RELEASE = 0.5, 0.1  # how much the limiter's gain may fall and rise from one block to the next


class Meter:
    """Measures integrated loudness and true peak by EBU R 128, as FFmpeg does. `layout`, `form` are FFmpeg's names."""

    def __init__(self, sample_rate: int, layout: str = "mono", form: str = "flt") -> None:
        import av

        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            sample_rate=sample_rate, format=form, layout=layout, time_base=Fraction(1, sample_rate)
        )
        meter = self._graph.add("ebur128", "metadata=1:peak=true")
        source.link_to(meter)
        meter.link_to(self._graph.add("abuffersink"))
        self._graph.configure()
        self._ended = (BlockingIOError, EOFError, av.FFmpegError)
        self._sample_rate, self._samples = sample_rate, 0
        self._found: dict[str, str] = {}

    def add(self, samples: Samples) -> None:
        """The next samples of one channel."""
        import av

        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], format="flt", layout="mono")
        frame.sample_rate, frame.time_base = self._sample_rate, Fraction(1, self._sample_rate)
        frame.pts = self._samples
        self._samples += len(samples)
        self.push(frame)

    def push(self, frame: Any) -> None:
        """The next frame, in the form that was announced."""
        self._graph.push(frame)
        while True:
            try:
                self._found |= self._graph.pull().metadata
            except self._ended:
                return

    @property
    def level(self) -> float | None:
        """The loudness so far, in LUFS; None for silence."""
        return self.lufs

    @property
    def lufs(self) -> float | None:
        """The loudness so far; None for silence."""
        found = float(self._found.get("lavfi.r128.I", SILENT_LUFS))
        return found if found > SILENT_LUFS else None

    @property
    def peak_db(self) -> float | None:
        """The true peak so far; None for silence."""
        peak = float(self._found.get("lavfi.r128.true_peak", 0))
        return 20 * float(np.log10(peak)) if peak > 0 else None


class RmsMeter:
    """Measures the level of all samples, pauses too, as ACX does."""

    def __init__(self, sample_rate: int) -> None:
        del sample_rate
        self._power, self._samples = 0.0, 0

    def add(self, samples: Samples) -> None:
        self._power += float(np.square(samples, dtype=np.float64).sum())
        self._samples += len(samples)

    @property
    def level(self) -> float | None:
        """In dB of full scale; None for silence."""
        return 10 * float(np.log10(self._power / self._samples)) if self._power > 0 else None


class LevelMeter(Protocol):
    def add(self, samples: Samples) -> None: ...

    @property
    def level(self) -> float | None: ...


class Aim(NamedTuple):
    """How loud a book is to be, and how that is measured. It is left alone if it is as near as `near` already. No
    sample comes above `peak_db`. `even`: takes that stand out are brought nearer to the others first."""

    level: float
    unit: str = "LUFS"
    meter: Callable[[int], LevelMeter] = Meter
    peak_db: float = MOST_PEAK_DB
    near: float = NEAR_LU
    even: bool = True


class Levelled(Sink):
    """Brings the sound to its aim and then hands it to the sinks of `openers`: one gain for all of it, and a limiter.

    Meanwhile it lies as 32-bit samples in a file without a name in `folder` (346 MB an hour at 24 kHz), which is gone
    however the program ends. `report` is told what was done, in a sentence.
    """

    def __init__(
        self,
        sample_rate: int,
        aim: Aim,
        openers: Sequence[Opener],
        folder: Path,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._sample_rate, self._aim, self._openers, self._folder = sample_rate, aim, openers, folder
        self._report = report
        self._spool: IO[bytes] | None = None
        self._meter = aim.meter(sample_rate)
        self._block = max(1, round(BLOCK_SECONDS * sample_rate))
        self._peaks = Peaks(self._block)
        self._events: list[Chunk | tuple[Clip, int]] = []
        self._takes: list[Level] = []  # that are complete
        self._take: tuple[str, TakeMeter] | None = None  # that is being written
        self._gains: list[float] = []  # of the takes

    def __enter__(self) -> Self:
        with _Plainly(self._folder):
            self._spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by __exit__
        return self

    def begin(self, chunk: Chunk) -> None:
        self._end_take()
        self._events.append(chunk)
        self._take = (chunk.language, TakeMeter(self._sample_rate))

    def write(self, clip: Clip) -> None:
        assert self._spool is not None, "written to outside its block"
        with _Plainly(self._folder):
            self._spool.write(clip.samples.astype("<f4", copy=False).tobytes())
        self._meter.add(clip.samples)
        self._peaks.add(clip.samples)
        if self._take is not None and not clip.pause and self._aim.even:
            self._take[1].add(clip.samples)
        self._events.append((replace(clip, samples=clip.samples[:0]), len(clip.samples)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._spool is not None, "left without being entered"
        with self._spool:
            if error is None:
                self.finished_share = 0.0
                self._deliver(self._spool)
                self.finished_share = 1.0

    def _end_take(self) -> None:
        if self._take is not None:
            voice, meter = self._take
            self._takes.append(Level(voice, meter.db))
            self._take = None

    def _deliver(self, spool: IO[bytes]) -> None:
        self._end_take()
        first = self._meter.level
        self._gains = gains(self._takes)
        uneven = sum(gain != 1.0 for gain in self._gains)
        curve = np.ones(len(self._peaks.all()) + 1)
        if uneven:
            self._meter, self._peaks, before = self._aim.meter(self._sample_rate), Peaks(self._block), self._peaks
            for samples in self._levelled(spool, 1.0, curve, before):
                self._meter.add(samples)
                self._peaks.add(samples)
        gain, level = 1.0, self._meter.level
        if first is not None and level is not None:
            gain, curve, after = self._levels(spool, level)
            evened = f"{_takes(uneven)} brought nearer to the others; " if uneven else ""
            self._report(
                f"Loudness: {evened}{first:.1f} {self._aim.unit}, brought to {after:.1f} by "
                f"{20 * np.log10(gain):+.1f} dB; {np.mean(curve < 1.0):.1%} of it limited."
            )
        with ExitStack() as stack:
            sinks = [stack.enter_context(opener(self._sample_rate)) for opener in self._openers]
            levelled = self._levelled(spool, gain, curve)
            for number, event in enumerate(self._events):
                self.finished_share = MEASURED_SHARE + (1 - MEASURED_SHARE) * number / len(self._events)
                for sink in sinks:
                    if isinstance(event, Chunk):
                        sink.begin(event)
                if not isinstance(event, Chunk):
                    clip = replace(event[0], samples=next(levelled))
                    for sink in sinks:
                        sink.write(clip)

    def _levels(self, spool: IO[bytes], before: float) -> tuple[float, NDArray[np.float64], float]:
        """The gain, what the limiter does then, and how loud it becomes. A limiter takes loudness, so it is asked."""
        missing = self._aim.level - before
        gain, missing = 1.0, 0.0 if abs(missing) <= self._aim.near else missing
        for number in range(PASSES):
            self.finished_share = MEASURED_SHARE * number / PASSES
            gain *= 10 ** (missing / 20)
            curve = limiter(self._peaks.all() * np.float32(gain), 10 ** (self._aim.peak_db / 20))
            after = before + 20 * float(np.log10(gain))
            if curve.min() == 1.0:
                break
            meter = self._aim.meter(self._sample_rate)
            for samples in self._levelled(spool, gain, curve):
                meter.add(samples)
            level = meter.level
            after = after if level is None else level
            missing = OVERSHOOT * (self._aim.level - after)
            if abs(self._aim.level - after) <= self._aim.near:
                break
        return gain, curve, after

    def _levelled(
        self, spool: IO[bytes], gain: float, curve: NDArray[np.float64], peaks: Peaks | None = None
    ) -> Iterator[Samples]:
        """The sound of each clip as it becomes."""
        spool.seek(0)
        at, take = 0, -1
        blocks = peaks or self._peaks
        for event in self._events:
            if isinstance(event, Chunk):
                take += 1
                continue
            count = event[1]
            with _Plainly(self._folder):
                samples = np.frombuffer(spool.read(4 * count), dtype="<f4")
            own = self._gains[take] if take >= 0 else 1.0
            yield (samples * own * gain * blocks.between(curve, at, count)).astype(np.float32)
            at += count


def _takes(count: int) -> str:
    return "1 take was" if count == 1 else f"{count} takes were"


class Peaks:
    """The largest sample of each block of `block` samples, of sound that comes in pieces."""

    def __init__(self, block: int) -> None:
        self._block = block
        self._found: list[NDArray[np.float32]] = []
        self._rest = np.zeros(0, dtype=np.float32)

    def add(self, samples: Samples) -> None:
        levels = np.concatenate([self._rest, np.abs(samples)])
        whole = len(levels) // self._block * self._block
        self._found.append(levels[:whole].reshape(-1, self._block).max(axis=1))
        self._rest = levels[whole:]

    def all(self) -> NDArray[np.float32]:
        """The peaks so far, with that of the last block."""
        last = self._rest.max(initial=0.0)
        return np.concatenate([*self._found, np.array([last], dtype=np.float32)])

    def between(self, edges: NDArray[np.float64], start: int, count: int) -> NDArray[np.float64]:
        """Values for `count` samples from `start` on, in straight lines between those at the edges of the blocks."""
        places = np.arange(start, start + count) / self._block
        return np.interp(places, np.arange(len(edges)), edges)


def limiter(peaks: NDArray[np.float32], limit: float) -> NDArray[np.float64]:
    """Gains, at most 1, at the edges of blocks with these peaks, one more than blocks.

    A line between the gains at both edges of a block keeps all of it within `limit`, because neither is above what the
    block needs. They fall and rise no faster than `ATTACK` and `RELEASE`.
    """
    allowed = limit / np.maximum(peaks.astype(np.float64), limit)
    edges = np.minimum(np.append(allowed, 1.0), np.insert(allowed, 0, 1.0))
    steps = np.arange(len(edges))
    rising = np.minimum.accumulate(edges - RELEASE * steps) + RELEASE * steps
    falling = np.minimum.accumulate(rising[::-1] - ATTACK * steps) + ATTACK * steps
    gains: NDArray[np.float64] = np.minimum(falling[::-1], 1.0)
    return gains


class _Plainly:
    """A full disk is one plain line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            from narrate.sinks.audiofile import reason

            raise SinkError(f"Sound cannot wait in {self._folder} to be levelled: {reason(error)}") from error
