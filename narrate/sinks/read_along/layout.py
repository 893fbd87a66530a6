"""What a book to read and to hear is laid out on: the pages, and the files that say what belongs to it."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from narrate.sinks.read_along.sentences import PageText, Stretch
from narrate.text.document import Chapter

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the date of every file in the archive, so that equal books are equal files


class HeardStretch(NamedTuple):
    """A sentence, and when it sounds: milliseconds of its chapter's sound."""

    stretch: Stretch
    begin: int
    end: int


class HeardChapter(NamedTuple):
    """A chapter in the order of the book, `number` from 1; without `heard` it has no file of sound."""

    number: int
    title: str
    chapter: Chapter
    texts: Sequence[PageText]
    heard: Sequence[HeardStretch]

    @property
    def milliseconds(self) -> int:
        return self.heard[-1].end if self.heard else 0


class Layout(Protocol):
    """Lays a book out in an archive that begins with its file type and takes the sound of chapters meanwhile."""

    def sound_name(self, number: int) -> str:
        """What the file of the sound of a chapter is called in the archive."""
        ...

    def begin(self, archive: zipfile.ZipFile) -> None:
        """Write what comes first."""
        ...

    def add(self, archive: zipfile.ZipFile, chapter: HeardChapter) -> None:
        """The next chapter is complete."""
        ...

    def end(self, archive: zipfile.ZipFile) -> None:
        """Write what is left."""
        ...


def store(archive: zipfile.ZipFile, name: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Put a file into the archive; what it is called and holds decides its bytes."""
    info = zipfile.ZipInfo(name, EARLIEST)
    info.compress_type = compression
    archive.writestr(info, data)


def seconds(milliseconds: int) -> str:
    """A time as a package and an overlay write it."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}s"
