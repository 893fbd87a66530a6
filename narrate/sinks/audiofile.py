"""Sound files that appear under their name only when complete."""

from __future__ import annotations

import errno
import os
import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, to_int16
from narrate.errors import SinkError
from narrate.files import NEW, Exchanged, HeldFile, remove_abandoned, unique
from narrate.sinks import Sink, wav


class AudioFile(Sink):
    """A sound file in the making: a part file beside `path`, which takes that name at the end.

    This class names, completes and removes the file; a subclass says how samples become its bytes. Memory does not grow
    with length.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.path, self.sample_rate = path, sample_rate
        self._place = path.resolve()  # a link stays a link: what it points to is replaced
        # Hidden, with room for the longest names; in the same folder, so that the renaming is one step.
        self._part = self._place.with_name(f"{self._part_prefix}{unique()}{path.suffix}")
        self._held: HeldFile | None = None

    @property
    def _part_prefix(self) -> str:
        return f".{self.path.stem[:40]}.part-"

    def __enter__(self) -> Self:
        with self._plainly(), self._or_nothing():
            self._sweep()
            self._held = HeldFile(self._part)
            self._begin(self._part)
        return self

    def _sweep(self) -> None:
        """Remove the parts of this file that killed programs left; they may be gigabytes.

        Their names end in random letters, or in the process number that earlier versions put there.
        """
        suffix = re.escape(self.path.suffix)
        part = re.compile(rf"{re.escape(self._part_prefix)}(\d+|[0-9a-f]{{16}}){suffix}({re.escape(NEW)})?")
        for name in os.listdir(self._place.parent):
            if part.fullmatch(name):
                remove_abandoned(self._place.with_name(name))

    def write(self, clip: Clip) -> None:
        """Add all samples of the clip. Raises `SinkError`."""
        with self._plainly():
            self._add(to_int16(clip.samples))

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


class WavFile(AudioFile):
    """16-bit WAV, mono; RF64 when it grows to `limit` bytes or more (4 GiB: 24 hours at 24 kHz)."""

    def __init__(self, path: Path, sample_rate: int, *, limit: int = wav.LIMIT) -> None:
        super().__init__(path, sample_rate)
        self._limit = limit
        self._file: BinaryIO | None = None
        self._samples = 0

    def _begin(self, part: Path) -> None:
        self._file = open(part, "wb")  # noqa: SIM115 - closed by _end or _close
        self._file.write(wav.header(self.sample_rate, None))

    def _add(self, samples: NDArray[np.int16]) -> None:
        assert self._file is not None, "written to outside its block"
        self._file.write(samples.astype("<i2", copy=False).tobytes())
        self._samples += len(samples)

    def _end(self) -> None:
        assert self._file is not None, "ended outside its block"
        self._file.seek(0)
        self._file.write(wav.header(self.sample_rate, self._samples, limit=self._limit))
        self._file.close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what was in its buffer has no room; nobody wants it any more
                self._file.close()
