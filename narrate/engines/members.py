"""Processes of this machine as members of a pool: one engine each, on a GPU of its own perhaps."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import IO

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Engine, Request
from narrate.engines.batched import Rows
from narrate.engines.pool import Pool, Reply, Trouble
from narrate.engines.worker import Message, receive, send
from narrate.errors import EngineError, NarrateError
from narrate.pipeline import Background
from narrate.voice import Voice

_log = logging.getLogger(__name__)

AHEAD = 16  # requests that a process has beside those it works on, so that it can choose some of like length
END_SECONDS = 2.0


@dataclass(eq=False)
class Process:
    """A `Member`: a child process with the engine that `spec`, `rows` and `options` name, kept to these processor
    `cores` if any are named. It is started again if it dies."""

    name: str
    spec: str
    rows: Rows = None
    options: Mapping[str, object] = field(default_factory=dict)
    cores: tuple[int, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _sent: dict[str, Callable[[Reply], object]] = field(default_factory=dict, init=False)
    _begun: set[str] = field(default_factory=set, init=False)
    _voice: Voice = field(default_factory=Voice, init=False)
    _ready: threading.Event = field(default_factory=threading.Event, init=False)
    _refusal: str | None = field(default=None, init=False)
    _clock: Clock = field(default=OFF, init=False)
    sample_rate: int | None = field(default=None, init=False)

    @property
    def slots(self) -> int:
        return len(self._begun) + AHEAD

    @property
    def running(self) -> int:
        return len(self._sent)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        self._clock, self._voice = clock, voice
        with self._lock:
            self._ready.clear()
            child = self._living_child()
        self._tell(child, ("prepare", voice))
        self._ready.wait()
        if self._refusal is not None:
            raise EngineError(f"{self.name}: {self._refusal}")

    def send(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> None:
        due = request.due() - self._clock.now()
        with self._lock:
            new = self._child is None or self._child.poll() is not None
            child = self._living_child()
            self._sent[request.id] = reply
        if new:
            self._tell(child, ("prepare", self._voice))
        message = (request.id, request.chunk, request.voice, request.attempt, None if due == inf else due)
        self._tell(child, ("request", *message))

    def cancel(self, ids: Collection[str]) -> None:
        with self._lock:
            child, mine = self._child, [each for each in ids if each in self._sent]
            for each in mine:
                self._forget(each)
        if child is not None and mine:
            self._tell(child, ("cancel", mine))

    def close(self) -> None:
        with self._lock:
            child, self._child = self._child, None
            self._sent.clear()
            self._begun.clear()
        if child is None:
            return
        with suppress(OSError):
            if child.stdin is not None:
                child.stdin.close()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _living_child(self) -> subprocess.Popen[bytes]:
        """The process, started if it does not run. The lock must be held."""
        if self._child is None or self._child.poll() is not None:
            command = [sys.executable, "-m", "narrate.engines.worker"]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._refusal = None
            child = self._child
            Background(lambda: self._listen(child), "narrate-member-ear")
            self._tell(child, ("open", self.spec, self.rows, dict(self.options), self.cores))
        return self._child

    def _tell(self, child: subprocess.Popen[bytes], message: Message) -> None:
        with suppress(OSError, ValueError):  # it died: whoever listens to it finds out
            stream: IO[bytes] | None = child.stdin
            if stream is not None:
                send(stream, message)

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        """Pass on what the process says, until it ends; then give back what it had."""
        assert child.stdout is not None
        try:
            while True:
                self._hear(receive(child.stdout))
        except (EOFError, OSError):
            pass
        code = child.wait()
        with self._lock:
            if self._child is not child:
                return
            lost, self._sent = self._sent, {}
            begun, self._begun = self._begun, set()
            if not self._ready.is_set():
                self._refusal = f"its process ended ({_fate(code)}) while it was loading"
                self._ready.set()
        for name, reply in lost.items():
            trouble = Trouble.LOST if name in begun else Trouble.AWAY
            reply(Reply(name, trouble=trouble, why=f"its process ended ({_fate(code)})"))

    def _hear(self, message: Message) -> None:
        match message:
            case ("ready", rate):
                self.sample_rate = rate
                self._ready.set()
            case ("refused", why):
                self._refusal = why
                self._ready.set()
                self._give_back(list(self._sent), Trouble.GONE, why)
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


def shared_out(cores: Sequence[int], members: int) -> list[tuple[int, ...]]:
    """The processor cores for each of so many members; with fewer cores than members each may use all."""
    if len(cores) < members:
        return [()] * members
    return [tuple(cores[number::members]) for number in range(members)]


def _fate(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


class Processes(Pool):
    """A pool of processes with the same engine."""

    def __init__(self, one: Engine, members: Sequence[Process]) -> None:
        """`one` is an engine of the same kind, not prepared: it says what they all are."""
        super().__init__(
            name=one.name,
            members=members,
            abilities=one.abilities,
            fingerprint=one.fingerprint,
            sample_rate=one.sample_rate,
            check_voice=one.check,
        )

    def prepare(self, voice: Voice, clock: Clock) -> None:
        super().prepare(voice, clock)
        rates = {member.sample_rate for member in self.members if isinstance(member, Process)} - {None}
        if len(rates) > 1:
            raise NarrateError(f"The processes speak at different sample rates: {rates}. This is a defect.")
        self.sample_rate = next(iter(rates), self.sample_rate)
