"""The requests that an engine has in hand, those of them that were cancelled, and how the next one is pulled."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from threading import Lock

from narrate.engines import Request


class InHand:
    """Which requests an engine has in hand, and which of those were cancelled.

    The engine's own thread takes requests and releases them; any thread may cancel. An id is known only as long as its
    request is in hand, so nothing piles up.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: dict[str, Request] = {}
        self._cancelled: set[str] = set()

    @property
    def requests(self) -> list[Request]:
        """Those that are still wanted, in the order in which they were taken."""
        with self._lock:
            return [request for name, request in self._requests.items() if name not in self._cancelled]

    @property
    def all_cancelled(self) -> bool:
        """True if nothing in hand is wanted any more."""
        with self._lock:
            return len(self._cancelled) == len(self._requests)

    def take(self, request: Request) -> None:
        with self._lock:
            self._requests[request.id] = request

    def cancel(self, ids: Collection[str]) -> list[str]:
        """Those of the ids that are in hand; from now on they are cancelled."""
        with self._lock:
            mine = [one for one in ids if one in self._requests]
            self._cancelled.update(mine)
        return mine

    def is_cancelled(self, request_id: str) -> bool:
        with self._lock:
            return request_id in self._cancelled

    def release(self, ids: Iterable[str]) -> None:
        """These are answered or dropped."""
        with self._lock:
            for one in ids:
                self._requests.pop(one, None)
                self._cancelled.discard(one)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()
            self._cancelled.clear()


class Arrivals:
    """Where an engine that begins a request as soon as it has it pulls its requests from."""

    def __init__(self, requests: Iterable[Request | None], in_hand: InHand) -> None:
        self._source = iter(requests)
        self._in_hand = in_hand
        self.ended = False

    def next(self) -> Request | None:
        """The next request that begins, taken in hand. None if there is none now, or no more (then `ended`)."""
        while not self.ended:
            try:
                request = next(self._source)
            except StopIteration:
                self.ended = True
                break
            if request is None:
                return None
            self._in_hand.take(request)
            if request.begin():
                return request
            self._in_hand.release([request.id])
        return None
