"""An audiobook as a folder: a file for each chapter, or files of some hours, and a playlist."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from narrate.clip import Clip
from narrate.errors import SinkError
from narrate.files import write_atomically
from narrate.pace import chunk_seconds
from narrate.sinks import Sink
from narrate.sinks.about import About
from narrate.text.document import Chunk

LONGEST_NAME = 60  # characters of a title in a file name
LONGER = 1.5  # than expected, a chunk may be
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')  # on some system or other

FileOpener = Callable[[Path, int, About], Sink]
"""Makes the sink of one file: its path, the sample rate, and what it says of itself."""


class Split(NamedTuple):
    """Where a file ends: before each chapter, or only where it would become longer than `most_seconds`."""

    chapters: bool = True
    most_seconds: float = inf


class Part(NamedTuple):
    """A file of the folder."""

    name: str
    title: str
    seconds: float


class Content(NamedTuple):
    """A chapter of the book, and about how many seconds it will sound."""

    number: int
    title: str
    seconds: float = 0.0


class SplitFiles(Sink):
    """Writes each chapter into a file `001 - Title.mp3` of `folder`, and at the end a playlist.

    `contents` are number, title and expected seconds of all chapters, in order; a chapter that is not among them counts
    on. No file is longer than `split` allows, as far as a chunk is not far longer than expected: a long chapter goes on
    in `001-2 - Title (2).mp3`. Where chapters are not split, a file ends before the chapter that would be too much for
    it, and is `001 - Book 1.mp3`. A file is complete when the next begins: what is broken off later leaves those
    before it. The folder is made if need be.
    """

    def __init__(
        self,
        folder: Path,
        suffix: str,
        sample_rate: int,
        about: About,
        contents: Sequence[Content],
        open_file: FileOpener,
        *,
        playlist: bool = True,
        split: Split = Split(),  # noqa: B008 - it cannot change
    ) -> None:
        self.folder, self._suffix, self._sample_rate, self._about = folder, suffix, sample_rate, about
        self._open_file, self._playlist, self._split = open_file, playlist, split
        self._count = len(contents) if split.chapters else 0
        self._places = {content.number: place for place, content in enumerate(contents, 1)}
        titles = distinct([content.title for content in contents], about.title)
        self._titles = dict(zip(self._places, titles, strict=True))
        self._expected = {content.number: content.seconds for content in contents}
        self._foreseen = self._heard = 0.0  # seconds of the chapters so far, and of their sound
        self._continued = 1  # how many files the chapter has
        self._parts: list[Part] = []
        self._chapter: int | None = None
        self._samples = 0
        self._file: Sink | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(f"The folder {self.folder} cannot be made: {error.strerror}.") from error
        return self

    def begin(self, chunk: Chunk) -> None:
        new = chunk.chapter != self._chapter
        self._continued = 1 if new else self._continued
        if self._must_end(chunk, new=new):
            self._open.close()
            self._continued += not new
            self._samples = 0
            self._begin_file(chunk)
        if new:
            self._foreseen += self._expected.get(chunk.chapter, 0.0)
        self._chapter = chunk.chapter
        if self._file is not None:
            self._file.begin(chunk)

    def write(self, clip: Clip) -> None:
        assert self._file is not None, "written to before a chunk began"
        self._file.write(clip)
        self._samples += len(clip.samples)
        self._heard += len(clip.samples) / self._sample_rate
        self._parts[-1] = self._parts[-1]._replace(seconds=self._samples / self._sample_rate)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)
        if error is None and self._playlist and self._parts:
            path = self.folder / playlist_name(self.folder.name)
            try:
                write_atomically(path, playlist(self._parts).encode("utf-8", "surrogateescape"), private=False)
            except OSError as failed:
                raise SinkError(f"{path} cannot be written: {failed.strerror}.") from failed

    def _must_end(self, chunk: Chunk, *, new: bool) -> bool:
        """True if the chunk belongs into a file of its own."""
        if self._file is None or (new and self._split.chapters):
            return True
        seconds = self._samples / self._sample_rate
        pace = self._heard / self._foreseen if self._foreseen else 1.0
        coming = chunk_seconds(chunk) * LONGER + chunk.pause
        if new:
            coming = max(coming, self._expected.get(chunk.chapter, 0.0) * pace)
        return seconds > 0 and seconds + coming > self._split.most_seconds

    def _begin_file(self, chunk: Chunk) -> None:
        if not self._split.chapters:
            place = len(self._parts) + 1
            title, name = f"{self._about.title} {place}".strip(), file_name(place, self._about.title, self._suffix)
        else:
            if chunk.chapter not in self._places:  # text that is still being written
                self._places[chunk.chapter] = len(self._places) + 1
            place = self._places[chunk.chapter]
            title = self._titles.get(chunk.chapter) or f"{place}. {' '.join(chunk.title.split())}".removesuffix(". ")
            name = file_name(place, title, self._suffix, self._continued)
            title = title if self._continued == 1 else f"{title} ({self._continued})"
        track = f"{place}/{self._count}" if self._count >= place else str(place)
        about = replace(self._about, title=title, album=self._about.title, track=track)
        self._parts.append(Part(name, title, 0.0))
        self._file = self._open.enter_context(self._open_file(self.folder / name, self._sample_rate, about))


def distinct(titles: Sequence[str], book: str) -> list[str]:
    """The titles as files may be known by: all of them different, none empty and none the book's, else all numbered.

    Libraries show the file names instead where it is not so.
    """
    lines = [" ".join(title.split()) for title in titles]
    if all(lines) and max(Counter([*lines, book]).values(), default=1) == 1:
        return lines
    return [f"{number}. {line}".removesuffix(". ") for number, line in enumerate(lines, 1)]


def file_name(number: int, title: str, suffix: str, continued: int = 1) -> str:
    """ "003 - Title.mp3", without what some file system does not allow; no number twice if it is the title's too.

    The second file of a chapter is "003-2 - Title.mp3", which stands behind the first in every list.
    """
    number_of = re.compile(rf"^{number}(\.\s*|$)")
    plain = plain_name(number_of.sub("", title))
    place = f"{number:03}" if continued == 1 else f"{number:03}-{continued}"
    return f"{place} - {plain}{suffix}" if plain else f"{place}{suffix}"


def plain_name(text: str) -> str:
    """The text as a part of a file name: in one line, not too long, without what some file system does not allow."""
    return " ".join(_NOT_IN_NAMES.sub(" ", text).split())[:LONGEST_NAME].strip(" .")


def playlist_name(folder: str) -> str:
    return f"{folder}.m3u8"


def playlist(parts: Sequence[Part]) -> str:
    """An extended M3U in UTF-8."""
    rows = [f"#EXTINF:{part.seconds:.3f},{part.title}\n{part.name}\n" for part in parts]
    return "#EXTM3U\n" + "".join(rows)
