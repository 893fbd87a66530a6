"""Actors of a Ray cluster as members of a pool: `-e ray[:ADDRESS][,workers=N][,engine=SPEC]`.

Each actor has a GPU, or a processor core where the cluster has no GPU, and holds the engine from its start to its end.
An actor that is lost, with its machine perhaps, gives its requests back; another takes its place as soon as the cluster
has room for one. So machines may come and go while a book is read. Why actors: their weights are loaded once, and the
requests of an ear can go before those of a file, which a stream of data through Ray Data would not allow.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from narrate import __version__
from narrate.clock import Clock
from narrate.engines import Engine
from narrate.engines.batched import Rows
from narrate.engines.members import STARTS_AT_MOST, WorkerMember
from narrate.engines.pool import FIRST_REST_SECONDS
from narrate.engines.processes import Workers
from narrate.engines.worker import Message, Worker
from narrate.errors import EngineError, InputError
from narrate.pipeline import Background
from narrate.voice import Voice

_log = logging.getLogger(__name__)

MOST_WORKERS = 4096
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 20.0  # after so long without a first actor the listener is told what is waited for


class Actor:
    """What runs in the cluster: a worker, told and heard by calls. Calls may overtake one another, so messages to it
    are numbered."""

    def __init__(self, version: str) -> None:
        self._told: SimpleQueue[Message] = SimpleQueue()
        self._said: SimpleQueue[Message] = SimpleQueue()
        self._early: dict[int, Message] = {}
        self._next = 0
        if version != __version__:
            self._said.put(("refused", f"narrate {__version__} is installed there, and {version} here"))
            return
        Background(Worker(self._told.get, self._said.put).run, "narrate-worker")

    def tell(self, number: int, data: bytes) -> None:
        self._early[number] = pickle.loads(data)
        while self._next in self._early:
            self._told.put(self._early.pop(self._next))
            self._next += 1

    def hear(self) -> bytes:
        """What the worker has said, pickled here: sound then comes as an array of the driver's own, which holds no
        memory of the cluster."""
        found = [self._said.get()]
        with suppress(Empty):
            while True:
                found.append(self._said.get_nowait())
        return pickle.dumps(found, pickle.HIGHEST_PROTOCOL)


class Call:
    """A `Line` to an actor, which is started when there is room for it."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        import ray

        # One thread for what is told and one for what is heard: neither waits for the other.
        kind = ray.remote(concurrency_groups={"mouth": 1, "ear": 1})(Actor)
        self._actor = kind.options(**resources, max_restarts=0).remote(__version__)
        self._numbers = itertools.count()

    @property
    def actor(self) -> Any:
        return self._actor

    def tell(self, message: Message) -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._actor.tell.options(concurrency_group="ear").remote(next(self._numbers), data)

    def hear(self) -> list[Message]:
        import ray

        try:
            found: list[Message] = pickle.loads(ray.get(self._actor.hear.options(concurrency_group="mouth").remote()))
        except ray.exceptions.RayError as error:
            with suppress(Exception):  # unreachable is as good as dead, and must not live on beside the next one
                ray.kill(self._actor)
            raise EOFError(_fate(error)) from None
        return found

    def close(self) -> None:
        import ray

        with suppress(Exception):
            ray.kill(self._actor)


class RayWorkers(Workers):
    """`workers` actors with the engine that `spec`, `rows` and `options` name, in the cluster at `address`; None is one
    that runs here, or else a cluster of this machine alone. `workers` None: one for each GPU that the cluster has when
    the reading begins, or for each core. More of them than there is room for wait for machines to join.
    """

    def __init__(
        self,
        one: Engine,
        spec: str,
        rows: Rows,
        options: Mapping[str, object],
        *,
        address: str | None,
        workers: int | None,
        wants_gpu: bool,
    ) -> None:
        super().__init__(one, [])
        self._spec, self._rows, self._options = spec, rows, options
        self._address, self._count, self._wants_gpu = address, workers, wants_gpu
        self._started = False  # the cluster, by us
        self._closed = False

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Begin all actors, and wait for the first of them."""
        self._clock = clock
        if not self.workers:
            self._hire()
        for member in self.workers:
            if not member.ready:
                member.begin(voice, clock)
        self._wait_for_one(voice)
        self.sample_rate = next((each.sample_rate for each in self.workers if each.sample_rate), self.sample_rate)

    def close(self) -> None:
        self._closed = True
        super().close()
        if self._started:
            import ray

            self._started = False
            ray.shutdown()

    def _hire(self) -> None:
        """Join the cluster, and name the actors."""
        import ray

        if not ray.is_initialized():
            try:
                ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                why = " ".join(str(error).split())[:200]
                where = f"The Ray cluster at {self._address}" if self._address else "Ray"
                raise EngineError(f"{where} cannot be used: {why.rstrip('.')}.") from None
            self._started = True
        there = ray.cluster_resources()
        gpus = int(there.get("GPU", 0)) if self._wants_gpu else 0
        count = self._count or gpus or max(1, int(there.get("CPU", 1)))
        resources = {"num_gpus": 1, "num_cpus": 1} if gpus else {"num_cpus": 1}
        self.workers = [
            WorkerMember(f"actor {number}", lambda: Call(resources), self._spec, self._rows, self._options)
            for number in range(1, count + 1)
        ]
        self.put(self.workers)

    def _wait_for_one(self, voice: Voice) -> None:
        began, said, starts = time.monotonic(), False, 1
        while not any(member.ready for member in self.workers):
            if self._closed:
                raise EngineError("The reading was stopped.")
            failed = [member for member in self.workers if member.refusal]
            if len(failed) == len(self.workers):
                if starts == STARTS_AT_MOST or all(member.refused for member in failed):
                    raise EngineError(f"No actor could begin: {failed[0].refusal}")
                time.sleep(FIRST_REST_SECONDS * 2**starts)  # the cluster may not know yet that a machine has left it
                starts += 1
                for member in failed:
                    member.begin(voice, self._clock)
            if not said and time.monotonic() - began > PATIENCE_SECONDS:
                _log.warning("The Ray cluster has no room yet for an actor, or it is still loading the voice.")
                said = True
            time.sleep(LOOK_SECONDS)


def parse(text: str) -> tuple[str | None, int | None, str]:
    """Address, number of workers and engine of "host:6379,workers=4,engine=qwen". What follows "engine=" is all of it,
    commas too. Raises InputError."""
    head, _, spec = text.partition("engine=")
    address, workers = None, None
    for item in filter(None, head.rstrip(",").split(",")):
        key, equals, value = item.partition("=")
        if key == "workers" and equals:
            if not value.isdigit() or not 1 <= int(value) <= MOST_WORKERS:
                raise InputError(f"-e ray takes workers=1 to workers={MOST_WORKERS}, not {value or 'none'}.")
            workers = int(value)
        elif not equals and address is None:
            address = item
        else:
            raise InputError(f"-e ray has no option '{key}'. Write -e ray:ADDRESS,workers=4,engine=espeak.")
    return address, workers, spec or "qwen"


def _fate(error: Exception) -> str:
    import ray

    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return "it cannot be reached"
    if isinstance(error, ray.exceptions.RayTaskError):
        return "its actor failed"
    return "its actor or its machine was lost"
