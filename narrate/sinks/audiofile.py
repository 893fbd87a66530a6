"""Sound files that appear under their name only when complete."""

from __future__ import annotations

import errno
import os
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, to_int16
from narrate.errors import SinkError
from narrate.files import NEW, Exchanged, HeldFile, remove_abandoned, unique, write_atomically
from narrate.sinks import Sink, wav
from narrate.sinks.about import About, wav_info
from narrate.sinks.cue import cue_sheet
from narrate.sinks.timeline import ChapterTime, Timeline
from narrate.text.document import Chunk

ANY_PART = re.compile(r"\..*\.part-[0-9a-f]{16}\.(?:wav|flac|mp3|ogg|opus|mka|m4b|m4a)(?:\.new)?")
OLD_SECONDS = 24 * 3600.0  # nobody has written to it for so long
FEWEST_CHAPTERS = 2  # a book with one has no marks


class AudioFile(Sink):
    """A sound file in the making: a part file beside `path`, which takes that name at the end.

    This class names, completes and removes the file; a subclass says how samples become its bytes. Memory does not grow
    with length.
    """

    def __init__(self, path: Path, sample_rate: int, about: About | None = None) -> None:
        self.path, self.sample_rate, self.about = path, sample_rate, about or About()
        self.timeline = Timeline(sample_rate)
        self._place = path.resolve()  # a link stays a link: what it points to is replaced
        self._part = self._new_part()
        self._held: HeldFile | None = None

    @property
    def _part_prefix(self) -> str:
        return f".{self.path.stem[:40]}.part-"

    def _new_part(self) -> Path:
        """A hidden name, with room for the longest names; in the same folder, so that the renaming is one step."""
        return self._place.with_name(f"{self._part_prefix}{unique()}{self.path.suffix}")

    def __enter__(self) -> Self:
        with self._plainly(), self._or_nothing():
            self._sweep()
            self._held = HeldFile(self._part)
            self._begin(self._part)
        return self

    def _sweep(self) -> None:
        """Remove the parts that killed programs left; they may be gigabytes, and nobody sees them.

        Their names end in random letters, or in the process number that earlier versions put there. Parts of other
        files must also be old, for a folder may be shared with machines whose locks are not seen here.
        """
        suffix = re.escape(self.path.suffix)
        part = re.compile(rf"{re.escape(self._part_prefix)}(\d+|[0-9a-f]{{16}}){suffix}({re.escape(NEW)})?")
        for name in os.listdir(self._place.parent):
            if part.fullmatch(name) or (ANY_PART.fullmatch(name) and _is_old(self._place.with_name(name))):
                remove_abandoned(self._place.with_name(name))

    def begin(self, chunk: Chunk) -> None:
        self.timeline.begin(chunk)

    def write(self, clip: Clip) -> None:
        """Add all samples of the clip. Raises `SinkError`."""
        with self._plainly():
            self._add(to_int16(clip.samples))
        self.timeline.add(len(clip.samples))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._drop()
            return
        with self._plainly(), self._or_nothing():
            assert self._held is not None, "left without being entered"
            self._end()
            self._held.move_to(self._place)

    @abstractmethod
    def _begin(self, part: Path) -> None:
        """Create the file `part`. Raises `OSError`, as the next two do."""

    @abstractmethod
    def _add(self, samples: NDArray[np.int16]) -> None: ...

    @abstractmethod
    def _end(self) -> None:
        """Write what is left, and close the file."""

    @abstractmethod
    def _close(self) -> None:
        """Close the file as it is; it will be removed. May be called after `_end`."""

    def _rewrite(self, copy: Callable[[Path, Path], None]) -> None:
        """Have `copy` make a new part, its second path, from the finished one, its first; it takes the other's place.

        Raises `OSError`; then the finished part is still the part.
        """
        old, part = self._held, self._new_part()
        assert old is not None, "rewritten outside its block"
        if not old.is_in_place():
            raise Exchanged(f"{old.path} was removed or replaced")
        new = HeldFile(part)
        try:
            copy(old.path, part)
        except BaseException:
            self._close()
            new.discard()
            raise
        self._part, self._held = part, new
        old.discard()

    def _write_cue_sheet(self, chapters: Sequence[ChapterTime]) -> None:
        """Write the chapters beside the file, in a cue sheet of its name."""
        sheet = cue_sheet(self.path.name, self.about, chapters, self.sample_rate)
        write_atomically(self.path.with_suffix(".cue"), sheet.encode("utf-8", "surrogateescape"), private=False)

    def _drop(self) -> None:
        try:
            self._close()
        finally:
            if self._held is not None:
                self._held.discard()
            else:  # stopped in the moment in which it was created
                self._part.unlink(missing_ok=True)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # Ctrl-C too
            self._drop()
            raise

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SinkError(f"{self.path} cannot be written: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Why writing failed and what to do about it, to follow "… cannot be written: "."""
    if isinstance(error, Exchanged):
        return "another program removed or replaced the unfinished file. Run the same command again."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full. Make room, or choose another disk with -o."
    if error.errno == errno.EFBIG:
        return "the file is larger than is allowed there. Choose another disk or a smaller format (.opus) with -o."
    return f"{(error.strerror or str(error)).lower()}. Choose another place with -o."


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        return path.stat().st_mtime < time.time() - OLD_SECONDS
    return False


class WavFile(AudioFile):
    """16-bit WAV, mono; RF64 when it grows to `limit` bytes or more (4 GiB: 24 hours at 24 kHz).

    Title and author stand behind the sound, in an INFO list.
    """

    def __init__(self, path: Path, sample_rate: int, about: About | None = None, *, limit: int = wav.LIMIT) -> None:
        super().__init__(path, sample_rate, about)
        self._limit = limit
        self._file: BinaryIO | None = None

    def _begin(self, part: Path) -> None:
        self._file = open(part, "wb")  # noqa: SIM115 - closed by _end or _close
        self._file.write(wav.header(self.sample_rate, None))

    def _add(self, samples: NDArray[np.int16]) -> None:
        assert self._file is not None, "written to outside its block"
        self._file.write(samples.astype("<i2", copy=False).tobytes())

    def _end(self) -> None:
        assert self._file is not None, "ended outside its block"
        info = wav.info(wav_info(self.about))
        self._file.write(info)
        self._file.seek(0)
        self._file.write(wav.header(self.sample_rate, self.timeline.samples, behind=len(info), limit=self._limit))
        self._file.close()
        chapters = self.timeline.chapters(self.about.title)
        if len(chapters) >= FEWEST_CHAPTERS:
            self._write_cue_sheet(chapters)

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what was in its buffer has no room; nobody wants it any more
                self._file.close()
