"""A terminal to run narrate in, with somebody's hand on its keys: tmux, on a server of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE = 60.0  # seconds to wait for anything to appear, on a busy machine


@dataclass(frozen=True, slots=True)
class Terminal:
    """A window of 80 × 24 in which a program runs."""

    socket: Path
    ended: Path

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Space, Left, Up … or the character."""
        self._tmux("send-keys", "-t", "reader", *keys)

    def screen(self) -> str:
        """What is to be seen now, and what has scrolled away."""
        return self._tmux("capture-pane", "-p", "-t", "reader", "-S", "-200").stdout

    def visible(self) -> str:
        """What is to be seen now. Lines that tmux breaks anew may scroll away, where nobody can erase them."""
        return self._tmux("capture-pane", "-p", "-t", "reader").stdout

    def cursor(self) -> bool:
        """True if the cursor is to be seen."""
        return self._tmux("display-message", "-p", "-t", "reader", "#{cursor_flag}").stdout.strip() == "1"

    def shows_typing(self) -> bool:
        """True if the terminal itself shows what is typed."""
        import termios

        keyboard = os.open(
            self._tmux("display-message", "-p", "-t", "reader", "#{pane_tty}").stdout.strip(), os.O_RDWR | os.O_NOCTTY
        )
        try:
            return bool(termios.tcgetattr(keyboard)[3] & termios.ECHO)
        finally:
            os.close(keyboard)

    def resize(self, columns: int, lines: int) -> None:
        """As if somebody dragged the window's corner."""
        self._tmux("resize-window", "-t", "reader", "-x", str(columns), "-y", str(lines))

    def close(self) -> None:
        """As if somebody closed the window: the program gets SIGHUP."""
        self._tmux("kill-session", "-t", "reader")

    def exit_code(self) -> int:
        """Of the program, once it has ended by itself."""
        wait_until(self.ended.exists, "the program's end")
        return int(self.ended.read_text())

    def _tmux(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["tmux", "-S", str(self.socket), *command], capture_output=True, text=True, check=True)


def wait_until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def terminal(command: list[str], env: Mapping[str, str]) -> Iterator[Terminal]:
    """Run the command in a terminal of its own, which stays open when it has ended."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed (apt install tmux)")
    with tempfile.TemporaryDirectory(prefix="tmux-") as name:  # a socket's path must be short
        folder = Path(name)
        window = Terminal(folder / "socket", folder / "ended")
        part = f"{window.ended}.part"
        line = f"{shlex.join(command)}; echo $? > {part}; mv {part} {window.ended}; cat"
        start = ["tmux", "-S", str(window.socket), "-f", "/dev/null", "new-session", "-d", "-s", "reader"]
        subprocess.run([*start, "-x", "80", "-y", "24", line], env=dict(env), check=True)
        try:
            yield window
        finally:
            subprocess.run(["tmux", "-S", str(window.socket), "kill-server"], capture_output=True)
