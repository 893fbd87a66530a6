"""An audiobook as a folder: a file for each chapter, and a playlist."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from narrate.clip import Clip
from narrate.errors import SinkError
from narrate.files import write_atomically
from narrate.sinks import Sink
from narrate.sinks.about import About
from narrate.text.document import Chunk

LONGEST_NAME = 60  # characters of a title in a file name
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')  # on some system or other

FileOpener = Callable[[Path, int, About], Sink]
"""Makes the sink of one file: its path, the sample rate, and what it says of itself."""


class Part(NamedTuple):
    """A file of the folder."""

    name: str
    title: str
    seconds: float


class SplitFiles(Sink):
    """Writes each chapter into a file `001 - Title.mp3` of `folder`, and at the end a playlist.

    `contents` are number and title of all chapters, in order; a chapter that is not among them counts on. A file is
    complete when its chapter is: what is broken off later leaves the files before it. The folder is made if need be.
    """

    def __init__(
        self,
        folder: Path,
        suffix: str,
        sample_rate: int,
        about: About,
        contents: Sequence[tuple[int, str]],
        open_file: FileOpener,
        *,
        playlist: bool = True,
    ) -> None:
        self.folder, self._suffix, self._sample_rate, self._about = folder, suffix, sample_rate, about
        self._open_file, self._playlist = open_file, playlist
        self._count = len(contents)
        self._places = {number: place for place, (number, _) in enumerate(contents, 1)}
        self._titles = dict(zip(self._places, distinct([title for _, title in contents], about.title), strict=True))
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
        if chunk.chapter != self._chapter:
            self._open.close()
            self._chapter, self._samples = chunk.chapter, 0
            self._begin_file(chunk)
        if self._file is not None:
            self._file.begin(chunk)

    def write(self, clip: Clip) -> None:
        assert self._file is not None, "written to before a chunk began"
        self._file.write(clip)
        self._samples += len(clip.samples)
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

    def _begin_file(self, chunk: Chunk) -> None:
        if chunk.chapter not in self._places:  # text that is still being written
            self._places[chunk.chapter] = len(self._places) + 1
        place = self._places[chunk.chapter]
        title = self._titles.get(chunk.chapter) or f"{place}. {' '.join(chunk.title.split())}".removesuffix(". ")
        name = file_name(place, title, self._suffix)
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


def file_name(number: int, title: str, suffix: str) -> str:
    """ "003 - Title.mp3", without what some file system does not allow; no number twice if it is the title's too."""
    number_of = re.compile(rf"^{number}(\.\s*|$)")
    plain = plain_name(number_of.sub("", title))
    return f"{number:03} - {plain}{suffix}" if plain else f"{number:03}{suffix}"


def plain_name(text: str) -> str:
    """The text as a part of a file name: in one line, not too long, without what some file system does not allow."""
    return " ".join(_NOT_IN_NAMES.sub(" ", text).split())[:LONGEST_NAME].strip(" .")


def playlist_name(folder: str) -> str:
    return f"{folder}.m3u8"


def playlist(parts: Sequence[Part]) -> str:
    """An extended M3U in UTF-8."""
    rows = [f"#EXTINF:{part.seconds:.3f},{part.title}\n{part.name}\n" for part in parts]
    return "#EXTM3U\n" + "".join(rows)
