"""Subtitles: the book's text with the times at which it sounds, as SubRip, WebVTT, LRC or JSON."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from narrate.clip import Clip, Samples, join
from narrate.errors import SinkError
from narrate.files import sweep_unfinished, write_atomically
from narrate.sinks import Sink
from narrate.sinks.about import About
from narrate.sinks.captions import captions, wrapped
from narrate.text.document import Chunk

SENTENCES = (".json", ".lrc")  # formats that hold whole sentences, and no captions of two lines


class Cue(NamedTuple):
    """A text of a chapter in the lines in which it is shown, and when it sounds, in seconds."""

    lines: tuple[str, ...]
    start: float
    end: float
    chapter: int
    title: str


class SubtitleFile(Sink):
    """Writes the display text of what is written to it, with its times, once all of it is known.

    The times are those of a sound file that gets the same clips. The pause after a chunk belongs to no cue.
    """

    def __init__(self, path: Path, sample_rate: int, about: About | None = None) -> None:
        self.path, self._sample_rate, self._about = path, sample_rate, about or About()
        self._whole = path.suffix.lower() in SENTENCES
        self._cues: list[Cue] = []
        self._samples = 0
        self._chunk: Chunk | None = None
        self._start = 0  # of the chunk, in samples
        self._sound: list[Samples] = []

    def begin(self, chunk: Chunk) -> None:
        self._finish_chunk()
        self._chunk, self._start = chunk, self._samples

    def write(self, clip: Clip) -> None:
        if not clip.pause:
            self._sound.append(clip.samples)
        self._samples += len(clip.samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        self._finish_chunk()
        text = WRITERS[self.path.suffix.lower()](self._cues, self._about)
        try:
            sweep_unfinished(self.path.parent, glob.escape(self.path.name))
            write_atomically(self.path, text.encode(), private=False)
        except OSError as failed:
            from narrate.sinks.audiofile import reason

            raise SinkError(f"{self.path} cannot be written: {reason(failed)}") from failed

    def _finish_chunk(self) -> None:
        chunk, sound = self._chunk, join(self._sound)
        self._chunk, self._sound = None, []
        if chunk is None or not len(sound):
            return
        for text, start, end in captions(chunk.text, chunk.language, sound, self._sample_rate, whole=self._whole):
            lines = (text,) if self._whole else tuple(wrapped(text, chunk.language))
            first, last = ((self._start + at) / self._sample_rate for at in (start, end))
            self._cues.append(Cue(lines, first, last, chunk.chapter, " ".join(chunk.title.split())))


def srt(cues: Sequence[Cue], about: About) -> str:
    """SubRip. Hours have as many digits as they need."""
    del about
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{chr(10).join(cue.lines)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Sequence[Cue], about: About) -> str:
    """WebVTT (W3C)."""
    head = "WEBVTT" + (f" - {_escaped(' '.join(about.title.split()))}" if about.title else "") + "\n\n"
    return head + "".join(
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(chr(10).join(cue.lines))}\n\n" for cue in cues
    )


def lrc(cues: Sequence[Cue], about: About) -> str:
    """LRC: a time and a line of text. Minutes may pass 99. An empty line says that a pause begins."""
    lines = [f"[{name}:{value}]" for name, value in (("ti", about.title), ("ar", about.author)) if value]
    for cue, after in zip(cues, [*cues[1:], None], strict=True):
        lines.append(f"[{_minutes(cue.start)}]{' '.join(cue.lines)}")
        if after is None or _minutes(after.start) > _minutes(cue.end):
            lines.append(f"[{_minutes(cue.end)}]")
    return "\n".join(lines) + "\n"


def as_json(cues: Sequence[Cue], about: About) -> str:
    """A JSON object: title, author, language, and the sentences with their seconds and chapters."""
    sentences = [
        {
            "text": " ".join(cue.lines),
            "start": round(cue.start, 6),
            "end": round(cue.end, 6),
            "chapter": cue.chapter,
            "title": cue.title,
        }
        for cue in cues
    ]
    book = {"title": about.title, "author": about.author, "language": about.language, "sentences": sentences}
    return json.dumps(book, ensure_ascii=False, indent=1) + "\n"


WRITERS: dict[str, Callable[[Sequence[Cue], About], str]] = {
    ".srt": srt,
    ".vtt": vtt,
    ".lrc": lrc,
    ".json": as_json,
}


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"


def _minutes(seconds: float) -> str:
    whole, hundredths = divmod(round(seconds * 100), 100)
    return f"{whole // 60:02}:{whole % 60:02}.{hundredths:02}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
