"""Processes of this machine as members of a pool, each with a GPU or some processor cores of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from narrate.clock import Clock
from narrate.engines import Engine
from narrate.engines.members import WorkerMember
from narrate.engines.pool import Pool
from narrate.engines.worker import Message, receive, send
from narrate.errors import NarrateError
from narrate.voice import Voice

END_SECONDS = 2.0


class Child:
    """A `Line` to a child process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "narrate.engines.worker"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, message: Message) -> None:
        assert self._child.stdin is not None
        with suppress(OSError, ValueError):
            send(self._child.stdin, message)

    def hear(self) -> list[Message]:
        assert self._child.stdout is not None
        try:
            return [receive(self._child.stdout)]
        except (EOFError, OSError, ValueError):
            raise EOFError(_fate(self._child.wait())) from None

    def close(self) -> None:
        assert self._child.stdin is not None
        with suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def shared_out(cores: Sequence[int], members: int) -> list[tuple[int, ...]]:
    """The processor cores for each of so many members; with fewer cores than members each may use all."""
    if len(cores) < members:
        return [()] * members
    return [tuple(cores[number::members]) for number in range(members)]


def _fate(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


class Workers(Pool):
    """A pool of workers with the same engine."""

    def __init__(self, one: Engine, members: Sequence[WorkerMember]) -> None:
        """`one` is an engine of the same kind, not prepared: it says what they all are."""
        self.workers = members
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
        rates = {member.sample_rate for member in self.workers} - {None}
        if len(rates) > 1:
            raise NarrateError(f"The members speak at different sample rates: {rates}. This is a defect.")
        self.sample_rate = next(iter(rates), self.sample_rate)
