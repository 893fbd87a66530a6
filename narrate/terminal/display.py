"""What the listener sees on stderr while a book is read: a panel in a terminal, plain lines elsewhere.

With -q only what went wrong is said.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from narrate.clock import hms
from narrate.session import Progress
from narrate.streams import Out, console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_EVERY = 30.0  # seconds between two lines where there is no terminal


class Display(Protocol):
    engine: str
    """Which engine speaks, and in which language."""

    def show(self, progress: Progress) -> None: ...

    def say(self, line: str) -> None:
        """A line that stays: what the listener must know, even with -q."""
        ...

    def note(self, line: str) -> None:
        """A line that stays: what is good to know."""
        ...


@contextmanager
def open_display(stream: TextIO, title: str, *, quiet: bool, hint: str = "") -> Iterator[Display]:
    """The display that suits `stream`: a panel on a terminal, lines elsewhere. Failures are said even when quiet.

    The panel shows the book's `title`, and the `hint` in its corner.
    """
    with _steady(stream) as own:
        if own.isatty() and not quiet:
            with _Panel(own, title, hint) as panel:
                yield panel
        else:
            yield _Lines(own, quiet=quiet)


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


def figures(progress: Progress) -> str:
    """The numbers of the moment in one line."""
    parts = [f"{hms(progress.written_seconds)} {'paused' if progress.paused else 'done'}"]
    if progress.left_seconds is not None:
        parts.append(f"{hms(progress.left_seconds)} left")
    parts.append(f"{progress.ready_seconds:.0f} s ahead")
    if progress.rtf is not None:
        parts.append(f"RTF {progress.rtf:.3f}" if progress.rtf < 0.1 else f"RTF {progress.rtf:.2f}")
    if progress.speed != 1.0:
        parts.append(f"speed {progress.speed:.2g}")
    gaps = "gap" if progress.gaps == 1 else "gaps"
    for count, name in ((progress.reused, "reused"), (progress.gaps, gaps), (progress.failed, "failed")):
        if count:
            parts.append(f"{count} {name}")
    return " · ".join(parts)


class _Lines:
    engine = ""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self._stream, self._quiet = stream, quiet
        self._title = ""
        self._next = time.monotonic() + PLAIN_EVERY

    def show(self, progress: Progress) -> None:
        if self._quiet or progress.chunk is None:
            return
        if progress.chunk.title != self._title:
            self._title = progress.chunk.title
            self.note(f"{progress.chunk.chapter} · {self._title}" if self._title else "")
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY
            share = "" if progress.share is None else f"{progress.share:.0%} · "
            self.note(share + figures(progress))

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def note(self, line: str) -> None:
        if line and not self._quiet:
            self.say(line)


class _Panel:
    engine = ""

    def __init__(self, stream: TextIO, title: str, hint: str) -> None:
        from rich.live import Live

        self._console = console(stream, highlight=False)
        self._title, self._hint = title, hint
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)

    def __enter__(self) -> _Panel:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, progress: Progress) -> None:
        self._live.update(_panel(progress, self._title, self.engine, self._hint, self._console.width))

    def say(self, line: str) -> None:
        self._live.console.print(line, markup=False)

    note = say


def _panel(progress: Progress, title: str, engine: str, hint: str, width: int) -> RenderableType:
    """Title, chapter and bar, the sentence being spoken, the figures."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True)
    chunk = progress.chunk
    chapter = "" if chunk is None else (f"{chunk.chapter} · {chunk.title}" if chunk.title else "")
    share = "" if progress.share is None else f"{progress.share:.1%}"
    head.add_row(Text(title, style="bold"), Text(engine, style="dim"))
    head.add_row(Text(chapter), Text(share))
    bar = Table.grid(expand=True)  # a bar by itself does not end its line
    bar.add_row(ProgressBar(total=1.0, completed=progress.share or 0.0, pulse=False))
    sentence = Text(" ".join(chunk.text.split()) if chunk else "…", style="cyan", overflow="fold")
    lines = sentence.wrap(_console(width), width)[:4]
    foot = Table.grid(expand=True, padding=(0, 1))
    foot.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    foot.add_column(justify="right", no_wrap=True)
    foot.add_row(Text(figures(progress), style="dim"), Text(hint, style="dim"))
    return Group(head, bar, *lines, foot)


def _console(width: int) -> Console:
    from rich.console import Console

    return Console(width=width)
