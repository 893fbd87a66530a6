"""Sound files that appear under their name only when complete."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, to_int16
from narrate.errors import SinkError
from narrate.sinks import wav

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that somebody has open
    fcntl = None  # type: ignore[assignment]


class AudioFile(ABC):
    """A sound file in the making: a part file beside `path`, which takes that name at the end.

    This class names, completes and removes the file; a subclass says how samples become its bytes. Memory does not grow
    with length.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.path, self.sample_rate = path, sample_rate
        self._place = path.resolve()  # a link stays a link: what it points to is replaced
        # Hidden, with room for the longest names; in the same folder, so that the renaming is one step.
        self._part = self._place.with_name(f".{path.stem[:40]}.part-{os.getpid()}{path.suffix}")
        self._hold: BinaryIO | None = None

    def __enter__(self) -> AudioFile:
        with self._plainly(), self._or_nothing():
            self._sweep()
            self._hold = _held(self._part)
            self._begin(self._part)
        return self

    def _sweep(self) -> None:
        """Remove the parts of this file that programs left which were killed; it may be gigabytes."""
        mine = f".{self.path.stem[:40]}.part-"
        for name in os.listdir(self._place.parent):
            rest = name.removeprefix(mine)
            if rest != name and rest.removesuffix(self.path.suffix).isdecimal():
                with suppress(OSError):  # somebody was faster, or it is not ours to remove
                    _remove_abandoned(self._place.with_name(name))

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
            self._end()
            with open(self._part, "r+b") as part:
                os.fsync(part.fileno())
            os.replace(self._part, self._place)
            self._let_go()
            _names_to_disk(self._place.parent)

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
            self._part.unlink(missing_ok=True)
            self._let_go()

    def _let_go(self) -> None:
        if self._hold is not None:
            self._hold.close()

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


def _held(part: Path) -> BinaryIO | None:
    """Create the file, locked as long as what is returned is open, or the process lives."""
    if fcntl is None:
        return None
    unborn = part.with_name(f"{part.name}.new")  # it appears under its name locked: never taken for abandoned
    file = open(unborn, "wb")  # noqa: SIM115 - open as long as the file is being written
    try:
        with suppress(OSError):  # some network folders know no locks: then nothing there is swept
            fcntl.flock(file, fcntl.LOCK_EX)
        os.replace(unborn, part)
    except BaseException:
        file.close()
        raise
    return file


def _remove_abandoned(part: Path) -> None:
    """Raises `OSError` if somebody is writing it."""
    if fcntl is None:
        part.unlink()
        return
    with open(part, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        part.unlink()


def _names_to_disk(folder: Path) -> None:
    """So that a power cut does not take back a name that was given, where the system can promise that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def reason(error: OSError) -> str:
    """Why writing failed and what to do about it, to follow "… cannot be written: "."""
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
