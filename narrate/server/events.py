"""What happens in a reading, for all browsers that follow it: server-sent events that can be resumed.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

KEPT = 2000  # events; who comes back later than that begins anew
HEARTBEAT_SECONDS = 15.0  # so that nobody on the way takes the connection for dead


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its number. A passing one has none: whoever missed it needs it no more."""

    kind: str
    data: Mapping[str, Any]
    number: int | None = None

    def lines(self) -> str:
        """The event as it is sent."""
        number = f"id: {self.number}\n" if self.number is not None else ""
        return f"{number}event: {self.kind}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n"


@dataclass(eq=False)
class _Follower:
    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = field(default_factory=asyncio.Event)
    passing: Told | None = None


class Log:
    """The events of one reading. Any thread may tell; those who follow are coroutines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Told] = deque(maxlen=KEPT)
        self._followers: set[_Follower] = set()
        self._closed = False
        self.last = 0
        """The number of the last event."""

    @property
    def followers(self) -> int:
        return len(self._followers)

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event for everybody, also for those who come back after a while."""
        with self._lock:
            self.last += 1
            self._kept.append(Told(kind, data, self.last))
            self._wake()

    def mention(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event for those who listen now; of several, the last is enough."""
        with self._lock:
            for follower in self._followers:
                follower.passing = Told(kind, data)
            self._wake()

    def close(self) -> None:
        """Let all event streams end. They are told so, to come back later."""
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        for follower in self._followers:
            with suppress(RuntimeError):  # the loop has ended, and with it the follower
                follower.loop.call_soon_threadsafe(follower.news.set)

    def since(self, number: int) -> list[Told] | None:
        """The events after that one; None if some of them are not kept any more, or never were."""
        with self._lock:
            if number > self.last or (self._kept and number < (self._kept[0].number or 0) - 1):
                return None
            return [told for told in self._kept if (told.number or 0) > number]

    async def follow(self, after: int) -> AsyncIterator[str]:
        """The events after the one of that number as they are sent, until the log is closed.

        `reset` says that some are missing: whoever follows asks for the state of the reading again. Comments show that
        the connection lives.
        """
        follower = _Follower(asyncio.get_running_loop())
        with self._lock:
            self._followers.add(follower)
        try:
            yield "retry: 2000\n\n"
            while True:
                follower.news.clear()
                events = self.since(after)
                if events is None:
                    after = self.last
                    yield Told("reset", {}, after).lines()
                    continue
                for told in events:
                    after = told.number or after
                    yield told.lines()
                passing, follower.passing = follower.passing, None
                if passing is not None:
                    yield passing.lines()
                if self._closed:
                    yield Told("bye", {}).lines()
                    return
                try:
                    await asyncio.wait_for(follower.news.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            with self._lock:
                self._followers.discard(follower)
