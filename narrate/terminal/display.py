"""What the listener sees on stderr while a book is read: a panel in a terminal, plain lines elsewhere.

With -q only what went wrong is said.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TextIO

from narrate.reading.session import Progress
from narrate.streams import Out
from narrate.terminal.wording import moment

PLAIN_EVERY = 30.0  # seconds between two lines where there is no terminal
DUMB = ("dumb", "unknown")  # terminals that can only print lines, by TERM


class Display(Protocol):
    title: str
    """What is read."""
    others: Sequence[str]
    """What is being written beside it, a line each."""
    engine: str
    """Which engine speaks, and in which language."""
    prompt: str | None
    """A line that the listener is typing, if there is one."""

    def show(self, progress: Progress) -> None: ...

    def say(self, line: str) -> None:
        """A line that stays: what the listener must know, even with -q."""
        ...

    def note(self, line: str) -> None:
        """A line that stays: what is good to know."""
        ...

    def appear(self) -> None:
        """Be on the screen, again if need be."""
        ...

    def vanish(self) -> None:
        """Leave the screen as a shell expects it."""
        ...


@contextmanager
def open_display(
    stream: TextIO, title: str, *, quiet: bool, hint: str = "", writing: bool = False, verbose: bool = False
) -> Iterator[Display]:
    """The display that suits `stream`: a panel on a terminal, lines elsewhere. Failures are said even when quiet.

    The panel shows the book's `title`, and the `hint` in its corner. `writing`: into files, and nobody listens.
    `verbose`: with figures for those who know how it works.
    """
    with _steady(stream) as own:
        terminal = own.isatty()
        if terminal and not quiet and os.environ.get("TERM", "").lower() not in DUMB:
            from narrate.terminal.panel import Panel

            with Panel(own, title, hint, writing=writing, verbose=verbose) as panel:
                yield panel
        else:
            yield Lines(own, quiet=quiet, hint=hint if terminal else "", writing=writing, verbose=verbose)


@contextmanager
def _steady(stream: TextIO) -> Iterator[TextIO]:
    """A way of its own to where `stream` goes: PortAudio's start points descriptor 2 at nothing for a moment."""
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):  # no file, as in a test: then nobody points it elsewhere
        yield stream
        return
    with Out(descriptor, needed=False, owned=True) as own:
        yield own


class Lines:
    """A line for each chapter, and the figures of the moment from time to time. `hint` is said once."""

    def __init__(self, stream: TextIO, *, quiet: bool, hint: str, writing: bool, verbose: bool) -> None:
        self._stream, self._quiet, self._hint = stream, quiet, hint
        self._writing, self._verbose = writing, verbose
        self._chapter = ""
        self._paused = False
        self._next = time.monotonic() + PLAIN_EVERY
        self.title = ""
        self.others: Sequence[str] = ()  # the lines that name the files tell
        self.engine = ""
        self.prompt: str | None = None

    def show(self, progress: Progress) -> None:
        if self._quiet or progress.chunk is None:
            return
        self._say_hint()
        if progress.chunk.title != self._chapter:
            self._chapter = progress.chunk.title
            self.note(f"{progress.chunk.chapter} · {self._chapter}" if self._chapter else "")
        turned = progress.paused != self._paused
        if turned or time.monotonic() >= self._next:
            self._paused = progress.paused
            self._next = time.monotonic() + PLAIN_EVERY
            self.note(moment(progress, writing=self._writing, verbose=self._verbose))

    def _say_hint(self) -> None:
        self.note(self._hint)
        self._hint = ""

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def note(self, line: str) -> None:
        if line and not self._quiet:
            self.say(line)

    def appear(self) -> None:
        return

    def vanish(self) -> None:
        return
