"""From the thread that makes something to the event loop that sends it: a short line, in which the thread waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from typing import Generic, TypeVar

from narrate.errors import ClosedPipe

T = TypeVar("T")

ROOM = 1 << 18  # bytes, or whatever the weights are


class Outlet(Generic[T]):
    """A line of items from one thread to one task of the event loop that made the outlet.

    The thread waits in `put` while the items that nobody took yet weigh `room` or more. It ends the line with `finish`;
    the task ends it with `leave`, and then `put` raises `ClosedPipe`.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._changed = threading.Condition()
        self._items: deque[tuple[T, int]] = deque()
        self._held, self._room = 0, room
        self._finished = self._left = False
        self._error: BaseException | None = None
        self.blocked_seconds = 0.0
        """Wall time that the thread waited for room."""

    @property
    def left(self) -> bool:
        """Nobody takes anything any more."""
        return self._left

    def put(self, item: T, weight: int = 0) -> None:
        """Add an item, waiting for room. Raises `ClosedPipe` once nobody takes anything any more."""
        with self._changed:
            if self._held >= self._room:
                start = time.monotonic()
                self._changed.wait_for(lambda: self._held < self._room or self._left)
                self.blocked_seconds += time.monotonic() - start
            if self._left:
                raise ClosedPipe("The client has left.")
            self._items.append((item, weight))
            self._held += weight
        self._wake()

    def finish(self, error: BaseException | None = None) -> None:
        """No more items will come; `error` is raised where they are taken, after the last of them."""
        with self._changed:
            self._finished, self._error = True, self._error or error
        self._wake()

    async def take(self) -> T | None:
        """The next item; None at the end, and after `leave`. Raises the error that ended the line."""
        while True:
            self._arrived.clear()
            with self._changed:
                if self._items and not self._left:
                    item, weight = self._items.popleft()
                    self._held -= weight
                    self._changed.notify_all()
                    return item
                if self._left:
                    return None
                if self._finished:
                    if self._error is not None:
                        raise self._error
                    return None
            await self._arrived.wait()

    def break_off(self, error: BaseException) -> None:
        """Let no more items through: `take` raises the error now. May be called by any thread."""
        with self._changed:
            self._items.clear()
            self._held = 0
            self._finished, self._error = True, error
            self._changed.notify_all()
        self._wake()

    def leave(self) -> None:
        """Take nothing any more, and let the thread know. May be called by any thread, and twice."""
        with self._changed:
            self._left = True
            self._items.clear()
            self._held = 0
            self._changed.notify_all()
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:  # the loop has ended, and nobody takes anything any more
            with self._changed:
                self._left = True
                self._changed.notify_all()
