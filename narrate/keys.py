"""Keys pressed while a book is read: single presses from a Unix terminal, by name; elsewhere there are none."""

from __future__ import annotations

import os
import select
import sys
from types import TracebackType
from typing import Any

HELP = {
    "space": "pause or go on",
    "← →": "a sentence back or forward",
    "↑ ↓": "a paragraph back or forward",
    "[ ]": "a chapter back or forward",
    "+ -": "faster or slower",
    "b": "mark this place",
    "q": "stop and keep the place",
    "?": "this list",
}
_SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1bOC": "right",
    b"\x1bOD": "left",
}


class Keys:
    """The keyboard of the terminal that narrate runs in: stdin if it is one, else /dev/tty. A context manager.

    Inside the block keys arrive at once, without echo; Ctrl-C still interrupts. Without a terminal `wait` only waits.
    """

    def __init__(self) -> None:
        self._terminal: int | None = None
        self._owned = False
        self._before: list[Any] = []
        self._pending = b""

    def __enter__(self) -> Keys:
        try:
            import termios
            import tty
        except ImportError:  # Windows
            return self
        try:
            self._terminal, self._owned = _open_terminal()
            if self._terminal is not None:
                self._before = termios.tcgetattr(self._terminal)
                tty.setcbreak(self._terminal)
        except (OSError, termios.error):
            self._close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal is not None:
            import termios

            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        self._close()

    def _close(self) -> None:
        if self._terminal is not None and self._owned:
            os.close(self._terminal)
        self._terminal = None

    @property
    def present(self) -> bool:
        return self._terminal is not None

    def wait(self, seconds: float) -> str | None:
        """The name of the next key, waiting at most `seconds` for it; None if none was pressed."""
        if self._terminal is None:
            select.select([], [], [], seconds)
            return None
        if not self._pending:
            ready, _, _ = select.select([self._terminal], [], [], seconds)
            if not ready:
                return None
            self._pending = os.read(self._terminal, 64)
            if not self._pending:  # the terminal was closed
                self._close()
                return None
        return self._next()

    def _next(self) -> str | None:
        for sequence, name in _SEQUENCES.items():
            if self._pending.startswith(sequence):
                self._pending = self._pending[len(sequence) :]
                return name
        if self._pending.startswith(b"\x1b"):  # an unknown key's sequence: leave it out whole
            self._pending = b""
            return None
        key, self._pending = self._pending[:1], self._pending[1:]
        return "space" if key == b" " else key.decode("latin-1")


def _open_terminal() -> tuple[int | None, bool]:
    """A descriptor of the terminal to read, and whether it is ours to close. None if we are not in its foreground."""
    if sys.stdin is not None and sys.stdin.isatty():
        descriptor, owned = sys.stdin.fileno(), False
    else:
        descriptor, owned = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY), True
    if os.tcgetpgrp(descriptor) != os.getpgrp():  # in the background, reading it would stop us
        if owned:
            os.close(descriptor)
        return None, False
    return descriptor, owned
