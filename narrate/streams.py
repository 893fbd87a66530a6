"""Standard input, output and error: open, patient, and with nothing in what is said that steers a terminal.

All that narrate prints goes through here: lines through `Out`, what is drawn through `console`. Titles, file names and
the text of a book come from strangers, and a terminal obeys some characters.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from narrate.errors import ClosedPipe, NarrateError, SinkError
from narrate.text.characters import harmless

if TYPE_CHECKING:
    from rich.console import Console


class _Patient(io.RawIOBase):
    """Bytes to an open descriptor. One that is in non-blocking mode, as some parents leave it, is waited for.

    The first error is raised, as `ClosedPipe` without a word or as `SinkError`, and what is written later goes nowhere.
    If it is not `needed`, nothing is raised.
    """

    def __init__(self, descriptor: int, *, needed: bool, owned: bool) -> None:
        self._descriptor, self._needed, self._owned, self._broken = descriptor, needed, owned, False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def close(self) -> None:
        if self._owned and not self.closed:
            os.close(self._descriptor)
        super().close()

    def write(self, data: Any) -> int:
        while not self._broken:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._broken = True
                if self._needed and isinstance(error, BrokenPipeError):
                    raise ClosedPipe from error
                if self._needed:
                    why = (error.strerror or str(error)).lower()
                    raise SinkError(f"Standard output cannot be written: {why}.") from error
        return len(data)


class Out(io.TextIOWrapper):
    """Text to an open descriptor, without the characters that steer a terminal.

    A letter that the encoding does not have is written by its number, as \\u5098. If the output is not `needed`, no
    error is raised. A descriptor that is `owned` is closed with it.
    """

    def __init__(self, descriptor: int, *, needed: bool = True, owned: bool = False, encoding: str = "utf-8") -> None:
        raw = io.BufferedWriter(_Patient(descriptor, needed=needed, owned=owned))
        by_line = not needed or os.isatty(descriptor)
        super().__init__(raw, encoding=encoding, errors="backslashreplace", line_buffering=by_line)
        # Both write the same bytes on, so nothing of this one may be left when that one writes.
        self._drawn_on = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace", write_through=True)

    def write(self, text: str) -> int:
        super().write(harmless(text))
        return len(text)

    @property
    def drawn_on(self) -> TextIO:
        """The same output for those who steer the terminal themselves."""
        self.flush()
        return self._drawn_on


def open_standard() -> None:
    """Have standard input, output and error be open, and print through here.

    A cron job or a daemon may be started with some of them closed. Then the next file that is opened would take the
    number, and get what is printed.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
    sys.stdout = Out(1, encoding=_encoding(sys.stdout))
    sys.stderr = Out(2, needed=False, encoding=_encoding(sys.stderr))


def flush_standard() -> None:
    """Have all that was printed be on its way."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, NarrateError, ValueError):
            stream.flush()


def _encoding(stream: TextIO | None) -> str:
    return (stream.encoding if stream else "") or "utf-8"


def drawn_on(stream: TextIO) -> TextIO:
    """Where to write what steers the terminal that `stream` is."""
    return stream.drawn_on if isinstance(stream, Out) else stream


def console(stream: TextIO, **options: Any) -> Console:
    """A console that draws on `stream`; from what it is told to draw, all that steers a terminal is taken out."""
    from collections.abc import Iterable

    from rich.console import Console
    from rich.segment import Segment

    class Harmless(Console):
        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=harmless(segment.text))

    return Harmless(file=drawn_on(stream), **options)
