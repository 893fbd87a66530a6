"""Keys pressed while a book is read: single presses from a Unix terminal, by name; elsewhere there are none."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = tty = None  # type: ignore[assignment]

HELP = {
    "space": "pause or go on",
    "← →": "a sentence back or forward",
    "↑ ↓": "a paragraph back or forward",
    "[ ]": "a chapter back or forward",
    "+ -": "faster or slower",
    "g": "go to a chapter, a mark or a time",
    "m": "list the marks, and go to one",
    "b": "mark this place",
    "s": "sleep timer: 15 to 60 minutes, the chapter's end, off",
    "q": "stop and keep the place",
    "?": "this list",
}
_NAMES = {" ": "space", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x1b": "escape"}
_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_ARROW = re.compile(rb"\x1b[\[O]([ABCD])")
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O])", re.DOTALL)  # any key's, after ECMA-48
_REST = 0.05  # seconds in which the rest of a key's sequence arrives, over a slow line too


class Keys:
    """The keyboard of the terminal that narrate runs in: stdin if it is one, else /dev/tty. A context manager.

    Inside the block keys arrive at once, without echo; Ctrl-C still interrupts. Without a terminal, or once it is
    closed, `wait` only waits; so it does while narrate is in the background, where reading the terminal would stop it.
    """

    def __init__(self) -> None:
        self._terminal: int | None = None
        self._owned = False
        self._before: list[Any] = []
        self._pending = b""

    def __enter__(self) -> Keys:
        if termios is None:  # Windows
            return self
        try:
            self._terminal, self._owned = _open_terminal()
            if self._terminal is not None:
                self._before = termios.tcgetattr(self._terminal)
        except (OSError, termios.error):
            self._close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal is not None:
            with suppress(OSError, termios.error):  # it is gone
                if _in_foreground(self._terminal):
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
        if not self._pending:
            self._pending = self._read(seconds)
        while self._pending.startswith(b"\x1b") and not _SEQUENCE.match(self._pending):
            rest = self._read(_REST)
            if not rest:  # the escape key itself
                self._pending = self._pending[1:]
                return "escape"
            self._pending += rest
        while _is_cut(self._pending) and (rest := self._read(_REST)):
            self._pending += rest
        return self._next()

    def _read(self, seconds: float) -> bytes:
        """What is typed within `seconds`."""
        if self._terminal is None:
            time.sleep(seconds)
            return b""
        try:
            if not _in_foreground(self._terminal):
                time.sleep(seconds)
                return b""
            _one_by_one(self._terminal)
            ready, _, _ = select.select([self._terminal], [], [], seconds)
            if not ready:
                return b""
            typed = os.read(self._terminal, 64)
        except (OSError, termios.error):
            typed = b""
        if not typed:  # the terminal was closed
            self._close()
        return typed

    def _next(self) -> str | None:
        if found := _SEQUENCE.match(self._pending):
            self._pending = self._pending[found.end() :]
            arrow = _ARROW.fullmatch(found[0])
            return _ARROWS[arrow[1]] if arrow else None
        if not self._pending:
            return None
        length = _length(self._pending[0])
        key, self._pending = self._pending[:length], self._pending[length:]
        character = key.decode("utf-8", "replace")
        return _NAMES.get(character, character)


def _length(first: int) -> int:
    """How many bytes a character has in UTF-8, by its first."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def _is_cut(typed: bytes) -> bool:
    """True if the rest of the first character has not arrived yet."""
    return bool(typed) and not typed.startswith(b"\x1b") and len(typed) < _length(typed[0])


def _open_terminal() -> tuple[int | None, bool]:
    """A descriptor of the terminal to read, and whether it is ours to close. None if we are not in its foreground."""
    if sys.stdin is not None and sys.stdin.isatty():
        descriptor, owned = sys.stdin.fileno(), False
    else:
        descriptor, owned = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY), True
    if not _in_foreground(descriptor):
        if owned:
            os.close(descriptor)
        return None, False
    return descriptor, owned


def _in_foreground(terminal: int) -> bool:
    """False if another program has the terminal's keyboard now."""
    return os.tcgetpgrp(terminal) == os.getpgrp()


def _one_by_one(terminal: int) -> None:
    """Have keys arrive as they are pressed; a shell that stopped us and let us go on again has set it back."""
    if termios.tcgetattr(terminal)[3] & termios.ICANON:
        tty.setcbreak(terminal, termios.TCSANOW)
