"""Workers as members of a pool: one engine each, in a process of this machine or somewhere in a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Request
from narrate.engines.batched import Rows
from narrate.engines.pool import Reply, Trouble
from narrate.engines.worker import Message
from narrate.errors import EngineError
from narrate.pipeline import Background
from narrate.voice import Voice

AHEAD = 16  # requests that a worker has beside those it works on, so that it can choose some of like length
STARTS_AT_MOST = 3  # of a worker that dies while it is loading
CLOSING_SECONDS = 5.0  # at most, for a worker to end
STARTING_SECONDS = 0.1  # a request comes back so soon that met a worker which has to be started first


class Line(Protocol):
    """The connection with one worker."""

    def tell(self, message: Message) -> None:
        """Send a message. One to a worker that has died is lost: whoever listens to it finds out."""
        ...

    def hear(self) -> list[Message]:
        """Wait for what the worker says. Raises EOFError, whose text says in a few words why, once it has gone."""
        ...

    def close(self) -> None:
        """End the worker."""
        ...


@dataclass(eq=False)
class WorkerMember:
    """A `Member`: a worker with the engine that `spec`, `rows` and `options` name, kept to these processor `cores` if
    any are named. `start` begins one, now and whenever it has died; it takes no requests until its engine is loaded."""

    name: str
    start: Callable[[], Line]
    spec: str
    rows: Rows = None
    options: Mapping[str, object] = field(default_factory=dict)
    cores: tuple[int, ...] = ()
    sample_rate: int | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _line: Line | None = field(default=None, init=False)  # None if there is no worker
    _ear: Background[None] | None = field(default=None, init=False)
    _sent: dict[str, Callable[[Reply], object]] = field(default_factory=dict, init=False)
    _begun: set[str] = field(default_factory=set, init=False)
    _voice: Voice = field(default_factory=Voice, init=False)
    _ready: threading.Event = field(default_factory=threading.Event, init=False)
    _settled: threading.Event = field(default_factory=threading.Event, init=False)  # it is ready, or never will be
    _refusal: str | None = field(default=None, init=False)  # why it was not ready in the end
    _refused: bool = field(default=False, init=False)  # it said so itself
    _clock: Clock = field(default=OFF, init=False)

    @property
    def slots(self) -> int:
        starting = self._line is not None and not self._ready.is_set()
        return 0 if starting else len(self._begun) + AHEAD

    @property
    def running(self) -> int:
        return len(self._sent)

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    @property
    def line(self) -> Line | None:
        """To the worker that there is now, if any."""
        return self._line

    @property
    def refusal(self) -> str | None:
        """Why it could not begin."""
        return self._refusal

    @property
    def refused(self) -> bool:
        """True if it said so itself, so that another start would change nothing."""
        return self._refused

    def begin(self, voice: Voice, clock: Clock) -> None:
        """Start it, without waiting for it."""
        self._clock, self._voice = clock, voice
        with self._lock:
            self._settled.clear()
            self._ready.clear()
            line = self._living()
        line.tell(("prepare", voice))

    def prepare(self, voice: Voice, clock: Clock) -> None:
        for _ in range(STARTS_AT_MOST):
            self.begin(voice, clock)
            self._settled.wait()
            if self._refusal is None:
                return
            if self._refused:
                break
        raise EngineError(f"{self.name}: {self._refusal}")

    def send(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> None:
        due = request.due() - self._clock.now()
        with self._lock:
            died = self._line is None
            refusal = self._refusal
            line = self._living()
            if not died:
                self._sent[request.id] = reply
        if died:
            line.tell(("prepare", self._voice))
            trouble = Trouble.BUSY if refusal is None else Trouble.AWAY
            rest = STARTING_SECONDS if refusal is None else None
            reply(Reply(request.id, trouble=trouble, why=refusal or "it is being started", rest_seconds=rest))
            return
        message = (request.id, request.chunk, request.voice, request.attempt, None if due == inf else due)
        line.tell(("request", *message))

    def cancel(self, ids: Collection[str]) -> None:
        with self._lock:
            line, mine = self._line, [each for each in ids if each in self._sent]
            for each in mine:
                self._forget(each)
        if line is not None and mine:
            line.tell(("cancel", mine))

    def close(self) -> None:
        with self._lock:
            line, self._line = self._line, None
            self._sent.clear()
            self._begun.clear()
            self._ready.clear()
        if line is not None:
            line.close()
        if self._ear is not None:  # it must not touch a cluster that the caller leaves next
            self._ear.wait(CLOSING_SECONDS)

    def _living(self) -> Line:
        """The worker, started if there is none. The lock must be held. One that has died is there until all that it had
        is given back."""
        if self._line is None:
            self._ready.clear()
            self._refusal, self._refused = None, False
            line = self._line = self.start()
            self._ear = Background(lambda: self._listen(line), "narrate-member-ear")
            line.tell(("open", self.spec, self.rows, dict(self.options), self.cores))
        return self._line

    def _listen(self, line: Line) -> None:
        """Pass on what the worker says, until it ends; then give back what it had."""
        try:
            while True:
                for message in line.hear():
                    self._hear(message)
        except EOFError as error:
            why = f"its worker ended ({error})"
        with self._lock:
            if self._line is not line:
                return
            self._line = None
            lost, self._sent = self._sent, {}
            begun, self._begun = self._begun, set()
            if not self._ready.is_set():
                self._refusal = self._refusal or f"{why} while it was loading"
            self._ready.clear()
            self._settled.set()
        for name, reply in lost.items():
            reply(Reply(name, trouble=Trouble.LOST if name in begun else Trouble.AWAY, why=why))

    def _hear(self, message: Message) -> None:
        match message:
            case ("ready", rate):
                self.sample_rate = rate
                self._ready.set()
                self._settled.set()
            case ("refused", why):
                self._refusal, self._refused = why, True
                self._settled.set()
                self._give_back(list(self._sent), Trouble.GONE, why)
                if self._line is not None:
                    self._line.close()  # whoever sends it something finds it dead, and hears why
            case ("begun", name):
                self._begun.add(name)
            case ("clip", clip):
                self._pass_on(clip)
            case ("raised", ids, why):
                self._give_back(ids, Trouble.LOST, why)
            case ("ended", why):
                self._give_back(list(self._sent), Trouble.GONE, why)

    def _pass_on(self, clip: Clip) -> None:
        with self._lock:
            reply = self._sent.get(clip.request_id)
            if clip.final:
                self._forget(clip.request_id)
        if reply is not None:
            reply(Reply(clip.request_id, (clip,)))

    def _give_back(self, ids: Collection[str], trouble: Trouble, why: str) -> None:
        for name in ids:
            with self._lock:
                reply = self._sent.get(name)
                self._forget(name)
            if reply is not None:
                reply(Reply(name, trouble=trouble, why=why))

    def _forget(self, name: str) -> None:
        self._sent.pop(name, None)
        self._begun.discard(name)
