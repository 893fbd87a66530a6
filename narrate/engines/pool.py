"""Several members as one engine: speech servers, processes with a GPU each, nodes of a cluster.

Requests go to the member that has the most room, whatever is due first before all else; clips come back in any order.
A member that is lost gives its requests back, rests and is tried again; the others go on meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Abilities, Request
from narrate.engines.feeder import goes_in_pieces
from narrate.engines.in_hand import Arrivals, InHand
from narrate.errors import EngineError
from narrate.pipeline import Background
from narrate.voice import Voice

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05  # at most, between two looks at new requests while there is room for them
LOST_AT_MOST = 3  # times in a row that a member may be lost, until it counts as gone for now
LOST_OVER_ONE = 5  # times that members may be lost over a single request: then it is the one at fault
FIRST_REST_SECONDS = 1.0  # of a member that was lost; twice as long each time in a row
LONGEST_REST_SECONDS = 30.0


class Trouble(Enum):
    """Why a member gave a request back."""

    BUSY = "busy"
    """It takes no more for some seconds. Nothing is wrong."""
    AWAY = "away"
    """It cannot be reached. Another may make the request."""
    LOST = "lost"
    """It was lost while it made the request, which may be at fault."""
    GONE = "gone"
    """It will never make anything, for a reason that waiting does not mend."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a member has to say about a request: clips, of which the last is `final`, or why it gives it back.

    `why` is for the listener. `rest_seconds`: the member asks to be left alone so long; None if it does not say.
    """

    request_id: str
    clips: tuple[Clip, ...] = ()
    trouble: Trouble | None = None
    why: str = ""
    rest_seconds: float | None = None


class Member(Protocol):
    """One that makes takes. Its methods are called by one thread, only `cancel` by any; replies come from any."""

    @property
    def name(self) -> str:
        """What the listener knows it by."""
        ...

    @property
    def slots(self) -> int:
        """How many requests it holds well at once."""
        ...

    @property
    def running(self) -> int:
        """How many it has in hand, cancelled ones too until they have ended."""
        ...

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Load what is needed. Raises `EngineError` if it cannot."""
        ...

    def send(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> None:
        """Begin the request. Every reply goes to `reply`, until a final clip or a trouble. `pieces`: an ear waits, so
        sound should come as it is made."""
        ...

    def cancel(self, ids: Collection[str]) -> None:
        """Drop these soon; replies to them may still come."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Post:
    """A member's place in the pool: whether it may be sent anything now."""

    member: Member
    losses: int = 0  # in a row
    rests_until: float = 0.0
    gone: bool = False
    why: str = ""  # the last trouble

    @property
    def given_up(self) -> bool:
        return self.gone or self.losses >= LOST_AT_MOST

    def room(self, now: float) -> float:
        """The share of its slots that are free; 0 while it rests."""
        if self.gone or now < self.rests_until or self.member.slots < 1:
            return 0.0
        return max(0.0, 1 - self.member.running / self.member.slots)

    def lost(self, now: float, reply: Reply) -> None:
        self.why = reply.why
        if reply.trouble is Trouble.BUSY:
            self.rests_until = max(self.rests_until, now + (reply.rest_seconds or FIRST_REST_SECONDS))
        elif reply.trouble is Trouble.GONE:
            self.gone = True
        elif now >= self.rests_until:  # of several requests that were lost together only the first counts
            rest = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2**self.losses)
            self.losses += 1
            self.rests_until = now + max(rest, reply.rest_seconds or 0.0)


@dataclass(slots=True)
class _Sent:
    request: Request
    post: _Post
    heard: bool = False  # pieces of it have gone out


@dataclass(slots=True, eq=False)
class Pool:
    """An `Engine` made of `members` that all make the same takes. Abilities, fingerprint and rate are those of each.

    Raises `EngineError` from `synthesize` when no member can do any more.
    """

    name: str
    members: Sequence[Member]
    abilities: Abilities
    fingerprint: Mapping[str, str]
    sample_rate: int | None
    check_voice: Callable[[Voice], None]
    remedy: str = ""
    _clock: Clock = field(default=OFF, init=False)
    _in_hand: InHand = field(default_factory=InHand, init=False)
    _posts: list[_Post] = field(init=False)
    _losses: dict[str, int] = field(default_factory=dict, init=False)  # by request: members that were lost over it

    def __post_init__(self) -> None:
        self.put(self.members)

    def put(self, members: Sequence[Member]) -> None:
        """From now on these are the members."""
        self.members = members
        self._posts = [_Post(member) for member in members]

    def check(self, voice: Voice) -> None:
        self.check_voice(voice)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """All members at once. One that cannot is left out; raises its error if none can."""
        self._clock = clock
        posts = [post for post in self._posts if not post.gone]
        loading = [Background(partial(post.member.prepare, voice, clock), "narrate-member") for post in posts]
        failed: list[EngineError] = []
        for post, load in zip(posts, loading, strict=True):
            try:
                load.result()
            except EngineError as error:
                failed.append(error)
                post.gone, post.why = True, str(error)
        if len(failed) == len(posts):
            raise failed[0] if failed else self._none_left()
        for each in failed:
            _log.warning("%s The others go on.", each)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """See `Engine.synthesize`."""
        replies: SimpleQueue[Reply] = SimpleQueue()
        arrivals = Arrivals(requests, self._in_hand)
        out: dict[str, _Sent] = {}
        try:
            while True:
                more = self._send(arrivals, out, replies.put)
                self._forget_cancelled(out)
                if not out and not more:
                    return
                yield []  # who waits may hear what was found meanwhile
                if clips := self._answers(replies, out, arrivals):
                    yield clips
        finally:
            self.cancel(list(out))
            self._in_hand.clear()
            self._losses.clear()

    def cancel(self, ids: Collection[str]) -> None:
        if mine := self._in_hand.cancel(ids):
            for post in self._posts:
                post.member.cancel(mine)

    def close(self) -> None:
        for post in self._posts:
            post.member.close()

    def _send(self, arrivals: Arrivals, out: dict[str, _Sent], reply: Callable[[Reply], object]) -> bool:
        """Send requests to whoever has room. True if some wait because nobody has."""
        count = max(2, sum(post.member.slots for post in self._posts))
        while True:
            waiting = arrivals.look(count)
            if not waiting and not arrivals.has_begun:
                return False
            post = self._roomiest()
            if post is None:
                if not out and all(each.given_up for each in self._posts):
                    raise self._none_left()
                return True
            request = arrivals.next()
            if request is None:
                continue
            out[request.id] = _Sent(request, post)
            pieces = goes_in_pieces(request, self._clock.now(), first=len(out) == 1)
            post.member.send(request, reply, pieces=pieces and self.abilities.streams)

    def _roomiest(self) -> _Post | None:
        now = self._clock.now()
        best = max(self._posts, key=lambda post: post.room(now))
        return best if best.room(now) > 0 else None

    def _answers(self, replies: SimpleQueue[Reply], out: dict[str, _Sent], arrivals: Arrivals) -> list[Clip]:
        """The clips that have come, after a short wait for the first."""
        clips: list[Clip] = []
        seconds = LOOK_SECONDS
        while True:
            try:
                reply = replies.get(timeout=seconds)
            except Empty:
                return clips
            seconds = 0.0
            if (sent := out.get(reply.request_id)) is not None:
                clips += self._answer(reply, sent, out, arrivals)

    def _answer(self, reply: Reply, sent: _Sent, out: dict[str, _Sent], arrivals: Arrivals) -> Sequence[Clip]:
        if reply.trouble is None:
            sent.post.losses = 0
            sent.heard = True
            if reply.clips and reply.clips[-1].final:
                self._ended(sent, out)
            return reply.clips
        first = not sent.post.given_up
        sent.post.lost(self._clock.now(), reply)
        if first and sent.post.given_up and not all(post.given_up for post in self._posts):
            _log.warning("%s: %s. The others go on without it.", sent.post.member.name, reply.why.rstrip("."))
        lost = self._losses.get(reply.request_id, 0) + (reply.trouble is Trouble.LOST)
        self._losses[reply.request_id] = lost
        if sent.heard or lost >= LOST_OVER_ONE:
            self._ended(sent, out)
            return [sent.request.failed(reply.why, self.sample_rate or 0, raised=True)]
        del out[reply.request_id]
        arrivals.put_back([sent.request])
        return []

    def _ended(self, sent: _Sent, out: dict[str, _Sent]) -> None:
        del out[sent.request.id]
        self._losses.pop(sent.request.id, None)
        self._in_hand.release([sent.request.id])

    def _forget_cancelled(self, out: dict[str, _Sent]) -> None:
        if not self._in_hand.any_cancelled:
            return
        for sent in list(out.values()):
            if self._in_hand.is_cancelled(sent.request.id):
                self._ended(sent, out)

    def _none_left(self) -> EngineError:
        troubles = "; ".join(f"{post.member.name}: {post.why.rstrip('.')}" for post in self._posts)
        return EngineError(f"Nobody is left to make the sound ({troubles}). {self.remedy}".rstrip())
