"""One text → sound, for one client: a reading whose sink is the answer. All programs' interfaces come here.

The reading waits while its client does not read, and ends within one batch when the client leaves. What goes wrong
before the first sound is an error of the request; after it the sound breaks off, and its end is told and counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

from starlette.types import Receive

from narrate.clip import Clip
from narrate.errors import ClosedPipe, EngineError, InputError
from narrate.pipeline import Background
from narrate.reading.session import Session
from narrate.server import voices
from narrate.server.limits import Slots
from narrate.server.metrics import Metrics
from narrate.server.outlet import Outlet
from narrate.server.service import Service
from narrate.server.trace import request_id
from narrate.sinks import Sink
from narrate.sinks.encoded_stream import EncodedStream
from narrate.text.book import Book, book_of_dictation, book_of_text
from narrate.text.chunking.arrivals import Arriving
from narrate.text.document import Chunk

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.05  # between two looks whether the client has left
LATE_SECONDS = 0.1  # sound that comes later than this is a gap for a player at its heels
NAMED_FAILURES = 20  # passages whose text an outcome holds
KEPT = 1000  # outcomes of texts that can be asked for afterwards

Piece = bytes | Chunk
"""What a client gets in order: a chunk as its sound begins, and bytes of sound."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a client wants spoken, and how. `wishes` are by the names of the table of settings. `text` that is still
    being written needs its `language`. `rate` in Hz and `bit_rate` in bits per second are those of the sound."""

    text: str | Arriving
    wishes: Mapping[str, object] = field(default_factory=dict)
    format: str = "mp3"
    language: str = ""
    rate: int | None = None
    bit_rate: int | None = None
    interface: str = "api"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `finish_reason`: "stop" at the end of the text; "partial", the same, with passages that could not
    be spoken; "cancelled", the client left; "error". `failures` passages could not be spoken, `failed` are the first of
    them."""

    id: str
    finish_reason: str
    audio_seconds: float
    made: int = 0
    reused: int = 0
    failures: int = 0
    failed: tuple[str, ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"object": "audio.speech", **asdict(self), "failed": list(self.failed)}


class Outcomes:
    """The last outcomes, by the ids of their requests."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Outcome] = OrderedDict()

    def keep(self, outcome: Outcome) -> None:
        self._kept[outcome.id] = outcome
        self._kept.move_to_end(outcome.id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def get(self, identity: str) -> Outcome | None:
        return self._kept.get(identity)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all texts that are spoken for programs share."""

    service: Service
    metrics: Metrics
    slots: Slots
    outcomes: Outcomes = field(default_factory=Outcomes)
    live: set[Speech] = field(default_factory=set)
    """What is being spoken now."""

    def say_goodbye(self) -> None:
        """The server ends: break off what is being spoken, so that clients know. Called in the event loop."""
        for speech in list(self.live):
            speech.break_off(EngineError("The server is being stopped."))

    async def speak(self, order: Order, receive: Receive | None = None) -> Speech:
        """Begin to speak; returns as the first sound is there. Raises what is wrong with the order.

        `receive` tells when the client leaves. Whoever gets the speech takes its pieces, and closes it.
        """
        speech = Speech(self, order)
        self.live.add(speech)
        try:
            await speech.begin(receive)
        except BaseException:
            await speech.close()
            raise
        return speech


class Speech:
    """A text on its way to a client. Made by `Desk.speak`, and used in the event loop only."""

    def __init__(self, desk: Desk, order: Order) -> None:
        self.id = request_id()
        self.sample_rate = 0
        """Samples in a second of what is sent, in Hz."""
        self.outcome: Outcome | None = None
        """Known after the last piece."""
        self._desk, self._order = desk, order
        self._started = time.monotonic()
        self._outlet: Outlet[Piece] = Outlet()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._first: Piece | None = None
        self._watch: asyncio.Task[None] | None = None
        self._working: Background[None] | None = None
        self._voice: _Voice | None = None
        self._closed = False

    async def begin(self, receive: Receive | None) -> None:
        if receive is not None:
            self._watch = asyncio.create_task(self._watched(receive))
        await self._desk.slots.take()
        try:
            if self._outlet.left:
                raise ClosedPipe("The client has left.")
            self._working = Background(self._work, "narrate-speech")
        finally:
            if self._working is None:
                self._desk.slots.give()
        self._first = await self._outlet.take()
        if self._first is None:
            if self._outlet.left:
                raise ClosedPipe("The client has left.")
            return
        waited = time.monotonic() - self._started
        self._desk.metrics.first_audio_seconds.labels(self._order.interface).observe(waited)

    async def take(self) -> Piece | None:
        """The next piece; None after the last. Raises what broke the reading off."""
        first, self._first = self._first, None
        return first if first is not None else await self._outlet.take()

    def leave(self) -> None:
        """The client wants no more. May be called by any thread."""
        self._outlet.leave()

    def break_off(self, error: EngineError) -> None:
        """Let the client have no more; it is told why."""
        self._outlet.break_off(error)

    async def close(self) -> None:
        """End the reading if it has not ended, and wait until nothing of it is left. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._desk.live.discard(self)
        self._outlet.leave()
        if self._watch is not None:
            self._watch.cancel()
        if self._working is not None:
            await asyncio.shield(self._ended.wait())

    async def _watched(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.leave()

    # -- in a thread of its own ---------------------------------------------------------------------------------------

    def _work(self) -> None:
        error: BaseException | None = None
        session: Session | None = None
        try:
            with ExitStack() as stack:
                session = self._open(stack)
                with session:
                    while not session.wait(POLL_SECONDS):
                        if self._outlet.left:
                            raise ClosedPipe("The client has left.")
        except ClosedPipe:
            pass
        except BaseException as raised:
            error = raised
        finally:
            self.outcome = self._told(session, error)
            self._outlet.finish(error)
            with suppress(RuntimeError):  # the loop has ended before
                self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._desk.slots.give()
        self._ended.set()

    def _open(self, stack: ExitStack) -> Session:
        service, wishes = self._desk.service, self._order.wishes
        voices.check_engine(wishes)
        book = self._book()
        who = service.speaking(voices.suited(wishes, service, book.language), book.language)
        session = service.open_session(book, who, [self._open_sink], stack)
        session.engine.check(session.voice)
        return session

    def _book(self) -> Book:
        options = self._desk.service.text_options(self._order.wishes)
        if not isinstance(self._order.text, str):
            return book_of_dictation(self._order.text, options, self._order.language)
        if not self._order.text.strip():
            raise InputError("There is no text to speak.")
        return book_of_text(self._order.text, options)

    def _open_sink(self, sample_rate: int) -> Sink:
        order = self._order
        self._voice = _Voice(
            self._outlet, lambda send: EncodedStream(send, order.format, sample_rate, order.rate, order.bit_rate)
        )
        self.sample_rate = self._voice.stream.rate
        return self._voice

    def _told(self, session: Session | None, error: BaseException | None) -> Outcome:
        """How it ended, counted and in the log."""
        seconds = self._voice.seconds if self._voice else 0.0
        stats = session.stats if session else None
        failed = tuple(chunk.text for chunk, _ in stats.failed) if stats else ()
        reason = "cancelled" if self._outlet.left else "error" if error else "partial" if failed else "stop"
        outcome = Outcome(
            self.id,
            reason,
            round(seconds, 3),
            stats.made if stats else 0,
            stats.reused if stats else 0,
            len(failed),
            failed[:NAMED_FAILURES],
            str(error) if error else None,
        )
        metrics, order = self._desk.metrics, self._order
        metrics.speeches.labels(order.interface, order.format, reason).inc()
        self._desk.outcomes.keep(outcome)
        _log_outcome(outcome, order.format, error)
        return outcome


def _log_outcome(outcome: Outcome, format: str, error: BaseException | None) -> None:
    if isinstance(error, InputError):
        _log.info("Refused: %s", error)
        return
    failures = f", {outcome.failures} passages could not be spoken" if outcome.failures else ""
    why = f": {error}" if error else ""
    level = logging.WARNING if why or failures else logging.INFO
    what = f"{outcome.audio_seconds:.1f} s of sound as {format}, {outcome.made} takes made, {outcome.reused} reused"
    _log.log(level, "%s%s; %s%s", what, failures, outcome.finish_reason, why)


class _Voice(Sink):
    """The sink of a speech. Holds everything back until something was really spoken, so that a text of which nothing
    can be spoken is an error, and no silence."""

    def __init__(
        self, outlet: Outlet[Piece], open_stream: Callable[[Callable[[bytes], object]], EncodedStream]
    ) -> None:
        self.stream = open_stream(self._send)
        self.seconds = 0.0
        """Of sound that went out."""
        self._outlet = outlet
        self._held: list[tuple[Piece, int]] | None = []  # None once something was spoken
        self._begun = False
        self._why = ""
        self._playing_since: float | None = None  # when a player that plays at once would have begun

    def __enter__(self) -> Self:
        self.stream.__enter__()
        return self

    def begin(self, chunk: Chunk) -> None:
        self._begun = True
        self._put(chunk, 0)

    def write(self, clip: Clip) -> None:
        if clip.failure is not None:
            self._why = clip.failure
        elif not clip.pause:
            self._let_out()
        self._look_for_a_gap()
        self.stream.write(clip)
        self.seconds += clip.seconds

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._held and not self._outlet.left and self._begun:
            self.stream.__exit__(EngineError, EngineError(), None)
            raise EngineError(f"Nothing of the text could be spoken ({self._why or 'there was no sound'}).")
        self.stream.__exit__(kind, error, trace)

    def _send(self, data: bytes) -> None:
        self._put(data, len(data))

    def _put(self, piece: Piece, weight: int) -> None:
        if self._held is not None:
            self._held.append((piece, weight))
        else:
            self._outlet.put(piece, weight)

    def _let_out(self) -> None:
        held, self._held = self._held, None
        for piece, weight in held or ():
            self._outlet.put(piece, weight)

    def _look_for_a_gap(self) -> None:
        """Count sound that comes after all before it has been played; time in which the client did not read is its
        own."""
        now = time.monotonic() - self._outlet.blocked_seconds
        if self._playing_since is None:
            self._playing_since = now
        late = now - self._playing_since - self.seconds
        if late > LATE_SECONDS:
            self.gaps += 1
            self._playing_since += late
