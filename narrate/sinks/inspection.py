"""An audiobook read back: what it says of itself, how long and how loud it is, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrate.clip import Samples
from narrate.clock import hms
from narrate.errors import InputError
from narrate.sinks import READ_ALONG
from narrate.sinks.loudness import Meter
from narrate.sinks.mp4 import has_nero_chapters
from narrate.sinks.timeline import SHORTEST_CHAPTER_SECONDS

LONG_SILENCE_SECONDS = 5.0
SILENT = 0.001  # of full scale (-60 dB)
WANTED_LUFS = (-24.0, -16.0)  # speech in one channel; -19 is usual
MOST_PEAK_DB = -0.1  # above it, sound is cut off or soon will be
CHAPTERS_SECONDS = 3600.0  # a longer file should have chapters
LONGEST_SECONDS = 40 * 3600.0  # many players fail before
EDGE_SECONDS = 0.05  # chapters and sound may differ so much: formats count in milliseconds and in frames
LENGTH_SECONDS = 0.5  # the stated length and the heard one may differ so much: encoders fill up frames
NERO_CHAPTERS = 255


class ChapterMark(NamedTuple):
    """A chapter's title and its beginning and end in seconds."""

    title: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a file. `seconds` were decoded. `lufs` is None for silence, `peak_db` the true peak.

    `silences` are the places, in seconds, of silences longer than `LONG_SILENCE_SECONDS`, and their lengths. `faults`
    are sentences.
    """

    container: str
    codec: str
    sample_rate: int
    seconds: float
    bytes: int
    tags: dict[str, str]
    cover: str
    chapters: tuple[ChapterMark, ...]
    lufs: float | None
    peak_db: float | None
    silences: tuple[tuple[float, float], ...]
    faults: tuple[str, ...]


def inspect(path: Path) -> Inspection:
    """Decode the whole file and judge it. Raises `InputError` for what is no sound or cannot be read."""
    import av

    if path.suffix.lower() == READ_ALONG:
        from narrate.sinks.read_along.inspection import inspect as inspect_book

        return inspect_book(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path} holds no sound.")
            return _inspect(path, container)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path} cannot be read as sound ({error.strerror}).") from None


def _inspect(path: Path, container: Any) -> Inspection:
    stream = container.streams.audio[0]
    pictures = [video for video in container.streams.video if video.codec_context.name in ("mjpeg", "png")]
    cover = next((f"{video.width} × {video.height} {video.codec_context.name}" for video in pictures), "")
    chapters = tuple(
        ChapterMark(
            c["metadata"].get("title", ""), float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"])
        )
        for c in container.chapters()
    )
    said = {name.lower(): value for name, value in {**stream.metadata, **container.metadata}.items()}
    heard = listen(container, stream)
    nero = container.format.name.startswith("mov") and has_nero_chapters(path)
    faults = [
        *heard.faults,
        *length_faults((container.duration or 0) / 1e6, heard.seconds),  # PyAV counts microseconds
        *tag_faults(said, cover, holds_cover=container.format.name != "wav"),
        *chapter_faults(chapters, heard.seconds, nero=nero),
        *sound_faults(heard),
    ]
    return Inspection(
        container=container.format.name.split(",")[0],
        codec=stream.codec_context.codec.canonical_name,
        sample_rate=stream.rate,
        seconds=heard.seconds,
        bytes=path.stat().st_size,
        tags=said,
        cover=cover,
        chapters=chapters,
        lufs=heard.lufs,
        peak_db=heard.peak_db,
        silences=heard.silences,
        faults=tuple(faults),
    )


class Heard(NamedTuple):
    """What decoding told: see `Inspection`."""

    seconds: float
    lufs: float | None
    peak_db: float | None
    silences: tuple[tuple[float, float], ...]
    faults: tuple[str, ...] = ()


def listen(container: Any, stream: Any) -> Heard:
    """Decode everything; loudness by EBU R 128, as FFmpeg measures it."""
    import av

    rate, quiet = stream.rate, Quiet(stream.rate)
    meter = Meter(rate, stream.layout.name, stream.format.name)
    faults = []
    try:
        for frame in container.decode(stream):
            quiet.add(_mono(frame))
            meter.push(frame)
    except av.FFmpegError as error:
        faults = [f"It is damaged after {hms(quiet.samples / rate)} ({error.strerror})."]
    return Heard(quiet.samples / rate, meter.lufs, meter.peak_db, quiet.long(), tuple(faults))


def _mono(frame: Any) -> Samples:
    """The loudest of the channels, sample by sample, as float32 within [0, 1]."""
    samples = frame.to_ndarray()
    scale = float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "i" else 1.0
    channels = len(frame.layout.channels)
    planes = samples.reshape(-1, channels).T if frame.format.is_packed else samples
    loudest: Samples = (np.abs(planes.astype(np.float32)).max(axis=0) / scale).astype(np.float32)
    return loudest


class Quiet:
    """Finds long silences in sound that comes in pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self.samples = 0
        self._loud = 0  # the sample after the last that sounded
        self._found: list[tuple[float, float]] = []

    def add(self, levels: Samples) -> None:
        """The absolute values of the next samples."""
        (sounding,) = np.nonzero(levels > SILENT)
        if len(sounding):
            edges = np.concatenate([[self._loud - 1], sounding + self.samples])
            for i in np.flatnonzero(np.diff(edges) - 1 > LONG_SILENCE_SECONDS * self._sample_rate):
                self._note(int(edges[i]) + 1, int(edges[i + 1]))
            self._loud = int(sounding[-1]) + self.samples + 1
        self.samples += len(levels)

    def long(self) -> tuple[tuple[float, float], ...]:
        """Beginning and length, in seconds, of the silences so far."""
        if self.samples - self._loud > LONG_SILENCE_SECONDS * self._sample_rate:
            self._note(self._loud, self.samples)
            self._loud = self.samples
        return tuple(self._found)

    def _note(self, start: int, end: int) -> None:
        self._found.append((start / self._sample_rate, (end - start) / self._sample_rate))


def length_faults(stated: float, heard: float) -> Iterator[str]:
    """A file that is cut short still says how long it was; 0 if it does not say."""
    if stated and abs(stated - heard) > LENGTH_SECONDS:
        yield f"It says that it is {hms(stated)} long, and {hms(heard)} can be heard."


def tag_faults(tags: dict[str, str], cover: str, *, holds_cover: bool = True) -> Iterator[str]:
    """What a library would miss. `holds_cover`: the format can have one."""
    for name, what in (("title", "title"), ("artist", "author (tag artist)"), ("album", "book's title (tag album)")):
        if not tags.get(name):
            yield f"It does not say its {what}."
    if holds_cover and not cover:
        yield "It has no cover."


def chapter_faults(chapters: Sequence[ChapterMark], seconds: float, *, nero: bool = False) -> Iterator[str]:
    """What is wrong with the chapters of a sound of so many seconds. `nero`: they stand in a Nero list too."""
    if not chapters:
        if seconds > CHAPTERS_SECONDS:
            yield f"It has no chapters, and is {hms(seconds)} long."
        return
    for number, (one, after) in enumerate(zip(chapters, chapters[1:], strict=False), 1):
        if abs(one.end - after.start) > EDGE_SECONDS:
            yield f"Chapter {number} ends at {hms(one.end)}, and the next begins at {hms(after.start)}."
    for number, chapter in enumerate(chapters, 1):
        if not chapter.title:
            yield f"Chapter {number} has no title."
        if chapter.end - chapter.start < SHORTEST_CHAPTER_SECONDS:
            yield f"Chapter {number} is shorter than {SHORTEST_CHAPTER_SECONDS} s."
    if abs(chapters[-1].end - seconds) > 2 * EDGE_SECONDS:
        yield f"The last chapter ends at {hms(chapters[-1].end)}, and the sound at {hms(seconds)}."
    for title, count in Counter(chapter.title for chapter in chapters if chapter.title).items():
        if count > 1:
            yield f"{count} chapters are called “{title}”."
    if nero and len(chapters) > NERO_CHAPTERS:
        yield f"It has {len(chapters)} chapters, of which its Nero list (chpl) holds {NERO_CHAPTERS}."


def sound_faults(heard: Heard) -> Iterator[str]:
    """What an ear would find."""
    if heard.seconds > LONGEST_SECONDS:
        yield f"It is {hms(heard.seconds)} long, which many players do not play to the end."
    if heard.lufs is None:
        yield "It is silent."
    elif not WANTED_LUFS[0] <= heard.lufs <= WANTED_LUFS[1]:
        yield f"Its loudness is {heard.lufs:.1f} LUFS; {WANTED_LUFS[0]:.0f} to {WANTED_LUFS[1]:.0f} is usual."
    if heard.peak_db is not None and heard.peak_db > MOST_PEAK_DB:
        yield f"Its peaks reach {heard.peak_db:.1f} dB, where sound is cut off."
    for start, length in heard.silences:
        yield f"At {hms(start)} there are {length:.1f} s of silence."
