"""The requests that an engine has in hand, those of them that were cancelled, and how the next one is pulled."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf
from threading import Lock

from narrate.engines import Request
from narrate.pace import chunk_seconds


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
    def any_cancelled(self) -> bool:
        """True if something in hand is not wanted any more."""
        with self._lock:
            return bool(self._cancelled)

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
    """Where an engine that begins a request as soon as it has a place for it pulls its requests from.

    It may look at requests before it begins them. Where nobody listens, the last ones of all begin in the order of
    their length, the longest first, so that they end together.
    """

    def __init__(self, requests: Iterable[Request | None], in_hand: InHand) -> None:
        self._source = iter(requests)
        self._in_hand = in_hand
        self._waiting: list[Request] = []
        self._begun: list[Request] = []
        self._exhausted = self._none_now = False
        self._longest_first = False  # so those are put that wait

    @property
    def waiting(self) -> list[Request]:
        """Those that were looked at, are still wanted and have not begun."""
        return [request for request in self._waiting if not self._in_hand.is_cancelled(request.id)]

    @property
    def ended(self) -> bool:
        """True if there are no more."""
        return self._exhausted and not self._waiting and not self._begun

    @property
    def has_begun(self) -> bool:
        """True if some wait that have begun already."""
        return bool(self._begun)

    def look(self, count: int) -> list[Request]:
        """The next requests, at most `count` and as many as there are now; none of them has begun."""
        if self._in_hand.any_cancelled:  # thousands may wait, and each look would ask about all of them
            wanted = self.waiting
            kept = {request.id for request in wanted}
            self._in_hand.release(request.id for request in self._waiting if request.id not in kept)
            self._waiting = wanted
        self._none_now = False
        self._pull(count)
        return self._waiting[:count]

    def _pull(self, count: int) -> None:
        while len(self._waiting) < count and not (self._exhausted or self._none_now):
            try:
                request = next(self._source)
            except StopIteration:
                self._exhausted = True
                break
            if request is None:
                self._none_now = True
                break
            self._in_hand.take(request)
            self._waiting.append(request)

    def next(self) -> Request | None:
        """The next request that begins, taken in hand. None if there is none now, or no more (then `ended`)."""
        while self._begun:
            request = self._begun.pop(0)
            if not self._in_hand.is_cancelled(request.id):
                return request
            self._in_hand.release([request.id])
        while True:
            self._pull(1)
            if not self._waiting:
                self._none_now = False
                return None
            request = self._following()
            self._waiting.remove(request)
            if not self._in_hand.is_cancelled(request.id) and request.begin():
                return request
            self._in_hand.release([request.id])

    def put_back(self, requests: Iterable[Request]) -> None:
        """Requests that have begun already and lost their place come first."""
        self._begun[:0] = requests

    def _following(self) -> Request:
        if self._longest_first and self._waiting[0].due() < inf:  # somebody listens now
            self._waiting.sort(key=lambda request: request.chunk.index)
            self._longest_first = False
        elif not self._longest_first and self._exhausted and all(request.due() == inf for request in self._waiting):
            self._waiting.sort(key=lambda request: chunk_seconds(request.chunk), reverse=True)
            self._longest_first = True
        return self._waiting[0]
