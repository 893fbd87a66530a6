"""What the qwen engine's stock runtime costs: `python benchmarks/qwen_native.py [--size 1.7b | --model FOLDER]`.

Needs no weights: without --model it makes a checkpoint of random numbers in the released shape, which costs the same
time as the real one. By default the batch table: every row makes exactly --frames frames, so that no row ends early.
`--cancel` measures how long `cancel` takes, `--memory N` what N batches of varying length leave behind.
A table, then one line of JSON; both also go to --out.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from narrate.clock import OFF  # noqa: E402
from narrate.engines import Request  # noqa: E402
from narrate.engines.qwen import Qwen, hardware  # noqa: E402
from narrate.engines.qwen.codec import FRAMES_PER_SECOND, SAMPLES_PER_FRAME  # noqa: E402
from narrate.engines.qwen.loading import load  # noqa: E402
from narrate.engines.qwen.models import find_model  # noqa: E402
from narrate.engines.qwen.options import Sampling  # noqa: E402
from narrate.engines.qwen.prompts import Prompts  # noqa: E402
from narrate.engines.qwen.stock import StockRuntime  # noqa: E402
from narrate.text.document import Chunk  # noqa: E402
from narrate.voice import Voice  # noqa: E402
from tests.qwen_checkpoint import END, make_checkpoint  # noqa: E402

Line = tuple[str, dict[str, float]]
BATCHES = [1, 2, 4, 8, 10, 16, 24, 32, 64]
WORDS = "the night was cold and a lamp burned in the window of the old house by the sea while nobody came".split()


def a_request(index: int, words: int) -> Request:
    text = " ".join(random.Random(index).choices(WORDS, k=words)).capitalize() + "."
    return Request(str(index), Chunk(index, 0, "", text, text, "en", 0.0, 0, 0), Voice())


class Clock:
    """Wall time of the work, the device's included."""

    def __init__(self, device: str) -> None:
        import torch

        self._wait: Callable[[], object] = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def __call__(self) -> float:
        self._wait()
        return time.perf_counter()


@contextmanager
def endless(network: Any) -> Iterator[None]:
    """Rows end at their budget and not before."""

    def hook(module: Any, arguments: Any, scores: Any) -> Any:
        scores[..., END] = -1e9
        return scores

    handle = network.talker.codec_head.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def timed_predictor(network: Any, clock: Clock, spent: list[float]) -> Iterator[None]:
    predictor = network.talker.code_predictor
    original = predictor.generate

    def generate(*arguments: Any, **options: Any) -> Any:
        start = clock()
        answer = original(*arguments, **options)
        spent.append(clock() - start)
        return answer

    predictor.generate = generate
    try:
        yield
    finally:
        del predictor.generate


def one_run(runtime: StockRuntime, size: int, frames: int, clock: Clock) -> tuple[float, float]:
    """Seconds for the codes of a batch and for its sound."""
    batch = [a_request(index, 20) for index in range(size)]
    start = clock()
    rows = runtime.generate(batch, [frames] * size)
    generated = clock()
    if rows is None:
        raise MemoryError
    assert all(len(row.frames) == frames for row in rows)
    sounds = runtime.decode([row.frames for row in rows], [None] * size)
    end = clock()
    assert all(len(sound) == frames * SAMPLES_PER_FRAME for sound in sounds)
    return generated - start, end - generated


def batch_row(runtime: StockRuntime, size: int, frames: int, runs: int, clock: Clock) -> dict[str, float]:
    """A line of the table: the quickest of some runs, which are the least disturbed ones.

    The code predictor's share comes from one more run, in which the device is waited for at every change.
    """
    import torch

    cuda = runtime.prompts.package.device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    codes, sound = (
        min(parts) for parts in zip(*(one_run(runtime, size, frames, clock) for _ in range(runs)), strict=True)
    )
    peak = torch.cuda.max_memory_allocated() if cuda else psutil.Process().memory_info().rss
    spent: list[float] = []
    with timed_predictor(runtime.prompts.package.model, clock, spent):
        again, _ = one_run(runtime, size, frames, clock)
    predictor = sum(spent) / again * codes
    whole = codes + sound
    return {
        "batch": size,
        "frames_per_second": size * frames / whole,
        "rtf": whole / (size * frames / FRAMES_PER_SECOND),
        "step_ms": codes / frames * 1000,
        "talker": (codes - predictor) / whole,
        "predictor": predictor / whole,
        "vocoder": sound / whole,
        "memory_gb": peak / 1e9,
    }


def batch_table(runtime: StockRuntime, given: argparse.Namespace, clock: Clock) -> Iterator[Line]:
    yield "| batch | frames/s | RTF | step ms | talker | predictor | vocoder | GB |", {}
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|", {}
    with endless(runtime.prompts.package.model):
        runtime.generate([a_request(0, 20)], [4])  # kernels load
        for size in given.batches:
            try:
                row = batch_row(runtime, size, given.frames, given.runs, clock)
            except MemoryError:
                yield f"| {size} | out of memory |", {"batch": size}
                return
            shares = " | ".join(f"{row[part]:.0%}" for part in ("talker", "predictor", "vocoder"))
            yield (
                f"| {size} | {row['frames_per_second']:.1f} | {row['rtf']:.3f} | {row['step_ms']:.1f} | {shares} "
                f"| {row['memory_gb']:.2f} |",
                row,
            )


def cancelling(engine: Qwen, times: int) -> Iterator[Line]:
    """From `cancel` in another thread to the end of `synthesize`, at chance moments of a batch of ten."""
    batch = [a_request(index, 20) for index in range(10)]
    engine.prepare(Voice(), OFF)
    start = time.perf_counter()
    list(engine.synthesize(batch))
    whole = time.perf_counter() - start
    chance, waits = random.Random(0), []
    for _ in range(times):
        asked: list[float] = []

        def cancel(asked: list[float] = asked) -> None:
            asked.append(time.perf_counter())
            engine.cancel([request.id for request in batch])

        timer = threading.Timer(chance.uniform(0.05, 0.9) * whole, cancel)
        timer.start()
        clips = sum(engine.synthesize(batch), [])
        returned = time.perf_counter()
        timer.join()
        if not clips:
            waits.append(1000 * (returned - asked[0]))
    row = {"batch_s": whole, "median_ms": statistics.median(waits), "worst_ms": max(waits), "times": len(waits)}
    text = "a batch of ten takes {batch_s:.1f} s; cancel: median {median_ms:.1f} ms, worst {worst_ms:.1f} ms of {times}"
    yield text.format(**row), row


def leftovers(engine: Qwen, batches: int) -> Iterator[Line]:
    """Resident memory every tenth of `batches` batches of 1 to 10 chunks of 1 to 12 words."""
    chance = random.Random(0)
    engine.prepare(Voice(), OFF)
    for number in range(1, batches + 1):
        size = chance.randint(1, 10)
        list(engine.synthesize([a_request(chance.randrange(10**6), chance.randint(1, 12)) for _ in range(size)]))
        if number % max(1, batches // 10) == 0:
            gc.collect()
            rss = psutil.Process().memory_info().rss / 1e6
            yield f"after {number:4d} batches: {rss:.0f} MB", {"batches": number, "rss_mb": rss}


def ran_on(device: str, dtype: str) -> dict[str, Any]:
    import torch

    chip = torch.cuda.get_device_name() if device.startswith("cuda") else f"{platform.machine()} CPU"
    return {
        "device": chip,
        "threads": torch.get_num_threads(),
        "dtype": dtype,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["tiny", "0.6b", "1.7b"], help="made for the run; else by the device")
    parser.add_argument("--model", type=Path, help="a checkpoint's folder")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--cancel", type=int, metavar="TIMES")
    parser.add_argument("--memory", type=int, metavar="BATCHES")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.threads:
        import torch

        torch.set_num_threads(given.threads)
    device = hardware.choose_device(given.device)
    dtype = hardware.choose_dtype(device, given.dtype)
    size = given.size or ("1.7b" if device.startswith("cuda") else "tiny")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or make_checkpoint(Path(folder), size)
        report(given, str(model), given.model.name if given.model else size, device, dtype)


def report(given: argparse.Namespace, model: str, name: str, device: str, dtype: str) -> None:
    engine = Qwen(model=model, device=device, dtype=dtype, runtime="stock")
    if given.cancel:
        what, lines = "cancel", cancelling(engine, given.cancel)
    elif given.memory:
        what, lines = "memory", leftovers(engine, given.memory)
    else:
        package = load(model, device, dtype)
        prompts = Prompts(package, find_model(model, dtype, None))
        runtime = StockRuntime(prompts, Sampling(), max(given.batches))
        what, lines = "batches", batch_table(runtime, given, Clock(device))
    machine = ran_on(device, dtype)
    text = [f"{name}, stock runtime, on " + ", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    if not device.startswith("cuda"):
        text += ["No GPU was at hand: the tables of the full-size models need one (`--size 0.6b`, `--size 1.7b`).", ""]
    print("\n".join(text))
    rows = []
    for line, row in lines:
        print(line, flush=True)
        text.append(line)
        rows += [row] if row else []
    summary = json.dumps({"benchmark": "qwen_native", "what": what, "model": name, **machine, "rows": rows})
    print(summary)
    if given.out:
        given.out.write_text("\n".join([*text, "", summary, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
