"""The report of a reading, gathered while its sound goes by; written when all of it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from narrate.checking.course import Course, is_known
from narrate.checking.drift import drift_lines
from narrate.checking.measures import measure
from narrate.checking.report import WORST, Reported, badness, report
from narrate.checking.verdict import Verdict
from narrate.clip import Clip, Samples, join
from narrate.errors import SinkError
from narrate.files import write_atomically
from narrate.sinks import Sink
from narrate.sinks.encoded_stream import EncodedStream
from narrate.text.document import Chunk

BIT_RATE = 24_000  # of the sentences that can be heard: Opus, as a telephone of today sounds
HELD = 3 * WORST  # takes whose sound is held before those that are not among the worst are let go

KnownVerdict = Callable[[Chunk], Verdict | None]
"""What was found about the take of a chunk; None if nobody has judged it."""


class ReportFile(Sink):
    """Measures the takes as they are written, unless that was done, and writes a page about them at the end.

    `known` tells what was found about them already, `tell` is told how the voice drifts, in lines for a terminal.
    Only the sound of the worst is held.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        about: tuple[str, str, str],
        known: KnownVerdict = lambda _: None,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        """`about`: title, author and who reads."""
        self._path, self._sample_rate, self._about, self._known, self._tell = path, sample_rate, about, known, tell
        self._courses: dict[str, Course] = {}
        self._takes: list[Reported] = []
        self._sounds: dict[int, Samples] = {}  # by the place among the takes
        self._chunk: Chunk | None = None
        self._parts: list[Samples] = []
        self._seconds = 0.0  # of the chunk, its pause too

    def begin(self, chunk: Chunk) -> None:
        self._end_take()
        self._chunk = chunk

    def write(self, clip: Clip) -> None:
        self._seconds += clip.seconds
        if not clip.pause:
            self._parts.append(clip.samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        self._end_take()
        write_report(self._path, report(*self._about, self._with_sounds()))
        for line in drift_lines([take.verdict for take in self._takes]):
            self._tell(line)

    def _end_take(self) -> None:
        chunk, samples = self._chunk, join(self._parts)
        if chunk is not None and len(samples):
            place = len(self._takes)
            self._takes.append(self._reported(chunk, samples))
            self._sounds[place] = samples
            if len(self._sounds) > HELD:
                self._let_go()
        self._chunk, self._parts, self._seconds = None, [], 0.0

    def _reported(self, chunk: Chunk, samples: Samples) -> Reported:
        verdict = self._known(chunk) or Verdict()
        course = self._courses.setdefault(chunk.language, Course())
        if is_known(verdict.measures):
            measures, why = verdict.measures, verdict.why
        else:
            measures = measure(samples, self._sample_rate, chunk)
            why = verdict.why or ", ".join(course.odd(measures))
        strangeness = course.strangeness(measures)
        course.add(measures)
        return Reported(chunk, replace(verdict, why=why, measures=measures), self._seconds, strangeness)

    def _worst(self) -> list[int]:
        """Their places. The worst of all are always among those whose sound is held."""
        return sorted(self._sounds, key=lambda place: badness(self._takes[place]), reverse=True)[:WORST]

    def _let_go(self) -> None:
        kept = self._worst()
        self._sounds = {place: samples for place, samples in self._sounds.items() if place in kept}

    def _with_sounds(self) -> list[Reported]:
        takes = list(self._takes)
        for place in self._worst():
            takes[place] = with_sound(takes[place], self._sounds[place], self._sample_rate)
        return takes


def write_report(path: Path, page: str) -> None:
    """Raises `SinkError`."""
    try:
        write_atomically(path, page.encode(), private=False)
    except OSError as trouble:
        why = (trouble.strerror or str(trouble)).lower()
        raise SinkError(f"The report {path} cannot be written: {why}.") from trouble


def with_sound(take: Reported, samples: Samples, sample_rate: int) -> Reported:
    """The take with its sound as Opus, which is made if it is asked for."""
    return replace(take, sound=lambda: opus(samples, sample_rate), media_type="audio/ogg")


def opus(samples: Samples, sample_rate: int) -> bytes:
    """A small file that browsers play."""
    found: list[bytes] = []
    blank = Chunk(0, 0, "", "", "", "", 0.0, 0, 0)
    with EncodedStream(found.append, "opus", sample_rate, bit_rate=BIT_RATE) as stream:
        stream.write(Clip(blank, samples, sample_rate))
    return b"".join(found)


def strangeness_of(verdicts: Iterable[tuple[Chunk, Verdict]]) -> list[float]:
    """How far each take is from those before it (Course.strangeness); 0 where nothing was measured."""
    courses: dict[str, Course] = {}
    found = []
    for chunk, verdict in verdicts:
        course = courses.setdefault(chunk.language, Course())
        measured = is_known(verdict.measures)
        found.append(course.strangeness(verdict.measures) if measured else 0.0)
        if measured:
            course.add(verdict.measures)
    return found
