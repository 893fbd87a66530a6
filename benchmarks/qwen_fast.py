"""What the qwen engine's fast runtime does here: `python benchmarks/qwen_fast.py [--size 1.7b] [--budget 540]`.

Needs no weights: it makes checkpoints of random numbers in the released shapes, which cost the same time as the real
ones; their prompts have a token for each byte, three to four times as many as real ones. Without options it measures
what the machine can: on a GPU both released shapes in bfloat16, the larger first; on a CPU a tiny model. The parts
(qwen_fast_parts.py) come in the order of their worth:

    first      the first piece of sound: with nothing prepared, prepared, and with all slots taken
    steady     chunks of a book's lengths through the runtime at 64, 128 and 256 slots: audio seconds a second
    package    the package at a batch of ten and at its best one
    frames     a frame at 1 to 256 slots, beside the package
    profile    where the device's time goes, and how long it has none to spend
    switches   cuDNN's attention, graphs and the vocoder's number type on and off
    errors     bfloat16 against the truth, ours and the package's, for talker, predictor and vocoder
    agreement  codes with graphs and without
    tests      the tests that need a GPU
    pages      chunks of mixed lengths in refilled slots and in the package's batches

`--budget SECONDS` ends it in time. Every line goes to `--out` as soon as it is known, after every part a line of JSON
with its numbers, and at the end one with all of them; so a run that is cut keeps what it has.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.qwen_fast_parts import PARTS, Bench, Line, Plan  # noqa: E402
from benchmarks.qwen_native import ran_on  # noqa: E402
from narrate.engines.qwen import hardware  # noqa: E402
from tests.qwen_checkpoint import make_checkpoint  # noqa: E402

_TO_END_SECONDS = 5.0  # what is kept back of the budget: to write, and to take everything down


class TimeIsUp(Exception):
    """The budget is spent."""


@dataclass
class Report:
    """Lines on the screen and in the file, each written at once."""

    file: TextIO | None
    machine: dict[str, Any] = field(default_factory=dict)
    parts: list[dict[str, Any]] = field(default_factory=list)

    def line(self, text: str) -> None:
        if self.file is not None:  # before the screen: whoever has read a line finds it in the file
            self.file.write(text + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        print(text, flush=True)

    def json(self, **content: Any) -> None:
        self.line(json.dumps({"benchmark": "qwen_fast", **content}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=["tiny", "0.6b", "1.7b"], help="else by the device")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--budget", type=float, default=math.inf, metavar="SECONDS")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    parser.add_argument("--slots", type=int, nargs="+", help="of the frames' table")
    parser.add_argument("--steady-slots", type=int, nargs="+")
    parser.add_argument("--steady-seconds", type=float)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--runs", type=int, help="of which the quickest counts; else 3, on a CPU 2")
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with ExitStack() as stack:
        file = stack.enter_context(given.out.open("w", encoding="utf-8")) if given.out else None
        report = Report(file)
        in_time = False
        try:
            _alarm(left(given) - _TO_END_SECONDS)
            run(given, report)
            in_time = True
        except TimeIsUp:
            report.line("The time is up.")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            took = round(spent(), 1)
            complete = in_time and not any(left_out(part) for part in report.parts)
            report.json(**report.machine, took_s=took, complete=complete, parts=report.parts)


def left_out(part: dict[str, Any]) -> bool:
    """Whether the part, or a row of it, was not measured."""
    return any("left_out" in entry for entry in [part, *part["rows"]])


def left(given: argparse.Namespace) -> float:
    """Seconds of the budget."""
    return float(given.budget) - spent()


def spent() -> float:
    """Seconds since the program was started, before it was read from the disk."""
    return time.time() - psutil.Process().create_time()


def _alarm(seconds: float) -> None:
    """Raise `TimeIsUp` then, wherever the program is."""

    def ring(number: int, frame: object) -> None:
        raise TimeIsUp

    if seconds < math.inf:
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds))


def run(given: argparse.Namespace, report: Report) -> None:
    device = hardware.choose_device(given.device)
    dtype = hardware.choose_dtype(device, given.dtype) if device != "cpu" else given.dtype or "float32"
    cuda = device.startswith("cuda")
    if not cuda:
        import torch

        torch.set_num_threads(given.threads)
    plan = Plan(
        slots=given.slots or ([1, 10, 32, 64, 128, 256] if cuda else [1, 10, 32]),
        steady_slots=given.steady_slots or ([64, 128, 256] if cuda else [8]),
        frames=given.frames,
        runs=given.runs or (3 if cuda else 2),
        chunks=given.chunks,
        steady_seconds=given.steady_seconds or (70.0 if cuda else 6.0),
        left=lambda: left(given),
    )
    report.machine = ran_on(device, dtype)
    for size in given.size or (["1.7b", "0.6b"] if cuda else ["tiny"]):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            bench = Bench(checkpoint(report, Path(folder), size, device), device, dtype, given.threads, plan)
            made = time.perf_counter() - start
        report.line(f"{size}, fast runtime, on " + ", ".join(f"{key} {value}" for key, value in report.machine.items()))
        report.line(f"the model made and loaded in {made:.0f} s")
        for part in given.parts:
            measure(report, size, part, bench)
        del bench


def checkpoint(report: Report, folder: Path, size: Any, device: str) -> Path:
    """Made on the device, or where that fails on the CPU, which takes minutes."""
    try:
        return make_checkpoint(folder, size, device=device)
    except RuntimeError as error:
        if device == "cpu":
            raise
        report.line(f"the model could not be made on {device} ({error}); it is made on the CPU")
        return make_checkpoint(folder, size)


def measure(report: Report, size: str, part: str, bench: Bench) -> None:
    """One part: its lines, and its numbers as JSON, whatever becomes of it."""
    least, work = PARTS[part]
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {"model": size, "part": part, "rows": rows}
    report.parts.append(summary)
    report.line("")
    if bench.plan.left() < (least if bench.cuda else least / 10):
        summary["left_out"] = "no time left"
        report.line(f"{part}: left out, since only {max(0.0, bench.plan.left()):.0f} s are left")
        return
    start = time.perf_counter()
    try:
        for text, row in _kept(work(bench), rows):
            report.line(text)
            del row
    except TimeIsUp:
        summary["left_out"] = "the time was up"
        raise
    except Exception as error:  # one part that fails must not cost the others
        summary["failed"] = f"{type(error).__name__}: {error}"
        report.line(f"{part}: failed with {summary['failed'].splitlines()[0]}")
        bench.fresh_memory()
    finally:
        summary["took_s"] = round(time.perf_counter() - start, 1)
        report.json(**report.machine, **summary)


def _kept(lines: Iterator[Line], rows: list[dict[str, Any]]) -> Iterator[Line]:
    for text, row in lines:
        if row:
            rows.append(row)
        yield text, row


if __name__ == "__main__":
    main()
