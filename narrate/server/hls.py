"""The sound of a reading as a browser plays it: runs of segments, each with a playlist that grows (HLS, RFC 8216).

A jump to where no sound is yet begins a new run, which has its own time line: it starts at 0 and has no gap. Within a
run a player seeks by itself. Segments are short while the ear is close behind, so that sound is heard soon, and longer
the more of it lies ahead.
"""

from __future__ import annotations

import shutil
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, to_int16
from narrate.errors import SinkError
from narrate.server.fragments import FRAGMENT_SECONDS, LEAD_IN_SAMPLES, Encoder, Fragment
from narrate.sinks import Ear, Sink
from narrate.text.document import Chunk

LONGEST_SEGMENT_SECONDS = 4.0
NEARLY_SECONDS = 0.05  # players are told to go to the beginning of a sentence, and come out a little before it
END_SECONDS = 0.3  # players end a little before or after the last sample
LONGEST_STEP_SECONDS = 10.0  # between two words of the ear; what is farther was jumped over and not heard
CALM_SECONDS = (
    10.0  # who has so much to hear is in no hurry: others' first sounds are encoded before the rest of theirs
)
CALM_PACE = 5.0  # times as fast as it is heard is the rest encoded then
RUNS_KEPT = 2  # the newest, so that a player that is a moment behind still finds its segments
PLAYLIST = "playlist.m3u8"
HEAD = "init.mp4"


class Sentence:
    """A chunk in a run: its sound begins at `start` and ends at `end`, in seconds of the run, with its pause. `end` is
    None while it is being written."""

    __slots__ = ("chunk", "end", "start")

    def __init__(self, chunk: Chunk, start: float) -> None:
        self.chunk, self.start = chunk, start
        self.end: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of a run, from `start` to `end` in seconds."""

    index: int
    start: float
    end: float

    @property
    def name(self) -> str:
        return f"{self.index}.m4s"


@dataclass(frozen=True, slots=True)
class Told:
    """What happens in a run: a sentence begins (`text`), or is written whole (`timed`), or a segment can be played."""

    kind: Literal["run", "text", "timed", "audio", "complete"]
    run: Run
    item: Sentence | Segment | None = None


@dataclass(eq=False)
class Run:
    """A stretch of sound without a gap, in files of `folder`. The ear is at `heard` seconds of it."""

    number: int
    folder: Path
    encoder: Encoder
    sentences: list[Sentence] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    complete: bool = False
    heard: float = 0.0
    listened: bool = False
    """A page has told where its ear is; of other players it is known what they have fetched."""
    _open: list[Fragment] = field(default_factory=list)

    @property
    def written(self) -> float:
        """Seconds of sound, with what is not yet in a segment."""
        return self.encoder.samples / self.encoder.sample_rate

    @property
    def ready(self) -> float:
        """Seconds of sound in segments."""
        return self.segments[-1].end if self.segments else 0.0

    @property
    def unheard(self) -> float:
        left = self.written - self.heard
        return 0.0 if self.complete and left <= END_SECONDS else max(0.0, left)

    def at(self, seconds: float) -> Sentence | None:
        """The sentence that sounds then."""
        place = bisect_right(self.sentences, seconds + NEARLY_SECONDS, key=lambda sentence: sentence.start)
        return self.sentences[max(0, place - 1)] if self.sentences else None

    def of(self, index: int) -> Sentence | None:
        """The sentence of a chunk; None if it is not in this run."""
        if not self.sentences:
            return None
        place = index - self.sentences[0].chunk.index  # a run has no gap
        return self.sentences[place] if 0 <= place < len(self.sentences) else None

    def add(self, samples: NDArray[np.int16]) -> list[Segment]:
        """Write sound. Returns the segments that are complete because of it."""
        return self._cut(self.encoder.add(samples), last=False)

    def end(self) -> list[Segment]:
        """No more sound comes. Returns the last segments."""
        return self._cut(self.encoder.end(), last=True)

    def _cut(self, fragments: list[Fragment], *, last: bool) -> list[Segment]:
        made = []
        for number, fragment in enumerate(fragments, 1):
            self._open.append(fragment)
            rate = self.encoder.sample_rate
            seconds = (fragment.end - self._open[0].start) / rate
            wanted = min(LONGEST_SEGMENT_SECONDS, (self._open[0].start / rate - self.heard) / 2)
            if seconds + FRAGMENT_SECONDS > wanted or (last and number == len(fragments)):
                made.append(self._close())
        if last and self._open:
            made.append(self._close())
        return made

    def _close(self) -> Segment:
        first, rate = not self.segments, self.encoder.sample_rate
        segment = Segment(len(self.segments), self._open[0].start / rate, self._open[-1].end / rate)
        try:
            if first:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                (self.folder / HEAD).write_bytes(self.encoder.head)
            (self.folder / segment.name).write_bytes(b"".join(fragment.data for fragment in self._open))
        except OSError as error:
            why = error.strerror or error
            raise SinkError(f"The sound cannot be kept for the page in {self.folder} ({why}).") from error
        self._open = []
        self.segments.append(segment)
        return segment

    def playlist(self) -> str:
        """The playlist of what is ready. Its names are those of the files beside it."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{round(LONGEST_SEGMENT_SECONDS)}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            "#EXT-X-PLAYLIST-TYPE:EVENT",
            "#EXT-X-START:TIME-OFFSET=0",
            f'#EXT-X-MAP:URI="{HEAD}"',
        ]
        for segment in list(self.segments):
            lines += [f"#EXTINF:{segment.end - segment.start:.6f},", segment.name]
        if self.complete:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"


class Runs:
    """The runs of one reading, one after the other, whatever sessions make them. Any thread may ask."""

    def __init__(self, folder: Path, tell: Callable[[Told], object] = lambda _: None) -> None:
        self._folder, self._tell = folder, tell
        self._lock = threading.RLock()
        self._runs: list[Run] = []
        self._count = 0
        self._broken = False  # what comes next does not belong to the current run
        self.heard_seconds = 0.0
        """How long somebody has listened, by their clock: at double speed a minute of sound is half a minute."""
        self.last_word = time.monotonic()
        """When somebody last told, or showed, where the ear is."""

    @property
    def current(self) -> Run | None:
        return self._runs[-1] if self._runs else None

    def find(self, number: int) -> Run | None:
        """The run of this number; None if there is none, or not any more."""
        return next((run for run in self._runs if run.number == number), None)

    def hears(self, number: int, seconds: float, speed: float = 1.0) -> bool:
        """The ear is there. False if the run is not the current one: its ear does not count any more."""
        with self._lock:
            self.last_word = time.monotonic()
            run = self.current
            if run is None or run.number != number:
                return False
            seconds = max(0.0, min(seconds, run.written))
            step = (seconds - run.heard) / speed
            if run.listened and 0 < step < LONGEST_STEP_SECONDS:
                self.heard_seconds += step
            run.heard, run.listened = seconds, True
            return True

    def visited(self) -> None:
        """A player asks what there is: somebody listens."""
        self.last_word = time.monotonic()

    def fetched(self, run: Run, index: int) -> None:
        """A player took this segment. If it is no page of ours, that is all that is known of its ear."""
        with self._lock:
            self.last_word = time.monotonic()
            if run.listened or not 0 <= index < len(run.segments):
                return
            last = run.complete and index == len(run.segments) - 1
            segment = run.segments[index]
            run.heard = segment.end if last else segment.start

    @property
    def ear(self) -> Ear:
        with self._lock:
            run = self.current
            if run is None:
                return Ear(None, 0.0, self.heard_seconds, 0.0)
            sentence = run.at(run.heard)
            chunk, start = (sentence.chunk, sentence.start) if sentence else (None, 0.0)
            return Ear(chunk, max(0.0, run.heard - start), self.heard_seconds, run.unheard)

    def begin(self, chunk: Chunk, sample_rate: int) -> None:
        """The sound of this chunk comes next: in the current run if it follows there, else in a new one."""
        with self._lock:
            run = self.current
            if run is None or run.complete or self._broken or not _follows(run, chunk):
                self.complete()
                run = self._next(sample_rate)
            else:
                self._end_sentence(run)
            start = run.written if run.sentences else LEAD_IN_SAMPLES / sample_rate
            sentence = Sentence(chunk, start)
            run.sentences.append(sentence)
        self._tell(Told("text", run, sentence))

    def break_off(self) -> None:
        """The listener goes where no sound is: the chunk that begins next begins a run."""
        self._broken = True

    def write(self, samples: NDArray[np.int16]) -> None:
        """More sound of the chunk. Raises `SinkError` if it cannot be kept."""
        run = self.current
        if run is None or run.complete:
            return
        with self._lock:
            made = run.add(samples)
        for segment in made:
            self._tell(Told("audio", run, segment))

    def complete(self) -> None:
        """The current run ends here."""
        with self._lock:
            run = self.current
            if run is None or run.complete:
                return
            self._end_sentence(run)
            made = run.end()
            run.complete = True
        for segment in made:
            self._tell(Told("audio", run, segment))
        self._tell(Told("complete", run))

    def drop(self) -> None:
        """Throw all sound away."""
        with self._lock:
            self._runs.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _next(self, sample_rate: int) -> Run:
        while len(self._runs) >= RUNS_KEPT:
            shutil.rmtree(self._runs.pop(0).folder, ignore_errors=True)
        self._count += 1
        self._broken = False
        run = Run(self._count, self._folder / str(self._count), Encoder(sample_rate))
        self._runs.append(run)
        self._tell(Told("run", run))
        return run

    def _end_sentence(self, run: Run) -> None:
        if run.sentences and run.sentences[-1].end is None:
            run.sentences[-1].end = run.written
            self._tell(Told("timed", run, run.sentences[-1]))


def _follows(run: Run, chunk: Chunk) -> bool:
    return not run.sentences or chunk.index == run.sentences[-1].chunk.index + 1


class PageSink(Sink):
    """Writes a session's sound into runs. The ear is where pages and players say it is."""

    is_heard = True

    def __init__(self, runs: Runs, sample_rate: int) -> None:
        self._runs, self._sample_rate = runs, sample_rate
        self._begun = False

    @property
    def ear(self) -> Ear:
        # Until this session has written, the runs are those of the session before.
        return self._runs.ear if self._begun else Ear(None, 0.0, self._runs.heard_seconds, 0.0)

    def begin(self, chunk: Chunk) -> None:
        if not self._begun:
            self._runs.complete()
        self._begun = True
        self._runs.begin(chunk, self._sample_rate)

    def write(self, clip: Clip) -> None:
        self._runs.write(to_int16(clip.samples))
        if self._runs.ear.unheard_seconds > CALM_SECONDS:
            time.sleep(clip.seconds / CALM_PACE)

    def drain(self) -> None:
        self._runs.complete()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runs.complete()
