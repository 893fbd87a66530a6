"""What is typed is not shown in a terminal that something is drawn in, where it would stand among its lines."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO

try:
    import termios
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]


class Echo:
    """The echo of the terminal that `stream` goes to. Without a terminal, and in the background, nothing happens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_ours = False  # to switch on again

    def stop(self) -> None:
        """Switch it off, if it is on: a shell that stopped us and let us go on again has switched it on."""
        self._is_ours = self._set(on=False) or self._is_ours

    def restore(self) -> None:
        """Switch it on, if it was on before."""
        if self._is_ours:
            self._set(on=True)
            self._is_ours = False

    def _set(self, *, on: bool) -> bool:
        """True if that changed it."""
        if termios is None:
            return False
        with suppress(OSError, ValueError, termios.error):  # it is no terminal, or was closed
            terminal = self._stream.fileno()
            if os.tcgetpgrp(terminal) != os.getpgrp():  # it is another program's now; to set it would stop us
                return False
            state = termios.tcgetattr(terminal)
            if bool(state[3] & termios.ECHO) == on:
                return False
            state[3] ^= termios.ECHO
            termios.tcsetattr(terminal, termios.TCSADRAIN, state)
            return True
        return False
