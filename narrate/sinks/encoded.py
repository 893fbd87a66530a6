"""Compressed sound files: M4B, FLAC, MP3, Opus and Matroska, encoded by FFmpeg's libraries (PyAV)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from narrate.sinks.about import About, mp4_tags, tags
from narrate.sinks.audiofile import FEWEST_CHAPTERS, AudioFile
from narrate.sinks.mp4 import drop_nero_chapters
from narrate.sinks.pictures import flac_block, look_at
from narrate.sinks.timeline import ChapterTime

NERO_CHAPTERS = 255  # the most that a Nero chapter list holds, and the longest title in it, in bytes


@dataclass(frozen=True, slots=True)
class Coding:
    """How FFmpeg calls a file format and its codec. `bit_rate` is for one channel of speech; 0 for lossless.

    `chapters`: the format takes them "late", after the last sample; or only "first", so that the finished file is
    copied behind them; or not at all ("beside", in a cue sheet). `cover`: as a "stream", a "block" or an "attachment".
    """

    container: str
    codec: str
    bit_rate: int = 0
    chapters: Literal["late", "first", "beside"] = "first"
    cover: Literal["stream", "block", "attachment"] = "stream"


CODINGS = {
    # libsndfile writes FLAC too, but says nothing when the disk fills up while it closes the file.
    ".flac": Coding("flac", "flac", chapters="beside"),
    ".mp3": Coding("mp3", "libmp3lame", 80_000),
    ".ogg": Coding("ogg", "libopus", 40_000, cover="block"),  # PyAV's FFmpeg has no good Vorbis encoder
    ".opus": Coding("ogg", "libopus", 40_000, cover="block"),
    ".mka": Coding("matroska", "libopus", 40_000, chapters="late", cover="attachment"),
    ".m4b": Coding("mp4", "aac", 64_000, chapters="late"),
    ".m4a": Coding("mp4", "aac", 64_000, chapters="late"),
}


class EncodedFile(AudioFile):
    """A compressed file in the coding its suffix names, mono, with tags, chapters and cover.

    FLAC holds exactly the samples that WAV holds. A codec that does not know `sample_rate` gets the next higher rate
    that it knows (22,050 → 24,000 Hz for Opus), or `rate`. `bit_rate`, in bits per second, overrides that of the
    coding; lossless codings have none. MP4 costs 6 MB of memory for each hour of sound (120 hours: 766 MB), the others
    do not grow.
    """

    def __init__(
        self, path: Path, sample_rate: int, about: About, bit_rate: int | None = None, *, rate: int | None = None
    ) -> None:
        super().__init__(path, sample_rate, about)
        self._rate = rate
        self._coding = CODINGS[path.suffix.lower()]
        self._bit_rate = self._coding.bit_rate and (bit_rate or self._coding.bit_rate)
        self._container: Any = None
        self._stream: Any = None

    def _begin(self, part: Path) -> None:
        import av

        self._container = self._open(part)
        known = av.Codec(self._coding.codec, "w").audio_rates or [self.sample_rate]
        rate = self._rate or min((rate for rate in known if rate >= self.sample_rate), default=max(known))
        self._stream = self._container.add_stream(self._coding.codec, rate=rate, layout="mono")
        if self._bit_rate:
            self._stream.bit_rate = self._bit_rate
        self._head(self._container, self._stream)

    def _open(self, path: Path) -> Any:
        """A container at `path` with the tags of the book."""
        import av

        options = {}
        mp4 = self._coding.container == "mp4"
        if mp4:
            # With a clock that ticks once a sample, the length and the chapters are right to the sample.
            brand = "M4B " if self.path.suffix.lower() == ".m4b" else "M4A "
            options = {"brand": brand, "movflags": "+faststart", "movie_timescale": str(self.sample_rate)}
        container = av.open(str(path), "w", format=self._coding.container, options=options)
        container.metadata.update(mp4_tags(self.about) if mp4 else tags(self.about))
        return container

    def _head(self, container: Any, stream: Any) -> None:
        """Write what comes before the sound: the header, and the cover as this format holds one."""
        if self.about.language:
            stream.metadata["language"] = self.about.long_language
        if self.about.cover is None:
            container.start_encoding()
            return
        picture = look_at(self.about.cover)
        if self._coding.cover == "block":
            stream.metadata["METADATA_BLOCK_PICTURE"] = b64encode(flac_block(picture)).decode()
            container.start_encoding()
        elif self._coding.cover == "attachment":
            suffix = picture.mime_type.rpartition("/")[2]
            container.add_attachment(f"cover.{suffix}", picture.mime_type, picture.data)
            container.start_encoding()
        else:
            _mux_picture(container, picture.codec, picture.width, picture.height, picture.pixels, picture.data)

    def _add(self, samples: NDArray[np.int16]) -> None:
        import av

        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = self.sample_rate, Fraction(1, self.sample_rate)
        frame.pts = self.timeline.samples
        self._container.mux(self._stream.encode(frame))

    def _end(self) -> None:
        chapters = self.timeline.chapters(self.about.title)
        marked = len(chapters) >= FEWEST_CHAPTERS
        self._container.mux(self._stream.encode(None))
        if marked and self._coding.chapters == "late":
            self._container.set_chapters(self._marks(chapters))
        self._container.close()
        if self._coding.container == "mp4" and not _fits_nero(chapters):
            drop_nero_chapters(self._part)
        if marked and self._coding.chapters == "first":
            self._rewrite(lambda old, new: self._copy(old, new, chapters))
        elif marked and self._coding.chapters == "beside":
            self._write_cue_sheet(chapters)

    def _marks(self, chapters: Sequence[ChapterTime]) -> list[dict[str, object]]:
        """The chapters as PyAV takes them."""
        tick = Fraction(1, self.sample_rate)
        return [
            {"id": number, "start": start, "end": end, "time_base": tick, "metadata": {"title": title}}
            for number, (title, start, end) in enumerate(chapters, 1)
        ]

    def _copy(self, old: Path, new: Path, chapters: Sequence[ChapterTime]) -> None:
        """Copy the sound of the finished file `old` behind the chapters; no sample changes."""
        import av

        with av.open(str(old)) as source:
            self._container = self._open(new)
            sound = source.streams.audio[0]
            copy = self._container.add_stream_from_template(sound)
            if self._coding.container == "ogg":
                copy.metadata.update(_chapter_comments(chapters, self.sample_rate))
            else:
                self._container.set_chapters(self._marks(chapters))
            self._head(self._container, copy)
            whole = max(1, self.timeline.samples) / self.sample_rate
            for packet in source.demux(sound):
                if packet.size:
                    self.finished_share = min(1.0, (packet.pts or 0) * float(sound.time_base) / whole)
                    packet.stream = copy
                    self._container.mux(packet)
            self._container.close()

    def _close(self) -> None:
        if self._container is not None:
            with suppress(OSError):  # it tries to write what is left, which nobody wants any more
                self._container.close()


def _mux_picture(container: Any, codec: str, width: int, height: int, pixels: str, data: bytes) -> None:
    import av

    stream = container.add_stream(codec)
    stream.width, stream.height, stream.pix_fmt = width, height, pixels
    stream.disposition = av.stream.Disposition.attached_pic
    stream.metadata["title"] = "Cover"
    container.start_encoding()
    packet = av.Packet(data)
    packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
    container.mux(packet)


def _chapter_comments(chapters: Sequence[ChapterTime], sample_rate: int) -> dict[str, str]:
    """Chapters as comments in Ogg. FFmpeg writes them too, but rounds the seconds and then adds the milliseconds."""
    comments: dict[str, str] = {}
    for number, (title, start, _) in enumerate(chapters):
        seconds, thousandths = divmod(round(start * 1000 / sample_rate), 1000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{thousandths:03}"
        comments |= {f"CHAPTER{number:03}": clock, f"CHAPTER{number:03}NAME": title}
    return comments


def _fits_nero(chapters: Sequence[ChapterTime]) -> bool:
    return len(chapters) <= NERO_CHAPTERS and all(len(title.encode()) <= NERO_CHAPTERS for title, _, _ in chapters)
