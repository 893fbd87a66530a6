"""How far a fleet goes, on paper: `python -m benchmarks.fleet [--workers 1,8,64,512] [--clips 400]`.

The pool itself hands out the requests; its members and the time are simulated, so nothing waits. A member has 64 slots
and takes a + c × rows seconds for a frame of 80 ms of each row. Once all is well; once with network latencies, one
member in twenty at half speed, one call in a hundred failing, and members that die and load again. For each number of
members: the time for a book of ten hours and for a thousand of them, and the share of all members' speed that is used.

Then what the driver does for each clip, measured for real in processor time: to judge, trim, keep and write it, and to
hand it out. Where that takes longer than a fleet takes to make the clip, one driver ends. Two tables, then one line of
JSON.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import random
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path

import numpy as np

from narrate.bench.machine import commit, describe
from narrate.clip import Clip, Samples
from narrate.clock import Clock
from narrate.engines import Abilities, Request
from narrate.engines.pool import Pool, Reply, Trouble
from narrate.pipeline import LazyList
from narrate.playback.player import Player
from narrate.sinks import open_sink
from narrate.store.store import Store
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk
from narrate.voice import Voice

SLOTS = 64
FRAME = 0.08  # seconds of sound in a round, for each row
A, C = 0.020, 0.0004  # seconds of a round: so 64 rows make 112 seconds of sound in one, and a row alone 3.9
FULL = SLOTS * FRAME / (A + C * SLOTS)  # seconds of sound in a second
BOOK_SECONDS, BOOKS = 36_000.0, 1000
CHUNK_SECONDS = 7.0
LATENCY = 0.04  # seconds, the mean of there and back each
SLOW_SHARE, FAIL_SHARE = 0.05, 0.01
LIFE_SECONDS, LOADING_SECONDS = 7200.0, 120.0
FILLINGS = 3  # times that all slots are filled, to learn the speed that is held
RATE = 100  # Hz: what the simulated clips are made of does not matter


@dataclass
class World(Clock):
    """The time, and what happens when."""

    time: float = 0.0
    said: int = 0  # replies so far
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)

    def now(self) -> float:
        return self.time

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), what))

    def go_on(self, seconds: float = 0.02) -> None:
        """Until somebody has said something, and a little longer, as a driver at work looks at several at once."""
        before, until = self.said, inf
        while self._events and self._events[0][0] <= until:
            self.time, _, what = heapq.heappop(self._events)
            what()
            if self.said > before and until == inf:
                until = self.time + seconds
        self.time = max(self.time, until) if until < inf else self.time + seconds


@dataclass
class Faults:
    """What goes wrong, as shares and mean seconds."""

    latency: float = 0.0
    slow: float = 0.0
    fail: float = 0.0
    life: float = inf


@dataclass(eq=False)
class Simulated:
    """A `Member` whose rows share its rounds: `_done` is how much sound each row that was there all the time has."""

    name: str
    world: World
    faults: Faults
    luck: random.Random
    seconds: dict[str, float]
    slots: int = SLOTS
    _rows: dict[str, tuple[Request, Callable[[Reply], object]]] = field(default_factory=dict)
    _travelling: int = 0
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _done: float = 0.0
    _at: float = 0.0
    _version: int = 0
    _pace: float = 1.0

    def __post_init__(self) -> None:
        self._pace = 0.5 if self.luck.random() < self.faults.slow else 1.0
        self._live()

    @property
    def running(self) -> int:
        return len(self._rows) + self._travelling

    def prepare(self, voice: Voice, clock: Clock) -> None: ...

    def cancel(self, ids: Collection[str]) -> None: ...

    def close(self) -> None: ...

    def send(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> None:
        self._travelling += 1
        self.world.at(self.world.time + self._latency(), lambda: self._arrive(request, reply))

    def _latency(self) -> float:
        return self.luck.expovariate(1 / self.faults.latency) if self.faults.latency else 0.0

    def _live(self) -> None:
        if self.faults.life < inf:
            self.world.at(self.world.time + self.luck.expovariate(1 / self.faults.life), self._die)

    def _die(self) -> None:
        self._pass()
        lost, self._rows, self._ends = self._rows, {}, []
        self._version += 1
        self.slots = 0
        for request, reply in lost.values():
            self._say(reply, Reply(request.id, trouble=Trouble.LOST, why="it died"))
        self.world.at(self.world.time + LOADING_SECONDS, self._live_again)

    def _live_again(self) -> None:
        self.slots = SLOTS
        self._live()

    def _arrive(self, request: Request, reply: Callable[[Reply], object]) -> None:
        self._travelling -= 1
        if not self.slots:
            self._say(reply, Reply(request.id, trouble=Trouble.AWAY, why="it died"))
            return
        self._pass()
        self._rows[request.id] = request, reply
        heapq.heappush(self._ends, (self._done + self.seconds[request.id], request.id))
        self._plan()

    def _speed(self) -> float:
        return self._pace * FRAME / (A + C * len(self._rows))

    def _pass(self) -> None:
        """Let the rows have the sound of the time since the last look."""
        if self._rows:
            self._done += (self.world.time - self._at) * self._speed()
        self._at = self.world.time

    def _plan(self) -> None:
        self._version += 1
        if self._ends:
            when = self.world.time + max(0.0, self._ends[0][0] - self._done) / self._speed()
            self.world.at(when, partial(self._end, self._version))

    def _end(self, version: int) -> None:
        if version != self._version:
            return
        self._pass()
        _, name = heapq.heappop(self._ends)
        request, reply = self._rows.pop(name)
        if self.luck.random() < self.faults.fail:
            answer = Reply(name, trouble=Trouble.LOST, why="the call failed")
        else:
            answer = Reply(name, (request.clip(np.zeros(1, np.float32), RATE),))
        self.world.at(self.world.time + self._latency(), lambda: self._say(reply, answer))
        self._plan()

    def _say(self, reply: Callable[[Reply], object], answer: Reply) -> None:
        self.world.said += 1
        reply(answer)


def chunks(count: int) -> list[Chunk]:
    text = "The keeper went down to the harbour before the tide had turned, and he came back with nothing at all."
    return [Chunk(number, 1, "", text, text, "en", 0.3, 0, 0) for number in range(count)]


@dataclass(frozen=True)
class Outcome:
    """Seconds until the last clip, sound a second in the middle half of them, and processor seconds of the pool."""

    seconds: float
    rate: float
    driver_seconds: float
    failed: int


def simulate(workers: int, sound_seconds: float, faults: Faults, seed: int = 1) -> Outcome:
    """A text of so much sound by so many members."""
    luck, world = random.Random(seed), World()
    lengths: dict[str, float] = {}
    asked: list[Request] = []
    for chunk in chunks(round(sound_seconds / CHUNK_SECONDS)):
        lengths[str(chunk.index)] = min(20.0, max(1.0, luck.lognormvariate(np.log(CHUNK_SECONDS) - 0.08, 0.4)))
        asked.append(Request(str(chunk.index), chunk, Voice()))
    members = [Simulated(str(number), world, faults, luck, lengths) for number in range(workers)]
    pool = Pool("simulated", members, Abilities(frozenset({"en"})), {}, RATE, lambda _: None)
    pool.prepare(Voice(), world)
    ended: list[tuple[float, float]] = []
    failed, spent, begin = 0, 0.0, time.process_time()
    for clips in pool.synthesize(iter(asked)):
        spent += time.process_time() - begin
        if not clips:
            world.go_on()
        for clip in clips:
            failed += clip.failure is not None
            ended.append((world.time, lengths[clip.request_id]))
        begin = time.process_time()
    assert len(ended) == len(asked)
    early, late = len(ended) // 4, 3 * len(ended) // 4
    sound = sum(seconds for _, seconds in ended[early:late])
    return Outcome(ended[-1][0], sound / max(1e-9, ended[late][0] - ended[early][0]), spent, failed)


def driver_seconds(count: int, folder: Path) -> dict[str, float]:
    """Processor seconds for a clip of 7 seconds that the driver judges, trims, keeps and writes, with a voice that
    costs nothing."""
    sound = 0.3 * np.sin(np.arange(int(CHUNK_SECONDS * 24_000)) / 20) + np.random.default_rng(1).normal(
        0, 0.01, int(CHUNK_SECONDS * 24_000)
    )
    engine = Instant(sound.astype(np.float32))
    found: dict[str, float] = {}
    for name in ("wav", "m4b"):
        with Store(folder / f"store-{name}") as store, store.for_book("a book", must_keep=True) as takes:
            script = LazyList(iter(chunks(count)))
            narrator = Narrator(engine, Voice(), takes, lambda chunk, name=name: f"b2:{chunk.index:040x}")
            begin = time.process_time()
            with closing(engine):
                Player(script, narrator, [partial(open_sink, folder / f"book.{name}")]).play()
            found[name] = (time.process_time() - begin) / count
    return found


class Instant:
    """An `Engine` that has its only sound at hand."""

    name, sample_rate, fingerprint = "instant", 24_000, {"engine": "instant"}
    abilities = Abilities(frozenset({"en"}))

    def __init__(self, sound: Samples) -> None:
        self._sound = sound

    def check(self, voice: Voice) -> None: ...

    def prepare(self, voice: Voice, clock: Clock) -> None: ...

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        for request in requests:
            if request is None:
                yield []
            elif request.begin():
                yield [request.clip(self._sound, 24_000)]

    def cancel(self, ids: Collection[str]) -> None: ...

    def close(self) -> None: ...


def row(workers: int, faults: Faults) -> dict[str, float]:
    """The time for a book, and for a thousand by the speed that is held while there is enough to do."""
    book = simulate(workers, BOOK_SECONDS, faults)
    clips = max(round(BOOK_SECONDS / CHUNK_SECONDS), FILLINGS * workers * SLOTS)
    many = simulate(workers, clips * CHUNK_SECONDS, faults)
    return {
        "workers": workers,
        "book_seconds": book.seconds,
        "book_share": BOOK_SECONDS / book.seconds / (workers * FULL),
        "books_hours": BOOKS * BOOK_SECONDS / many.rate / 3600,
        "books_share": many.rate / (workers * FULL),
        "pool_ms": 1000 * many.driver_seconds / clips,
        "failed": book.failed + many.failed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A fleet, simulated.")
    parser.add_argument("--workers", default="1,2,4,8,16,32,64,128,256,512")
    parser.add_argument("--clips", type=int, default=300)
    given = parser.parse_args()
    bad = Faults(LATENCY, SLOW_SHARE, FAIL_SHARE, LIFE_SECONDS)
    figures: dict[str, list[dict[str, float]]] = {"well": [], "faults": []}
    print("         ALL IS WELL                             WITH FAULTS")
    print("MEMBERS  BOOK       USED  1000 BOOKS     USED    BOOK       USED  1000 BOOKS     USED   POOL/CLIP")
    for workers in map(int, given.workers.split(",")):
        both = [row(workers, faults) for faults in (Faults(), bad)]
        for name, found in zip(figures, both, strict=True):
            figures[name].append({key: round(value, 4) for key, value in found.items()})
        cells = "    ".join(
            f"{found['book_seconds']:7.1f} s {found['book_share']:5.0%}  "
            f"{found['books_hours']:8.2f} h {found['books_share']:6.1%}"
            for found in both
        )
        print(f"{workers:7}  {cells}   {both[1]['pool_ms']:.2f} ms", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        driver = driver_seconds(given.clips, Path(folder))
    print()
    print("THE DRIVER, FOR A CLIP OF 7 s   PROCESSOR    CLIPS A SECOND    MEMBERS AT FULL SPEED")
    for name, seconds in driver.items():
        members = CHUNK_SECONDS / seconds / FULL
        print(f"judge, trim, keep, write {name}    {1000 * seconds:6.1f} ms    {1 / seconds:14.0f}    {members:10.1f}")
    machine = describe()
    more = {"driver_seconds": driver, "full": FULL, "commit": commit(), "processor": machine.processor}
    print(json.dumps({**figures, **more, "cores": machine.cores, "python": machine.python}))


if __name__ == "__main__":
    main()
