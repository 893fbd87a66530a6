"""What a reading will come to, before it is made: its length by chapters, the size of its file, the time to make it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from narrate.clip import Clip, silence
from narrate.pace import chunk_seconds
from narrate.reading.session import Session
from narrate.sinks import Sink
from narrate.text.document import Chunk

SAMPLE_SECONDS = 3.0  # of wall time, to learn how fast the voice is here
MOST_SAMPLE_SOUND = 60.0  # seconds of sound, to learn how large a file becomes
SHORT_SHARE = 0.25  # of the sample goes into a first file; what a second, longer one adds is the cost of sound alone


@dataclass(frozen=True, slots=True)
class ChapterPlan:
    """A chapter, how many seconds it will sound, how many of them are speech and no pauses, and how many are made."""

    number: int
    title: str
    seconds: float
    speech_seconds: float
    made_seconds: float


@dataclass(frozen=True, slots=True)
class FileCost:
    """What a file takes: bytes before any sound, bytes for each second of sound, and wall seconds for each of them."""

    bytes: float
    bytes_per_second: float
    wall_per_second: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A little of the book, made to measure: its clips with their pauses, and the wall seconds that a second of new
    sound takes; None if all of it was made before."""

    clips: tuple[Clip, ...]
    rtf: float | None


def chapters(session: Session) -> list[ChapterPlan]:
    """The chapters of the reading, whose takes are as long as they are where they are made, else about as long as a
    calm reader's. Cuts the whole text."""
    narrator, speed = session.player.narrator, session.speed
    found: list[ChapterPlan] = []
    for chunk in _chunks(session):
        known = session.takes.seconds(narrator.key(chunk))
        speech = (chunk_seconds(chunk) if known is None else known) / speed
        seconds, made = speech + chunk.pause / speed, (known or 0.0) / speed
        if found and found[-1].number == chunk.chapter:
            last = found.pop()
            seconds, speech, made = last.seconds + seconds, last.speech_seconds + speech, last.made_seconds + made
        found.append(ChapterPlan(chunk.chapter, chunk.title, seconds, speech, made))
    return found


def unmade(session: Session) -> tuple[int, float]:
    """How many characters will be sent to the engine, and about how many seconds they will sound. Cuts the whole
    text."""
    narrator = session.player.narrator
    wanted = {narrator.key(chunk): chunk for chunk in _chunks(session)}
    left = [chunk for key, chunk in wanted.items() if not session.takes.has(key)]
    return sum(len(chunk.spoken) for chunk in left), sum(map(chunk_seconds, left))


def sample(session: Session, wall_seconds: float = SAMPLE_SECONDS) -> Sample:
    """Make what is not made yet, for so long, from its first chunk on. What is made is kept like all takes.

    Raises `NarrateError` if the engine cannot speak.
    """
    narrator = session.player.narrator
    first = next((chunk.index for chunk in _chunks(session) if not session.takes.has(narrator.key(chunk))), 0)
    found: list[Clip] = []
    started = None
    for clip in narrator.clips(session.player.script.since(first), first):
        found.append(clip)
        if clip.final and clip.chunk.pause > 0:
            found.append(_pause(clip))
        started = started or time.monotonic()  # before the first clip the engine has loaded
        if time.monotonic() - started > wall_seconds:
            narrator.interrupt()
    return Sample(tuple(found), narrator.stats.rtf)


def file_cost(clips: Sequence[Clip], open_file: Callable[[Path, int], Sink], suffix: str) -> FileCost:
    """What a file of this suffix takes, by writing two of them to a folder that is removed again.

    `open_file` makes the sink of a file for sound of a sample rate.
    """
    few = _of_seconds(clips, min(MOST_SAMPLE_SOUND, sum(clip.seconds for clip in clips)) * SHORT_SHARE)
    many = _of_seconds(clips, MOST_SAMPLE_SOUND)
    with TemporaryDirectory() as folder:
        short, short_bytes, _ = _write(few, open_file, Path(folder, f"short{suffix}"))
        long, long_bytes, wall = _write(many, open_file, Path(folder, f"long{suffix}"))
    if long <= short:
        return FileCost(0.0, long_bytes / max(long, 0.1), wall / max(long, 0.1))
    slope = (long_bytes - short_bytes) / (long - short)
    return FileCost(max(0.0, long_bytes - slope * long), slope, wall / long)


def _chunks(session: Session) -> list[Chunk]:
    return [chunk for chunk in session.player.script.since(0) if chunk is not None]


def _pause(clip: Clip) -> Clip:
    quiet = silence(clip.chunk.pause, clip.sample_rate)
    return Clip(clip.chunk, quiet, clip.sample_rate, final=False, pause=True)


def _of_seconds(clips: Sequence[Clip], seconds: float) -> list[Clip]:
    """The first clips, until there are so many seconds of sound; one at least."""
    found: list[Clip] = []
    sound = 0.0
    for clip in clips:
        if found and sound + clip.seconds > seconds:
            break
        found.append(clip)
        sound += clip.seconds
    return found


def _write(clips: Sequence[Clip], open_file: Callable[[Path, int], Sink], path: Path) -> tuple[float, int, float]:
    """Seconds of sound, bytes of the file, wall seconds that it took."""
    started = time.perf_counter()
    with open_file(path, clips[0].sample_rate) as sink:
        begun = None
        for clip in clips:
            if clip.chunk is not begun:
                sink.begin(begun := clip.chunk)
            sink.write(clip)
    return sum(clip.seconds for clip in clips), path.stat().st_size, time.perf_counter() - started
