"""Transport: what a listener wants of a player: pause, seek, speed, stop."""

from __future__ import annotations

import threading


class Transport:
    """A listener's remote control. Any thread may set it; the playing thread reads it.

    `stop` ends the reading properly: files are finished with what was written. `abort` breaks it off: files that are
    not complete are thrown away.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._changed = threading.Condition()
        self._paused = self._stopped = self._aborted = False
        self._aim: int | None = None
        self.speed = speed

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def stopped(self) -> bool:
        """True after `stop` or `abort`."""
        return self._stopped

    @property
    def aborted(self) -> bool:
        return self._aborted

    @property
    def aim(self) -> int | None:
        """The index of the chunk that the listener wants to hear next, if it is not being played yet."""
        return self._aim

    def play(self) -> None:
        self._set(paused=False)

    def pause(self) -> None:
        self._set(paused=True)

    def seek(self, index: int) -> None:
        """Go to the chunk of that index, and play."""
        self._set(paused=False, aim=max(0, index))

    def stop(self) -> None:
        self._set(stopped=True)

    def abort(self) -> None:
        self._set(stopped=True, aborted=True)

    def _set(
        self, *, paused: bool | None = None, aim: int | None = None, stopped: bool = False, aborted: bool = False
    ) -> None:
        with self._changed:
            self._paused = self._paused if paused is None else paused
            self._aim = self._aim if aim is None else aim
            self._stopped = self._stopped or stopped
            self._aborted = self._aborted or aborted
            self._changed.notify_all()

    def take_aim(self) -> int | None:
        """The index to go to; it is then forgotten."""
        with self._changed:
            aim, self._aim = self._aim, None
            return aim

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as the listener wants something else."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._aim is not None, seconds)

    def wait_while_paused(self, seconds: float | None = None) -> bool:
        """Wait, for so many seconds at most, until there is something to do: play on, seek or stop. False if not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._paused or self._stopped or self._aim is not None, seconds)
