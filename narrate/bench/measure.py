"""One pass over a text, measured: the same narrator and player as for a listener, with a recorder and another sink."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from narrate.bench import machine
from narrate.bench.listener import Gap, Listener, NullSink, Paced
from narrate.clip import Clip
from narrate.clock import Recorder, Simulated
from narrate.engines import Engine
from narrate.engines.batched import Batched
from narrate.engines.choose import choose_engine
from narrate.engines.planner import Planner
from narrate.engines.table import engine_lengths, engine_name, find_engine, load_engine
from narrate.errors import EngineError, InputError
from narrate.pipeline import LazyList
from narrate.playback.player import Player
from narrate.sinks.wav import HEADER
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.store.takes import Takes
from narrate.synthesis.narrator import Narrator
from narrate.synthesis.stats import Stats
from narrate.text.book import Book, TextOptions, open_book
from narrate.text.document import Chunk
from narrate.voice import Voice

PHRASES_BYTES = 8 << 20  # takes in memory for sentences that come again, as while writing a file
WARMING = 3600.0  # seconds of sound before growth of memory is taken for a leak
SETTLING = 0.2  # of a run: caches fill, memory grows, and that is as it should be


@dataclass(slots=True)
class Workload:
    """A text and the engine that reads it, loaded once and kept between runs.

    `batched` is the same engine if it works in batches: its planner can be exchanged.
    """

    source: str
    engine: Engine
    batched: Batched | None
    spec: str
    voice: Voice
    text: TextOptions
    simulated: Simulated | None = None

    @property
    def name(self) -> str:
        return Path(self.source).name

    @property
    def rows(self) -> int | None:
        """How many chunks a batch has at most; None for an engine that makes no batches."""
        return self.batched.planner.rows if self.batched else None

    def recorder(self) -> Recorder:
        return Recorder(self.simulated.now if self.simulated else time.perf_counter)

    def script(self, book: Book, recorder: Recorder) -> LazyList[Chunk]:
        """The chunks of the book as this engine gets them."""
        return LazyList(recorder.each("chunk", book.script(engine_lengths(self.engine.name)).since(0)))

    def key(self) -> Callable[[Chunk], str]:
        return partial(take_key, self.engine.fingerprint, self.voice, uses_seed=self.engine.abilities.uses_seed)


def open_workload(
    source: str, spec: str, text: TextOptions, *, simulate: bool = False, rows: int | None = None
) -> Workload:
    """Raises `InputError` for a text or an engine that cannot be measured."""
    if source == "-":
        raise InputError("A benchmark reads its text again and again: name a file, not standard input.")
    book = open_book(source, text)
    if spec == "auto":
        spec = choose_engine(book.language).name
    simulated = Simulated() if simulate else None
    options: dict[str, object] = {}
    if simulated is not None:
        if not spec.startswith("tone"):
            raise InputError(f"Only the tone engine's time can be simulated, not that of {spec}: add -e tone:rtf=0.4")
        options["sleep"] = simulated.sleep
    engine = load_engine(spec, rows=rows, **options)
    voice = Voice(language=book.language)
    engine.check(voice)
    batched = cast(Batched, engine) if find_engine(engine_name(spec)).batches else None
    return Workload(source, engine, batched, spec, voice, text, simulated)


@dataclass(frozen=True, slots=True)
class Batch:
    """What an engine did at once: the seconds of sound of each row, and the wall seconds it took."""

    rows: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one pass. Seconds are of wall time unless they are of `speech` (what was made, without pauses) or
    `sound` (what is heard, with them). `elapsed` is the time until the last clip was ready, `wall` that less the
    waiting for room. `complete` is False if it was broken off."""

    complete: bool
    elapsed: float
    wall: float
    speech: float
    sound: float
    first: float | None
    gaps: tuple[Gap, ...]
    played_gaps: tuple[float, ...] | None
    made: int
    reused: int
    retaken: int
    failed: int
    memory: tuple[tuple[float, int], ...]  # seconds of sound so far, bytes
    gpu_megabytes: float | None
    gpu_busy: float | None
    stages: Mapping[str, Sequence[float]]
    levels: tuple[tuple[float, float], ...]
    batches: tuple[Batch, ...]

    @property
    def rtf(self) -> float | None:
        """Wall seconds per second of speech."""
        return self.wall / self.speech if self.speech else None

    @property
    def silence(self) -> float:
        return sum(gap.seconds for gap in self.gaps)

    @property
    def peak_bytes(self) -> int | None:
        return max((used for _, used in self.memory), default=None)

    @property
    def growth(self) -> float | None:
        """Bytes per hour of sound, once things have settled; None for short runs."""
        return growth(self.memory)

    @property
    def padding(self) -> float | None:
        """The share of all rows' time that was spent waiting for the longest row of the batch; None if unknown."""
        whole = sum(len(batch.rows) * max(batch.rows) for batch in self.batches)
        return 1 - sum(sum(batch.rows) for batch in self.batches) / whole if whole else None


def growth(memory: Sequence[tuple[float, int]]) -> float | None:
    """By how much the use of memory (at seconds of sound) grows per hour, by the line that fits best."""
    import numpy as np

    end = memory[-1][0] if memory else 0.0
    settled = [(at, used) for at, used in memory if at >= SETTLING * end]
    if end < WARMING or len(settled) < 3:
        return None
    seconds, used = np.array(settled, dtype=float).T
    return float(np.polyfit(seconds / 3600, used, 1)[0])


@dataclass(slots=True)
class _Watch:
    """What is noted about every clip that is ready."""

    listener: Listener
    told: Callable[[float], object]
    keep: Callable[[Clip], object]
    sound: float = 0.0
    last: float = 0.0
    seconds: dict[int, float] = field(default_factory=dict)  # of sound, by chunk
    memory: list[tuple[float, int]] = field(default_factory=list)

    def __call__(self, clip: Clip) -> None:
        self.listener.hear(clip)
        self.keep(clip)
        self.last = self.listener.now()
        self.sound += clip.seconds + (clip.chunk.pause if clip.final else 0.0)
        self.seconds[clip.index] = self.seconds.get(clip.index, 0.0) + clip.seconds
        if (used := machine.memory_bytes()) is not None:
            self.memory.append((self.sound, used))
        self.told(self.sound)


def run(
    workload: Workload,
    planner: Planner | None = None,
    *,
    play: bool = False,
    buffered: Callable[[], float] | None = None,
    takes: Takes | None = None,
    keep: Callable[[Clip], object] = lambda _: None,
    told: Callable[[float], object] = lambda _: None,
) -> Run:
    """Read the whole text once; Ctrl-C breaks it off. The planner is a new one, unless one is given.

    `play`: at the pace of a loudspeaker, else as fast as it goes, for a listener who is imagined (or `buffered`, see
    `Player`). `keep` gets every clip as it is ready, `told` the seconds of sound so far.
    """
    recorder = workload.recorder()
    if workload.batched is not None:
        workload.batched.planner = planner or Planner(workload.batched.planner.rows)
    listener = Listener(recorder.now)
    watch = _Watch(listener, told, keep)
    narrator = Narrator(
        workload.engine,
        workload.voice,
        MemoryTakes(PHRASES_BYTES) if takes is None else takes,
        workload.key(),
        clock=recorder,
        ready=watch,
    )
    script = workload.script(open_book(workload.source, workload.text, recorder), recorder)
    paced = Paced(recorder.now, time.sleep) if play else None
    sink = paced or NullSink()
    player = Player(script, narrator, [lambda _: sink], listening=play)
    if not play:
        player.buffered = buffered or listener.buffered
    with machine.Gpu() as gpu:
        listener.started = recorder.now()
        complete = _play(player, workload.simulated)
    return _outcome(complete, recorder, listener, watch, narrator.stats, gpu, paced)


def _play(player: Player, simulated: Simulated | None) -> bool:
    """True if it came to the end."""
    try:
        if simulated is None:
            player.play()
        else:
            _play_here(player, simulated)
    except KeyboardInterrupt:
        return False
    return True


def _play_here(player: Player, simulated: Simulated) -> None:
    """As `player.play()`, without its thread: only one may turn the hands of a simulated clock."""
    buffered = player.buffered or (lambda: 0.0)
    for _ in player.narrator.clips(player.script.since(0), buffered=buffered):
        simulated.sleep(max(0.0, buffered() - player.ahead_seconds) if buffered() < inf else 0.0)


def _outcome(
    complete: bool,
    recorder: Recorder,
    listener: Listener,
    watch: _Watch,
    stats: Stats,
    gpu: machine.Gpu,
    paced: Paced | None,
) -> Run:
    waited = sum(recorder.stages.get("room wait", [])[:-1])  # the last wait is after the last clip
    batches = [Batch(tuple(watch.seconds.get(at, 0.0) for at in indexes), took) for indexes, took in recorder.batches]
    return Run(
        complete=complete,
        elapsed=max(0.0, watch.last - listener.started),
        wall=max(0.0, watch.last - listener.started - waited),
        speech=stats.made_seconds,
        sound=watch.sound,
        first=listener.first,
        gaps=tuple(listener.gaps),
        played_gaps=tuple(paced.silences) if paced else None,
        made=stats.made,
        reused=stats.reused,
        retaken=stats.retaken,
        failed=len(stats.failed),
        memory=tuple(watch.memory),
        gpu_megabytes=max(gpu.megabytes, default=None),
        gpu_busy=sum(gpu.busy) / len(gpu.busy) if gpu.busy else None,
        stages=recorder.stages,
        levels=tuple(listener.levels),
        batches=tuple(batch for batch in batches if sum(batch.rows)),
    )


def warm_up(workload: Workload) -> float:
    """Let the engine say the first chunk, as it is never so slow again; the seconds that takes."""
    recorder = workload.recorder()
    script = workload.script(open_book(workload.source, workload.text), recorder)
    chunk = script.get(0)
    if chunk is None:
        raise InputError(f"{workload.source} has nothing to say.")
    start = recorder.now()
    narrator = Narrator(workload.engine, workload.voice, MemoryTakes(PHRASES_BYTES), workload.key(), clock=recorder)
    for _ in narrator.clips([replace(chunk, index=0)]):
        pass
    return recorder.now() - start


def cold_start(workload: Workload) -> float:
    """Seconds from the start of a fresh `narrate` to the first sample it sends to a program that listens to it."""
    with TemporaryDirectory() as home:
        command = [sys.executable, "-m", "narrate", workload.source, "-e", workload.spec, "-o", "-", "--no-store", "-q"]
        if workload.text.language:
            command += ["--lang", workload.text.language]
        if workload.text.chapters:
            command += ["--chapters", workload.text.chapters]
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "NARRATE_HOME": home})
        assert child.stdout is not None
        try:
            heard = len(child.stdout.read(HEADER + 2)) == HEADER + 2
            seconds = time.perf_counter() - start
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if not heard:
            raise EngineError(f"`{' '.join(command[1:])}` made no sound.")
        return seconds
