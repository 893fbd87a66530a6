"""`narrate bench`: how soon, how smoothly, how quickly, with how much memory; on the same path as for a listener.

measure.py listener.py machine.py    one pass over a text, measured
interrupt.py strategies.py quality.py    jumps; ways to make batches; how good the sound is
figures.py report.py compare.py      the numbers: as JSON, as tables, against earlier ones
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, TextIO

from narrate import __version__, streams
from narrate.bench import compare, figures, machine, measure, report
from narrate.bench.interrupt import Jumps, jump_about
from narrate.bench.measure import Run, Workload, open_workload
from narrate.bench.quality import Collector, judge
from narrate.bench.strategies import best_size, compare_sizes, compare_strategies, fit
from narrate.clock import hms
from narrate.engines.tuning import keep_batch_size
from narrate.errors import INTERRUPTED, InputError
from narrate.store.in_memory import MemoryTakes
from narrate.store.store import Store
from narrate.store.takes import Takes
from narrate.text.book import TextOptions
from narrate.text.characters import one_line

SAMPLES = ("lighthouse.en.txt", "umbrella.ja.txt", "well.zh.txt")
WORSE = 3  # exit code: measured to the end, and a figure is worse than in the earlier result


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What is to be measured: plain data from the command line. `source` None is the samples in three languages.

    `jumps` is how often to jump about, 0 for not at all. `voices` are compared in quality, besides the engine's own.
    `json` is a file for the line of JSON; "-" is standard output, which then has that line alone, and the tables go to
    standard error.
    """

    source: str | None = None
    engine: str = "auto"
    text: TextOptions = field(default_factory=TextOptions)
    repeat: int = 1
    batch_sizes: tuple[int, ...] = ()
    strategies: bool = False
    jumps: int = 0
    fit: bool = False
    quality: bool = False
    voices: tuple[str, ...] = ()
    play: bool = False
    simulate: bool = False
    store: Path | None = None
    json: Path | None = None
    against: Path | None = None


def bench(options: BenchOptions, stdout: TextIO = sys.stdout, stderr: TextIO = sys.stderr) -> int:
    """Measure, print tables and then one line of JSON. Ctrl-C ends the measuring, not the printing.

    Returns the exit code: 0, 3 if a figure is worse than in the result of `against`, 130 if it was broken off.
    """
    before = compare.load(options.against) if options.against else None
    if options.simulate and (options.play or options.jumps):
        raise InputError("Simulated time cannot be heard: leave out --simulate, or --play and --interrupt.")
    if options.simulate and options.engine.startswith("tone") and not _costs_something(options.engine):
        raise InputError(f"Simulated, {options.engine} takes no time at all: give it a cost, such as -e tone:rtf=0.4.")
    alone = options.json == Path("-")
    if (
        options.json is not None
        and not alone
        and (options.json.is_dir() or not options.json.absolute().parent.is_dir())
    ):
        raise InputError(f"{options.json} cannot be written: name a file in a folder that exists.")
    document = _blank()
    progress = _Progress(stderr)
    try:
        for source in [options.source] if options.source else _samples():
            _measure(source, options, document, progress)
        document["complete"] = all(text["complete"] for text in document["texts"])
    except KeyboardInterrupt:
        pass
    progress.clear()
    if before is not None:
        document["against"] = compare.against(before, document, str(options.against))
    tables = stderr if alone else stdout
    width = None if tables.isatty() else report.WIDTH
    report.show(document, streams.console(tables, width=width, highlight=False))
    line = json.dumps(document, ensure_ascii=False)
    print(line, file=stdout, flush=True)
    if options.json is not None and not alone:
        options.json.write_text(line + "\n", encoding="utf-8")
    if not document["complete"]:
        return INTERRUPTED
    return WORSE if document["against"] is not None and compare.is_worse(document["against"]) else 0


def _costs_something(spec: str) -> bool:
    """True if the test engine that `spec` names takes any time for its sound."""
    options = dict(part.partition("=")[::2] for part in spec.partition(":")[2].split(","))
    return any(options.get(name, "0").strip("0.") for name in ("a", "b", "c", "rtf"))


def _blank() -> dict[str, Any]:
    return {
        "schema": compare.SCHEMA,
        "narrate": __version__,
        "commit": machine.commit(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": sys.argv[1:],
        "machine": asdict(machine.describe()),
        "complete": False,
        "texts": [],
        "batch_sizes": None,
        "strategies": None,
        "fit": None,
        "interrupt": None,
        "quality": None,
        "against": None,
    }


def _samples() -> list[str]:
    here = Path(__file__).parents[1]
    for folder in (here / "samples", here.parent / "samples"):
        found = [str(folder / name) for name in SAMPLES if (folder / name).is_file()]
        if found:
            return found
    raise InputError("The samples did not come with this copy of narrate. Name a text: narrate bench BOOK")


def _measure(source: str, options: BenchOptions, document: dict[str, Any], progress: _Progress) -> None:
    """Everything that was asked for, on one text; the document is filled as it goes."""
    workload = open_workload(source, options.engine, options.text, simulate=options.simulate)
    with closing(workload.engine):
        _headline(workload, options, document, progress)
        where = {"name": workload.name, "engine": workload.spec}
        if options.strategies:
            part = document["strategies"] = {**where, "rows": []}
            for name, found in compare_strategies(workload, progress.part(workload)):
                part["rows"].append({"strategy": name, "figures": figures.of_run(found)})
                _unless_broken_off(found)
        sizes = options.batch_sizes or ((1, 2, 5, 10, 20) if options.fit else ())
        if sizes:
            _sizes(workload, sizes, options, document, progress)
        if options.jumps:
            jumps = Jumps()
            try:
                jump_about(workload, options.jumps, jumps, progress.part(workload))
            finally:
                document["interrupt"] = {**where, **{kind: _times(took) for kind, took in asdict(jumps).items()}}


def _headline(workload: Workload, options: BenchOptions, document: dict[str, Any], progress: _Progress) -> None:
    """From a cold start, then `repeat` times over with a warm engine."""
    cold: list[float] = []
    runs: list[Run] = []
    collector = Collector()
    for number in range(options.repeat if workload.simulated is None else 0):
        progress(f"{workload.name}: cold start {number + 1} of {options.repeat}")
        cold.append(measure.cold_start(workload))
    progress(f"{workload.name}: warming up")
    measure.warm_up(workload)
    try:
        for number in range(options.repeat):
            told = progress.run(workload, f"run {number + 1} of {options.repeat}")
            with _takes(options) as takes:
                keep = collector if options.quality and not number else lambda _: None
                runs.append(measure.run(workload, play=options.play, takes=takes, keep=keep, told=told))
            _unless_broken_off(runs[-1])
    finally:
        if runs:
            document["texts"].append(figures.of_text(workload, runs, cold))
    if options.quality:
        _judge(workload, "", collector, document, progress)
        for voice in options.voices:
            _compare_voice(replace(workload, voice=replace(workload.voice, name=voice)), document, progress)


def _compare_voice(workload: Workload, document: dict[str, Any], progress: _Progress) -> None:
    """Another voice of the engine reads the same text."""
    voice = workload.voice.name or ""
    workload.engine.check(workload.voice)
    collector = Collector()
    found = measure.run(
        workload, takes=MemoryTakes(measure.PHRASES_BYTES), keep=collector, told=progress.run(workload, voice)
    )
    _unless_broken_off(found)
    _judge(workload, voice, collector, document, progress)


def _judge(workload: Workload, voice: str, collector: Collector, document: dict[str, Any], progress: _Progress) -> None:
    found = judge(collector.takes(), lambda what: progress(f"{workload.name}: {what}"))
    if found is not None:
        where = {"name": workload.name, "engine": workload.spec, "voice": voice}
        document["quality"] = [*(document["quality"] or ()), {**where, **asdict(found)}]


def _sizes(
    workload: Workload, sizes: Sequence[int], options: BenchOptions, document: dict[str, Any], progress: _Progress
) -> None:
    found: list[tuple[int, Run]] = []
    part: dict[str, Any] = {"name": workload.name, "engine": workload.spec, "rows": [], "best": None, "kept": None}
    if options.batch_sizes:
        document["batch_sizes"] = part
    for size, run in compare_sizes(workload, sizes, progress.part(workload)):
        found.append((size, run))
        part["rows"].append({"size": size, "figures": figures.of_run(run)})
        part["best"] = best_size(found)
        _unless_broken_off(run)
    if part["best"] is not None and options.batch_sizes and workload.simulated is None:
        part["kept"] = str(keep_batch_size(workload.engine.fingerprint, part["best"]))
    if options.fit:
        costs = fit([batch for _, run in found for batch in run.batches])
        if costs is None:
            raise InputError(f"{workload.name} with {workload.spec} makes too few batches to tell what one costs.")
        document["fit"] = {**asdict(costs), "spec": costs.spec}


@contextmanager
def _takes(options: BenchOptions) -> Iterator[Takes]:
    if options.store is None:
        yield MemoryTakes(measure.PHRASES_BYTES)
    else:
        with Store(options.store) as store, store.for_book("") as takes:
            yield takes


def _times(seconds: Sequence[float]) -> dict[str, Any]:
    if not seconds:
        return {"seconds": []}
    return {
        "seconds": [round(took, 6) for took in seconds],
        "mean": fmean(seconds),
        "median": median(seconds),
        "deviation": stdev(seconds) if len(seconds) > 1 else 0.0,
        "least": min(seconds),
        "most": max(seconds),
    }


def _unless_broken_off(run: Run) -> None:
    if not run.complete:
        raise KeyboardInterrupt


class _Progress:
    """One line on a terminal that is written over; elsewhere a line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._every = 0.2 if self._live else 30.0
        self._next = 0.0
        self._started = time.monotonic()

    def __call__(self, what: str) -> None:
        self._next = time.monotonic() + self._every
        line = f"{hms(time.monotonic() - self._started)} {what}"
        if self._live:
            self._write_over(one_line(line)[:79])
        else:
            print(line, file=self._stream, flush=True)

    def _write_over(self, line: str) -> None:
        print(f"\r\x1b[K{line}", end="", file=streams.drawn_on(self._stream), flush=True)

    def run(self, workload: Workload, what: str) -> Any:
        """For a run that tells its seconds of sound."""
        self._next = 0.0
        return lambda sound: self._now_and_then(f"{workload.name}: {what}, {hms(sound)} of sound")

    def part(self, workload: Workload) -> Any:
        """For several runs that say what they are."""
        return lambda what, sound: self._now_and_then(f"{workload.name}: {what}, {hms(sound)} of sound")

    def _now_and_then(self, what: str) -> None:
        if time.monotonic() >= self._next:
            self(what)

    def clear(self) -> None:
        if self._live:
            self._write_over("")
