"""Ctrl-Z: the shell gets its screen and its cursor back, and the reading pauses until it is taken up again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from narrate.playback.transport import Transport
from narrate.terminal.display import Display

SILENT_SECONDS = 0.3  # after a pause until the last block is played: no silence after it is taken for a gap


@contextmanager
def suspendable(display: Display, ear: Transport | None) -> Iterator[None]:
    """Within the block Ctrl-Z stops the program with a screen as a shell expects it; `fg` goes on as it was.

    `ear` is paused meanwhile, if somebody listens.
    """
    number = getattr(signal, "SIGTSTP", None)
    ours = threading.current_thread() is threading.main_thread()  # others cannot be told of signals
    if number is None or not ours or signal.getsignal(number) is not signal.SIG_DFL:  # Windows; or somebody decided
        yield
        return

    def stop(number: int, frame: object) -> None:
        paused = ear is None or ear.paused
        if ear is not None:
            ear.pause()
            time.sleep(SILENT_SECONDS)
        display.vanish()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # returns when somebody lets us go on
        signal.signal(number, stop)
        display.appear()
        if ear is not None and not paused:
            ear.play()

    signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)
