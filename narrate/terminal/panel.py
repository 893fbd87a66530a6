"""The panel: some lines at the end of a terminal's screen that are drawn again and again, with other lines above it.

The lines are never as wide as the screen, and the panel knows how wide they were: when the window is made narrower,
the terminal breaks them into several, which are all taken away before the panel is drawn anew.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from narrate.clock import hms
from narrate.reading.session import Progress
from narrate.streams import console
from narrate.terminal.echo import Echo
from narrate.terminal.wording import moment

if TYPE_CHECKING:
    from rich.text import Text

STALE_SECONDS = 0.4  # tmux breaks the lines of a narrower window anew before it tells the program how wide it is
MOST_LINES_OF_TEXT = 4  # of the sentence that is being spoken
NARROWEST = 20
MOST_FRAMES = 20  # that are remembered


class Panel:
    """Title, chapter, bar, what the listener hears, and the figures of the moment. A context manager.

    `hint` stands in the corner. While `prompt` is not None it stands in place of the figures, as a line that is typed.
    Any thread may call `say`.
    """

    def __init__(self, stream: TextIO, title: str, hint: str, *, writing: bool, verbose: bool) -> None:
        self._console = console(stream, highlight=False, soft_wrap=False)
        self._stream, self._hint = stream, hint
        self._echo = Echo(stream)
        self._writing, self._verbose = writing, verbose
        self._drawn: list[Text] = []
        self._shown: list[Text] = []
        self._erased: deque[tuple[float, list[int], int]] = deque()  # when, how wide the lines were, how many rows
        self._width = 0
        self._one_at_a_time = threading.RLock()
        self._progress: Progress | None = None
        self._in_sight = False
        self.title = title
        self.others: Sequence[str] = ()
        self.engine = ""
        self.prompt: str | None = None

    def __enter__(self) -> Panel:
        self.appear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def appear(self) -> None:
        """Draw, and hide the cursor and what is typed."""
        with self._one_at_a_time:
            self._in_sight = True
            self._console.show_cursor(False)
            self._draw()

    def vanish(self) -> None:
        """Take the panel away, and give the cursor back; what is typed is shown again."""
        with self._one_at_a_time:
            try:
                self._erase()
                self._in_sight = False
                self._console.show_cursor(True)
            finally:
                self._echo.restore()

    def show(self, progress: Progress) -> None:
        with self._one_at_a_time:
            self._progress = progress
            lines = self._lines(progress, self._columns())
            if lines != self._drawn:
                self._shown = lines
                self._draw()

    def say(self, line: str) -> None:
        """Print a line above the panel, where it stays."""
        from rich.text import Text

        with self._one_at_a_time, self._console:
            self._erase()
            for row in Text(line).wrap(self._console, self._columns()):
                row.rstrip()
                self._console.print(row, no_wrap=True, crop=False, overflow="ignore", soft_wrap=True)
            self._draw()

    note = say

    def _columns(self) -> int:
        """How wide a line may be; one less than the screen, where a full line would have a second row for its end."""
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            width = shutil.get_terminal_size().columns
        return max(NARROWEST, width) - 1

    def _draw(self) -> None:
        from rich.text import Text

        if not self._in_sight:
            return
        self._echo.stop()
        with self._console:
            self._erase()
            text = Text("\n").join(self._shown)
            self._console.print(text, end="", no_wrap=True, crop=False, overflow="ignore", soft_wrap=True)
        self._drawn = self._shown

    def _erase(self) -> None:
        from rich.control import Control
        from rich.segment import ControlType

        width = self._columns() + 1
        widths = [line.cell_len for line in self._drawn]
        rows = _rows(widths, width) + (self._stale_rows(width) if width < self._width else 0)
        self._width = width
        if not rows:
            return
        self._erased.append((time.monotonic(), widths, rows))
        if len(self._erased) > MOST_FRAMES:
            self._erased.popleft()
        up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * (rows - 1)
        self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up))
        self._drawn = []

    def _stale_rows(self, width: int) -> int:
        """How many rows too few were erased since the window has this width, if that was not known then."""
        since = time.monotonic() - STALE_SECONDS
        while self._erased and self._erased[0][0] < since:
            self._erased.popleft()
        late = self._erased if "TMUX" in os.environ else ()
        return sum(max(0, _rows(widths, width) - erased) for _, widths, erased in late)

    def _lines(self, progress: Progress, columns: int) -> list[Text]:
        from rich.text import Text

        chunk = progress.chunk
        lines = [_spread(Text(_plain(self.title), "bold"), Text(self.engine, "dim"), columns)]
        if chunk is None:
            return [*lines, Text("Preparing the voice …", "dim")]
        chapter = f"{chunk.chapter} · {_plain(chunk.title)}" if chunk.title else ""
        lines.append(_spread(Text(chapter), Text("" if self._writing else _left_in_chapter(progress)), columns))
        lines.append(_bar(_done(progress), columns))
        if not self._writing:
            sentence = Text(_plain(chunk.text), "cyan", overflow="fold").wrap(self._console, columns)
            lines += [_trimmed(line) for line in sentence[:MOST_LINES_OF_TEXT]]
        if self.prompt is not None:
            return [*lines, _cut(Text(self.prompt + "▏"), columns)]
        figures = Text(moment(progress, writing=self._writing, verbose=self._verbose))
        lines.append(_spread(figures, Text(self._hint, "dim"), columns))
        return [*lines, *(_cut(Text(_plain(other), "dim"), columns) for other in self.others)]


def _rows(widths: Iterable[int], columns: int) -> int:
    """How many rows lines of these widths take in a window with so many columns."""
    return sum(-(-max(1, width) // columns) for width in widths)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _left_in_chapter(progress: Progress) -> str:
    if progress.chapter_left_seconds is None:
        return ""
    return f"{hms(progress.chapter_left_seconds)} left in the chapter"


def _done(progress: Progress) -> float:
    """The share of the bar that is full: of the sound, and behind it of what completes the file."""
    if progress.finished_share is not None:
        return progress.finished_share
    if progress.total_seconds:
        return min(1.0, progress.position_seconds / progress.total_seconds)
    return progress.share or 0.0


def _bar(share: float, columns: int) -> Text:
    from rich.text import Text

    full = round(share * columns)
    return Text("━" * full, "magenta").append("─" * (columns - full), "dim")


def _spread(left: Text, right: Text, columns: int) -> Text:
    """One line: `left`, cut if need be, and `right` at its end."""
    if right.cell_len and right.cell_len + NARROWEST // 2 > columns:
        right = right[:0]
    room = columns - right.cell_len - bool(right.cell_len)
    left = _cut(left, room)
    return left.append(" " * (columns - left.cell_len - right.cell_len)).append_text(right) if right else left


def _cut(text: Text, columns: int) -> Text:
    text = text.copy()
    text.truncate(columns, overflow="ellipsis")
    return text


def _trimmed(line: Text) -> Text:
    line.rstrip()
    return line
