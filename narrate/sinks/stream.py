"""WAV on standard output, for another program or a redirected file."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from narrate.clip import Clip, to_int16
from narrate.errors import ClosedPipe, SinkError
from narrate.sinks import Sink, wav
from narrate.sinks.audiofile import reason

PIPE_BYTES = 4096  # a pipe that can be written to takes so many at once (POSIX: PIPE_BUF, at least 512)
POLL_SECONDS = 0.05  # between two looks whether to stop


class WavStream(Sink):
    """16-bit WAV, mono, to the open descriptor `output`, sample by sample as it is made; the descriptor stays open.

    In a pipe the header's length is "unknown"; where the output is a file, the true length is filled in at the end.
    """

    def __init__(self, output: int, sample_rate: int) -> None:
        self._output, self._sample_rate = output, sample_rate
        self._samples = 0
        self._aborted = False
        self._start = _position(output)

    def __enter__(self) -> Self:
        self._send(wav.header(self._sample_rate, None))
        return self

    def write(self, clip: Clip) -> None:
        """Send all samples of the clip, waiting for the reader. Raises `ClosedPipe`, `SinkError`."""
        self._send(to_int16(clip.samples).astype("<i2", copy=False).tobytes())
        self._samples += len(clip.samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._start is not None:  # after an error as well: what was sent is there to stay, and complete so far
            with _plainly():
                os.pwrite(self._output, wav.header(self._sample_rate, self._samples), self._start)

    def abort(self) -> None:
        self._aborted = True

    def _send(self, data: bytes) -> None:
        # Past Python's own buffer, which would try again at exit, on a closed pipe, and complain. A reader that does
        # not read must not keep us from being stopped: so never more at once than a pipe takes without waiting.
        left = memoryview(data)
        with _plainly():
            while left and not self._aborted:
                _, writable, _ = select.select([], [self._output], [], POLL_SECONDS)
                if writable:
                    left = left[os.write(self._output, left[:PIPE_BYTES]) :]


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ClosedPipe("The program that reads standard output has ended.") from error
    except OSError as error:
        raise SinkError(f"Standard output cannot be written: {reason(error)}") from error


def _position(output: int) -> int | None:
    """Where in the file behind `output` the next byte goes; None if it is no file that can be corrected later."""
    if not stat.S_ISREG(os.fstat(output).st_mode):
        return None
    try:
        import fcntl

        if fcntl.fcntl(output, fcntl.F_GETFL) & os.O_APPEND:  # a header written later would land at the end
            return None
    except ImportError:  # Windows
        return None
    return os.lseek(output, 0, os.SEEK_CUR)
