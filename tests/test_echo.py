"""What is typed while the panel is on the screen is not shown among its lines; afterwards it is shown again."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

import pytest

from narrate.terminal.echo import Echo
from tests.terminal import terminal, wait_until

termios = pytest.importorskip("termios")
STORY = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"


def echoes(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def test_without_a_terminal_nothing_happens(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        for stream in (file, io.StringIO()):
            echo = Echo(stream)
            echo.stop()
            echo.restore()


def test_a_terminal_that_is_not_ours_is_left_alone() -> None:
    pty = pytest.importorskip("pty")
    hand, screen = pty.openpty()
    with os.fdopen(screen, "w") as stream:
        echo = Echo(stream)
        echo.stop()
        assert echoes(screen)
    os.close(hand)


def exporting(tmp_path: Path) -> str:
    """A command line for a shell: an export that takes minutes, whose process is known by the file `pid`."""
    narrate = f"{sys.executable} -m narrate {STORY} -e tone:rtf=1 --no-store -o {tmp_path}/story.wav"
    return f"sh -c 'echo $$ > {tmp_path}/pid; exec {narrate}'"


@pytest.mark.parametrize("end", ["C-c", "SIGTERM"])
def test_what_is_typed_during_an_export_is_not_shown(tmp_path: Path, end: str) -> None:
    with terminal(["sh", "-c", f"trap : INT; {exporting(tmp_path)}; echo it is over"], os.environ) as window:
        wait_until(lambda: "times" in window.screen(), "the figures")
        assert not window.shows_typing()
        window.press("xyzzy")
        if end == "C-c":
            window.press("C-c")
        else:
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        wait_until(lambda: "it is over" in window.screen(), "the end")
        assert window.shows_typing()
        assert "xyzzy" not in window.screen()


def test_at_the_end_of_a_book_it_is_shown_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "narrate", "-t", "It was late.", "-e", "tone", "-o", str(tmp_path / "story.wav")]
    with terminal(command, os.environ) as window:
        assert window.exit_code() == 0
        assert window.shows_typing()


def test_after_ctrl_z_and_fg_it_is_not_shown_again(tmp_path: Path) -> None:
    with terminal(["bash", "--norc", "-i"], {**os.environ, "PS1": "$ "}) as window:
        window.press(exporting(tmp_path), "Enter")
        wait_until(lambda: "times" in window.screen(), "the figures")
        assert not window.shows_typing()
        window.press("C-z")
        wait_until(lambda: "Stopped" in window.screen(), "the shell")
        window.press("cat", "Enter")
        wait_until(window.shows_typing, "a program that shows what is typed")
        window.press("C-c")
        window.press("clear; fg", "Enter")
        wait_until(lambda: "times" in window.visible(), "the figures")
        assert not window.shows_typing()
        window.press("C-c")
        wait_until(lambda: "Stopped at" in window.visible(), "the end")
