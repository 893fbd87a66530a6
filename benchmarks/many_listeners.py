"""Many listeners at one engine, in simulated time: `python benchmarks/many_listeners.py`.

The engine is the test signal with a cost, in batches and in slots that are filled again. Its cost is set so that the
listeners together hear a given share of what it can make. Who is next is decided by the same `Schedule` as in the
server; the threads around it are left out, so that every figure is exact. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from narrate.bench.listener import Listener
from narrate.clip import Clip
from narrate.clock import Clock, Simulated
from narrate.engines import Engine, Request
from narrate.engines.batched import Batched
from narrate.engines.tone import Tone, ToneStream
from narrate.pace import chunk_seconds
from narrate.synthesis.load import Meter
from narrate.synthesis.schedule import Asked, Job, Reading, Schedule
from narrate.text.document import Chunk
from narrate.voice import Voice

AHEAD_SECONDS = 120.0  # of sound that a reading makes before it is heard, as the player does
RATE = 100  # Hz: the samples do not matter here
PIECE = 0.32  # seconds of a round of the engine with slots, as of Qwen3-TTS
ROOM_SHARE = 0.9
WARM_SECONDS = 30.0


class SimulatedClock(Clock):
    def __init__(self, time: Simulated) -> None:
        self._time = time

    def now(self) -> float:
        return self._time.now()


@dataclass(slots=True)
class Machine:
    """An engine with `rows` at once; costs in seconds as of the test signal, all times `cost`."""

    kind: str
    rows: int
    a: float
    b: float
    c: float
    cost: float = 1.0

    def engine(self, time: Simulated) -> Engine:
        costs: dict[str, Any] = {"a": self.a * self.cost, "b": self.b * self.cost, "c": self.c * self.cost}
        if self.kind == "slots":
            return ToneStream(rate=RATE, sleep=time.sleep, slots=self.rows, piece=PIECE, **costs)
        return Batched(Tone(rate=RATE, sleep=time.sleep, **costs), self.rows)


def machine(kind: str, listeners: int) -> Machine:
    """An engine of a size that suits so many listeners: as many rows, up to what a large GPU takes."""
    if kind == "slots":
        return Machine(kind, max(1, min(64, listeners // 3)), a=0.02, b=0.0, c=0.001)
    return Machine(kind, max(1, min(10, listeners)), a=0.2, b=0.1, c=0.01)


def a_book(number: int, chunks: int, first: int = 0) -> list[Chunk]:
    """Sentences of 1 to 12 s, of 5 s on the average, and pauses of 0.3 s."""
    luck = random.Random(number)
    book = []
    for index in range(first, first + chunks):
        words = 1 + min(30, round(luck.lognormvariate(2.3, 0.6)))
        text = " ".join(f"b{number}" for _ in range(words)) + f" and {index} and so on."
        book.append(
            Chunk(
                index=index, chapter=1, title="", text=text, spoken=text, language="en", pause=0.3, start=0, end=0,
                paragraph=0,
            )
        )  # fmt: skip
    return book


@dataclass(slots=True, eq=False)
class Reader:
    """A reading without a thread: it hands over as much as it may, and hears what it gets, in order."""

    book: Sequence[Chunk]
    arrives: float
    listens: bool
    number: int
    now: Callable[[], float]
    reading: Reading | None = None
    listener: Listener | None = None
    refused: bool = False
    made: float = 0.0
    full: bool = False
    _next: int = 0
    _due: int = 0
    _offsets: dict[int, float] = field(default_factory=dict)
    _offset: float = 0.0
    _early: dict[int, list[Clip]] = field(default_factory=dict)
    _out: dict[int, float] = field(default_factory=dict)
    _heard: dict[int, float] = field(default_factory=dict)

    def arrive(self, reading: Reading) -> None:
        self.reading, self.listener, self._due = reading, Listener(self.now), self.book[0].index

    def buffered(self) -> float:
        assert self.listener is not None
        return self.listener.buffered()

    def ask(self, schedule: Schedule) -> None:
        assert self.reading is not None
        while not self.full and self._next < len(self.book) and (not self.listens or self.buffered() < AHEAD_SECONDS):
            if schedule.room(self.reading) <= 0:
                self.full = True
                break
            chunk = self.book[self._next]
            self._next += 1
            self._out[chunk.index] = self._offset
            self._offset += chunk_seconds(chunk) + chunk.pause
            schedule.add(self.reading, self._request(chunk), self.now())

    def _request(self, chunk: Chunk) -> Request:
        offset = self._out[chunk.index]

        def due() -> float:
            if not self.listens:
                return inf
            earlier = [index for index in self._out if index < chunk.index]
            missing = offset - min((self._out[index] for index in earlier), default=offset)
            return self.now() + self.buffered() + missing - sum(self._heard.get(index, 0.0) for index in earlier)

        return Request(f"{self.number}-{chunk.index}", chunk, Voice(), due=due)

    def take(self, clip: Clip) -> None:
        assert self.listener is not None
        self.made += clip.seconds
        self._heard[clip.index] = self._heard.get(clip.index, 0.0) + clip.seconds
        if clip.final:
            del self._out[clip.index], self._heard[clip.index]
        self._early.setdefault(clip.index, []).append(clip)
        while self._due in self._early:
            ready = self._early.pop(self._due)
            for each in ready:
                self.listener.hear(each)
            if not ready[-1].final:
                break
            self._due += 1


@dataclass(slots=True)
class Simulation:
    """The readers at an engine, for so many `seconds`. `admits`: listeners are refused as the exchange would."""

    engine: Engine
    time: Simulated
    readers: Sequence[Reader]
    seconds: float
    admits: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    meter: Meter = field(default_factory=Meter)
    here: dict[Reading, Reader] = field(default_factory=dict)
    _coming: list[Reader] = field(default_factory=list)

    def run(self) -> None:
        self.engine.prepare(Voice(), SimulatedClock(self.time))
        self._coming = sorted(self.readers, key=lambda reader: reader.arrives)
        self.seconds += self.time.now()
        for reader in self.readers:
            reader.arrives += self.time.now()
        while self.time.now() < self.seconds:
            self.meter.works(self.time.now(), True)
            for clips in self.engine.synthesize(self._requests()):
                if clips:
                    self._deliver(clips)
            self.meter.works(self.time.now(), False)
            self.time.sleep(0.05)

    def _requests(self) -> Iterator[Request | None]:
        while self.time.now() < self.seconds:
            now = self.time.now()
            while self._coming and self._coming[0].arrives <= now:
                self._admit(self._coming.pop(0))
            for reader in self.here.values():
                reader.ask(self.schedule)
            job = self.schedule.next(now)
            yield None if job is None else self._wrapped(job)

    def _wrapped(self, job: Job) -> Request:
        return replace(
            job.request,
            due=lambda: self.schedule.due(job, self.time.now()),
            begin=lambda: self._begin(job),
        )

    def _begin(self, job: Job) -> bool:
        for asked in job.asked.values():
            self.here[asked.reading].full = False
        return self.schedule.begin(job, self.time.now())

    def _admit(self, reader: Reader) -> None:
        heard = len(self.schedule.ears(self.time.now())) + 1
        capacity = self.meter.capacity
        if self.admits and reader.listens and capacity is not None and heard > ROOM_SHARE * capacity:
            reader.refused = True
            return
        reading = self.schedule.open()
        self.here[reading] = reader
        reader.arrive(reading)

    def _deliver(self, clips: list[Clip]) -> None:
        now = self.time.now()
        self.meter.made(now, sum(clip.seconds for clip in clips), full=self.schedule.was_full())
        self.schedule.capacity = self.meter.capacity
        answers: list[tuple[Asked, Clip]] = self.schedule.answer(clips, now)
        for asked, clip in answers:
            self.here[asked.reading].take(clip)
            if clip.final:
                self.schedule.settle([asked.request.id])


def ears(count: int, apart: float, time: Simulated, chunks: int = 60) -> list[Reader]:
    return [Reader(a_book(number, chunks), apart * number, True, number, time.now) for number in range(count)]


def files(numbers: Sequence[int], time: Simulated, chunks: int = 3000) -> list[Reader]:
    return [Reader(a_book(number, chunks, 2000 * (number % 7)), 0.0, False, number, time.now) for number in numbers]


def capacity(given: Machine, listeners: int, seconds: float = 40.0) -> float:
    """Seconds of sound a second, if far too many listen."""
    time = Simulated()
    readers = ears(max(8, 3 * listeners // 2), 0.0, time)
    simulation = Simulation(given.engine(time), time, readers, seconds)
    simulation.run()
    return sum(reader.made for reader in readers) / time.now()


def loaded(kind: str, listeners: int, share: float) -> Machine:
    """An engine of which so many listeners want that share."""
    given = machine(kind, listeners)
    for _ in range(2):
        given.cost *= capacity(given, listeners) * share / listeners
    return given


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def row(simulation: Simulation, **about: Any) -> dict[str, Any]:
    listening = [each for each in simulation.readers if each.listens and each.listener is not None]
    firsts = [each.listener.first if each.listener.first is not None else inf for each in listening]  # type: ignore
    gaps = [len(each.listener.gaps) for each in listening]  # type: ignore[union-attr]
    silence = [sum(gap.seconds for gap in each.listener.gaps) for each in listening]  # type: ignore[union-attr]
    made = [each.made for each in simulation.readers if not each.listens]
    return {
        **about,
        "heard": len(listening),
        "refused": sum(each.refused for each in simulation.readers),
        "first_p50": statistics.median(firsts),
        "first_p95": percentile(firsts, 0.95),
        "with_gaps": sum(map(bool, gaps)),
        "gaps": sum(gaps),
        "silence": sum(silence),
        "first_with_gaps": next((number for number, count in enumerate(gaps) if count), None),
        "files": [round(each, 1) for each in made],
        "rate": simulation.meter.sound.rate,
        "capacity": simulation.meter.capacity,
    }


def crowd(kind: str, listeners: int, share: float, *, apart: float = 0.0, seconds: float = 300.0,
          admits: bool = False, with_files: int = 0) -> dict[str, Any]:  # fmt: skip
    """So many listeners, one after the other so many seconds `apart`."""
    given = loaded(kind, listeners, share)
    time = Simulated()
    engine = given.engine(time)
    Simulation(engine, time, files((900,), time, 400), WARM_SECONDS).run()  # it has learned what its work costs
    readers = [*ears(listeners, apart, time), *files(range(500, 500 + with_files), time)]
    simulation = Simulation(engine, time, readers, seconds, admits)
    simulation.run()
    return row(simulation, kind=kind, listeners=listeners, share=share, apart=apart, admits=admits, rows=given.rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of simulated time")
    parser.add_argument("--kinds", default="batches,slots")
    parser.add_argument("--listeners", default="1,10,50,100")
    parser.add_argument("--crowds", action="store_true", help="too many listeners, and files beside listeners")
    given = parser.parse_args()
    rows = []
    print("| engine | rows | listeners | of what it makes | apart, s | heard | refused | first sound P50, s | P95, s "
          "| with gaps | gaps | silence, s | the first with gaps | files, s of sound |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for kind in given.kinds.split(","):
        plans: list[dict[str, Any]] = []
        for count in map(int, given.listeners.split(",")):
            plans += [{"listeners": count, "share": 0.9}, {"listeners": count, "share": 0.9, "apart": 30.0 / count}]
        if given.crowds:
            plans += [{"listeners": 20, "share": 1.2, "apart": 1.0, "admits": admits} for admits in (False, True)]
            plans.append({"listeners": 5, "share": 0.5, "with_files": 2})
        for plan in plans:
            rows.append(one := crowd(kind, seconds=given.seconds, **plan))
            shown = [one["rows"], one["listeners"], f"{one['share']:.0%}", f"{one['apart']:.1f}", one["heard"]]
            shown += [one["refused"], f"{one['first_p50']:.2f}", f"{one['first_p95']:.2f}", one["with_gaps"]]
            shown += [one["gaps"], f"{one['silence']:.1f}", one["first_with_gaps"], " ".join(map(str, one["files"]))]
            print(f"| {kind} | {' | '.join(map(str, shown))} |", flush=True)
    finite = [{name: None if value == inf else value for name, value in one.items()} for one in rows]
    print(json.dumps({"bench": "many_listeners", "rows": finite}))


if __name__ == "__main__":
    main()
