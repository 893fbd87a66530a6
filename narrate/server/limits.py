"""How much one client, and all of them together, may ask for: rate, size, time, ranges, and texts spoken at once."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from narrate.server.metrics import Metrics
from narrate.server.problems import Problem, refuse


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed.

    A client may send `burst` requests at once and `per_second` in the long run. A body has at most `body_bytes`, one
    that is not JSON (a book) `upload_bytes`; it comes within `body_seconds` and the time that its size needs at
    `slowest_bytes` in a second. At most `speaking` texts are spoken at once and `waiting` wait for it, each of them at
    most `wait_seconds`. A `Range` names at most `ranges`. A text that is dictated may be silent for `idle_seconds`.
    """

    per_second: float = 50.0
    burst: float = 400.0
    clients: int = 4096
    body_bytes: int = 32 << 20
    upload_bytes: int = 210 << 20
    body_seconds: float = 20.0
    slowest_bytes: float = 50_000.0
    speaking: int = 32
    waiting: int = 64
    wait_seconds: float = 60.0
    ranges: int = 8
    idle_seconds: float = 30.0
    message_bytes: int = 128 << 10
    pending_characters: int = 1 << 20


class Clients:
    """How many requests each client may still send (a token bucket). Only so many clients are remembered, those that
    came last; whoever is forgotten begins anew."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._now = limits, now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, at which time

    def wait_seconds(self, client: str) -> float:
        """Take one request from what the client has left; how long it has to wait if there is none, 0 if it has."""
        left = self._refilled(client)
        if left < 1.0:
            return (1.0 - left) / self._limits.per_second
        self._keep(client, left - 1.0)
        return 0.0

    def charge(self, client: str, requests: float) -> None:
        """Have the client pay for something that costs as much as so many requests."""
        self._keep(client, self._refilled(client) - requests)

    def _refilled(self, client: str) -> float:
        left, then = self._left.get(client, (self._limits.burst, self._now()))
        return min(self._limits.burst, left + (self._now() - then) * self._limits.per_second)

    def _keep(self, client: str, left: float) -> None:
        self._left[client] = (left, self._now())
        self._left.move_to_end(client)
        while len(self._left) > self._limits.clients:
            self._left.popitem(last=False)


class Slots:
    """Turns for texts to be spoken: so many at once, and so many that wait, first come first served."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._free = asyncio.Semaphore(limits.speaking)
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whoever comes now is turned away."""
        return self._free.locked() and self._waiting >= self._limits.waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it in the block. Raises `Problem` 503 if too many wait, or if it takes too long."""
        await self.take()
        try:
            yield
        finally:
            self.give()

    async def take(self) -> None:
        start = time.monotonic()
        if self.full:
            raise self._too_many()
        self._waiting += 1
        self._metrics.waiting.set(self._waiting)
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise self._too_many() from None
        finally:
            self._waiting -= 1
            self._metrics.waiting.set(self._waiting)
        self._metrics.live.inc()
        self._metrics.queue_seconds.observe(time.monotonic() - start)

    def give(self) -> None:
        self._free.release()
        self._metrics.live.dec()

    def _too_many(self) -> Problem:
        self._metrics.refused.labels("slots").inc()
        return Problem(503, "Too many texts are being spoken already. Try again a little later.", retry_after=5)


class Bounded:
    """Refuses bodies that are too large or too slow, and ranges that are too many."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self.app, self._limits, self._metrics = app, limits, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        most = self._most_bytes(headers)
        named = headers.get("content-length", "0")
        if not named.isascii() or not named.isdigit() or int(named[:20]) > most:
            await self._refuse(scope, receive, send, "size", self._too_large(most))
            return
        if headers.get("range", "").count(",") >= self._limits.ranges or len(headers.getlist("range")) > 1:
            problem = Problem(416, f"More than {self._limits.ranges} ranges at once are not served.")
            await self._refuse(scope, receive, send, "ranges", problem)
            return
        await self.app(scope, self._bounded(receive, most), send)

    def _most_bytes(self, headers: Headers) -> int:
        kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        is_json = kind.endswith("json") or not kind
        return self._limits.body_bytes if is_json else max(self._limits.body_bytes, self._limits.upload_bytes)

    def _too_large(self, most: int) -> Problem:
        return Problem(413, f"The request is larger than {most / 1e6:.0f} MB. Send less.")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, why: str, problem: Problem) -> None:
        self._metrics.refused.labels(why).inc()
        if scope["http_version"].startswith("1"):
            problem.headers = {**(problem.headers or {}), "Connection": "close"}  # the body is not read
        await refuse(scope, receive, send, problem)

    def _bounded(self, receive: Receive, most: int) -> Receive:
        """`receive`, which raises `Problem` 413 or 408 for a body that is too large or too slow."""
        started, received, complete = time.monotonic(), 0, False

        async def bounded() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            left = started + self._limits.body_seconds + received / self._limits.slowest_bytes - time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, left)):
                    message = await receive()
            except TimeoutError:
                self._metrics.refused.labels("slow").inc()
                raise Problem(408, "The request took too long to arrive.") from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if received > most:
                    self._metrics.refused.labels("size").inc()
                    raise self._too_large(most)
            else:
                complete = True
            return message

        return bounded
