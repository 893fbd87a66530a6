"""The requests and clips of an engine that refills its slots: who is begun next, and what may go out to an ear."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from narrate.clip import Clip
from narrate.clock import Clock
from narrate.engines import Request
from narrate.engines.feed import Feed, Pending
from narrate.engines.in_hand import Arrivals, InHand
from narrate.pace import chunk_seconds

_log = logging.getLogger(__name__)

SOON_SECONDS = 0.25  # an ear that is due so soon has nothing to hear: what it might hear would be over before
ENOUGH_SECONDS = 60.0  # so much is not kept back: an engine that cannot keep up would else keep back the whole book
LONGER = 1.4  # times as long as foreseen: hardly a row is longer
OVERDUE = 0.1  # of a row's length is still to come, however long it is already
AHEAD = 3  # times as many requests as there are slots are looked at, where the number of rows must be weighed


@dataclass(frozen=True, slots=True)
class Working:
    """A request in a slot: so many seconds of its sound are made; `pieces`: they go out as they are made."""

    request: Request
    made: float
    pieces: bool


def goes_in_pieces(request: Request, now: float, *, first: bool) -> bool:
    """True for what an ear waits for: the first of all, and every other for which nothing lies ready before it.

    Another attempt at a chunk never goes out in pieces, since it may have to be thrown away as well; nor does what is
    made for a file.
    """
    due = request.due() - now
    return request.attempt == 0 and due < inf and (due < SOON_SECONDS or first)


def _is_heard(request: Request) -> bool:
    return request.due() < inf


class Feeder:
    """One round of an engine's requests. An iterator of those to begin: None says that there is none now."""

    def __init__(self, requests: Iterable[Request | None], in_hand: InHand, feed: Feed, clock: Clock) -> None:
        self._arrivals = Arrivals(requests, in_hand)
        self._in_hand, self._feed, self._clock = in_hand, feed, clock
        self._begun: dict[str, Request] = {}  # those of which the last clip has not gone out
        self._sent: dict[str, float] = {}  # seconds of these that have gone out
        self._kept: list[Clip] = []
        self._rows = 1
        self._ever = False  # has a request begun

    def __iter__(self) -> Iterator[Request | None]:
        return self

    def __next__(self) -> Request | None:
        request = self._arrivals.next()
        if request is not None:
            self._begun[request.id] = request
            self._ever = True
        elif self._arrivals.ended:
            raise StopIteration
        return request

    def put_back(self, requests: Iterable[Request]) -> None:
        """These have lost their slots and come first."""
        self._arrivals.put_back(requests)

    def rows(self, working: Sequence[Working]) -> int:
        """How many rows there should be, these included."""
        wanted = {request.id for request in self._in_hand.requests}
        self._begun = {name: request for name, request in self._begun.items() if name in wanted}
        self._sent = {name: seconds for name, seconds in self._sent.items() if name in wanted}
        self._tell_of_gaps()
        if len(working) >= self._feed.slots:
            self._rows = self._feed.slots
            return self._rows
        waiting = self._arrivals.look(1)  # a listener's first request is not held up by a look at others
        if waiting and not (self._feed.quick and waiting[0].due() < inf):
            waiting = self._arrivals.look(AHEAD * self._feed.slots)
        self._rows = self._feed.rows(self._pending(working), self._pending(self._next(waiting)))
        return self._rows

    def release(self, working: Sequence[Working], clips: Iterable[Clip]) -> list[Clip]:
        """Of these clips, and of those that were kept back, the ones that may go out now."""
        ready = [clip for clip in (*self._kept, *clips) if self._is_wanted(clip)]
        late = 0 < sum(clip.seconds for clip in ready) < ENOUGH_SECONDS and self._comes_late(working)
        self._kept = [clip for clip in ready if late and _is_heard(self._begun[clip.request_id])]
        going = [clip for clip in ready if not (late and _is_heard(self._begun[clip.request_id]))]
        for clip in going:
            self._sent[clip.request_id] = self._sent.get(clip.request_id, 0.0) + clip.seconds
            if clip.final:
                self._begun.pop(clip.request_id, None)
                self._sent.pop(clip.request_id, None)
        return going

    def _tell_of_gaps(self) -> None:
        """One line, once, if an ear waits for an engine that cannot keep up with it however many rows there are."""
        if self._feed.told or not self._feed.head_start or not any(map(_is_heard, self._begun.values())):
            return
        self._feed.told = True
        _log.warning(
            "This machine takes %.1f s for a second of speech with this voice: listening has gaps. Without gaps: write "
            "the book with -o FILE, and begin to listen %.0f min later for each hour that the book is long.",
            self._feed.rtf,
            60 * self._feed.head_start,
        )

    def _next(self, waiting: Sequence[Request]) -> list[Working]:
        return [Working(request, 0.0, pieces=not (self._ever or number)) for number, request in enumerate(waiting)]

    def _comes_late(self, working: Sequence[Working]) -> bool:
        """True if the ear has nothing to hear, and something would come late if it began now."""
        if self._feed.quick or min(map(self._due, self._begun.values()), default=inf) > SOON_SECONDS:
            return False
        waiting = self._pending(self._next(self._arrivals.look(AHEAD * self._feed.slots)))
        return self._feed.late(self._pending(working), waiting, self._rows) > 0

    def _pending(self, rows: Iterable[Working]) -> list[Pending]:
        """What is to be made of each row, and when it must be. A row that goes out in pieces may be made while it is
        heard; it must be all made when its end is due."""
        pending = []
        for row in rows:
            seconds = chunk_seconds(row.request.chunk)
            heard = seconds - self._sent.get(row.request.id, 0.0) if row.pieces else 0.0
            left = max(LONGER * seconds - row.made, OVERDUE * seconds)
            pending.append(Pending(left, self._due(row.request) + max(0.0, heard)))
        return pending

    def _is_wanted(self, clip: Clip) -> bool:
        return clip.request_id in self._begun and not self._in_hand.is_cancelled(clip.request_id)

    def _due(self, request: Request) -> float:
        """In how many seconds the ear wants the request."""
        return request.due() - self._clock.now()
