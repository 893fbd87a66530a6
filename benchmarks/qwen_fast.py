"""What the qwen engine's fast runtime gains over the package: `python benchmarks/qwen_fast.py [--size 0.6b 1.7b]`.

Needs no weights: it makes checkpoints of random numbers in the released shapes, which cost the same time as the real
ones. Without options it measures what the machine can: on a GPU both released shapes in bfloat16 at 1 to 64 slots, the
package at a batch of 10 in the same run, the time to the first piece, and whether CUDA graphs give the same codes as
without; on a CPU a tiny model at 1, 10 and 32 slots beside the package at the same batch.

Tables, then one line of JSON; both also go to --out. `--profile` adds where the time goes, `--compiled` torch.compile.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.qwen_native import WORDS, Clock, a_request, one_run, ran_on  # noqa: E402
from narrate.clock import OFF  # noqa: E402
from narrate.engines import Request  # noqa: E402
from narrate.engines.qwen import hardware  # noqa: E402
from narrate.engines.qwen.codec import FRAMES_PER_SECOND  # noqa: E402
from narrate.engines.qwen.draws import row_uniforms  # noqa: E402
from narrate.engines.qwen.loading import load  # noqa: E402
from narrate.engines.qwen.models import find_model  # noqa: E402
from narrate.engines.qwen.options import Sampling  # noqa: E402
from narrate.engines.qwen.prompts import Prompts  # noqa: E402
from narrate.engines.qwen.stock import StockRuntime  # noqa: E402
from narrate.text.document import Chunk  # noqa: E402
from narrate.voice import Voice  # noqa: E402
from tests.qwen_checkpoint import END, make_checkpoint  # noqa: E402

CONTEXT = 250  # positions a row looks back on: a sentence of the usual length, half said
PATIENT = 10**6


@contextmanager
def endless(network: Any) -> Iterator[None]:
    """Rows do not end: the end scores zero, and fifty other codes score more."""
    import torch

    head = network.talker.codec_head.weight
    before = head[END].clone()
    with torch.no_grad():
        head[END] = 0
    try:
        yield
    finally:
        with torch.no_grad():
            head[END] = before


class Bench:
    """One loaded model and the measurements on it."""

    def __init__(self, folder: Path, device: str, dtype: str, runs: int, threads: int) -> None:
        package = load(folder, device, dtype)
        self.prompts = Prompts(package, find_model(str(folder), dtype, None))
        self.package, self.device, self.runs = package, device, runs
        self.cuda = device.startswith("cuda")
        # On one CPU thread its own time is what counts: others may use the machine.
        self.clock = time.process_time if not self.cuda and threads == 1 else Clock(device)

    def runner(self, slots: int, *, compiled: bool = False) -> Any:
        """A runner with all slots taken."""
        from narrate.engines.qwen.fast import embedded
        from narrate.engines.qwen.runner import Runner, Seat

        options = self.package._merge_generate_kwargs(**Sampling().for_package())
        runner = Runner(self.package, options, slots, compiled=compiled)
        requests = [a_request(slot, 20) for slot in range(slots)]
        prompts = embedded(self.package.model, self.prompts.arguments(requests))
        for start in range(0, slots, 8):
            places = range(start, min(slots, start + 8))
            runner.begin([Seat(slot, prompts[slot], row_uniforms(slot, 900), PATIENT) for slot in places])
        return runner

    def fast(self, slots: int, frames: int, *, compiled: bool = False) -> dict[str, float]:
        """Milliseconds a frame takes with `slots` rows, and of these for the sound."""
        import torch

        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        runner = self.runner(slots, compiled=compiled)
        for _ in range(3):  # kernels load, graphs are recorded
            runner.advance(slots, CONTEXT)
        whole = self._quickest(lambda: [runner.advance(slots, CONTEXT) for _ in range(frames // 4)]) / (frames // 4 * 4)
        with torch.inference_mode():
            sound = self._quickest(lambda: [self._sound(runner, slots) for _ in range(frames // 4)]) / (frames // 4 * 4)
        memory = torch.cuda.max_memory_allocated() if self.cuda else 0
        return {"slots": slots, "frame_ms": 1000 * whole, "sound_ms": 1000 * sound, "memory_gb": memory / 1e9}

    def _sound(self, runner: Any, slots: int) -> None:
        runner._graphs.run(("sound", slots), lambda: runner._vocode(slots))

    def _quickest(self, work: Callable[[], object]) -> float:
        spent = []
        for _ in range(self.runs):
            start = self.clock()
            work()
            spent.append(self.clock() - start)
        return min(spent)

    def stock(self, batch: int, frames: int) -> dict[str, float]:
        """Milliseconds a frame takes in the package's batch, and of these for the sound."""
        runtime = StockRuntime(self.prompts, Sampling(), batch)
        spent = [one_run(runtime, batch, frames, self.clock) for _ in range(self.runs)]
        codes, sound = (1000 * min(parts) / frames for parts in zip(*spent, strict=True))
        return {"batch": batch, "frame_ms": codes + sound, "sound_ms": sound}

    def first_piece(self) -> dict[str, float]:
        """Milliseconds from a chunk to its first four frames of sound, everything warm."""
        runtime = self.fast_runtime(8)
        runtime.warm_up(Voice())
        waits = []
        for number in range(10):
            start = self.clock()
            request = replace(a_request(number, 20), due=OFF.now)
            clip = next(clips[0] for clips in runtime.synthesize([request]) if clips)
            waits.append(1000 * (self.clock() - start))
            assert not clip.final
        return {"median_ms": statistics.median(waits), "worst_ms": max(waits)}

    def fast_runtime(self, slots: int) -> Any:
        from narrate.engines.qwen.fast import FastRuntime

        return FastRuntime(self.prompts, Sampling(), slots)

    def pages(self, slots: int, count: int) -> dict[str, float]:
        """Chunks of mixed lengths: seconds in refilled slots and in the package's batches, for the same takes."""
        luck = random.Random(0)
        texts = [" ".join(luck.choices(WORDS, k=luck.choice([1, 2, 4, 6, 10, 16]))) for _ in range(count)]
        requests = [
            Request(str(number), Chunk(number, 0, "", text, text, "en", 0.0, 0, 0), Voice())
            for number, text in enumerate(texts)
        ]
        runtime = self.fast_runtime(slots)
        list(runtime.synthesize(requests[:2]))
        start = self.clock()
        samples = sum(len(clip.samples) for clips in runtime.synthesize(requests) for clip in clips)
        ours = self.clock() - start
        start = self.clock()
        clips = StockRuntime(self.prompts, Sampling(), slots).speak(requests)
        theirs = self.clock() - start
        alive = sum(len(clip.samples) for clip in clips) / samples
        return {"slots": slots, "fast_s": ours, "stock_s": theirs, "ratio": theirs / ours, "same_frames": alive}

    def graphs_agree(self, slots: int, blocks: int) -> float:
        """The share of codes that are the same with and without CUDA graphs."""
        import torch

        made = []
        for enabled in (True, False):
            runner = self.runner(slots)
            runner._graphs.enabled = enabled
            codes = []
            for _ in range(blocks):
                runner.advance(slots, CONTEXT)
                codes.append(torch.stack([runner.codes(slot) for slot in range(slots)]))
            made.append(torch.cat(codes, dim=1))
        return float((made[0] == made[1]).float().mean())

    def least_ms(self) -> float:
        """Milliseconds to read once what a frame needs of the weights, at the speed this device copies memory."""
        import torch

        talker = self.package.model.talker
        predictor = talker.code_predictor
        once = [*talker.model.layers.parameters(), talker.codec_head.weight, *predictor.lm_head.parameters()]
        bytes_read = sum(parameter.nbytes for parameter in once)
        bytes_read += 15 * sum(parameter.nbytes for parameter in predictor.model.layers.parameters())
        block = torch.zeros(2**28 if self.cuda else 2**24, dtype=torch.float32, device=self.device)
        other = block.clone()
        seconds = self._quickest(lambda: other.copy_(block))
        return 1000 * bytes_read * seconds / (2 * block.nbytes)

    def profile(self, slots: int) -> str:
        """The operations that take longest, over one block of frames."""
        import torch

        runner = self.runner(slots)
        runner._graphs.enabled = False
        runner.advance(slots, CONTEXT)
        kinds = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] * self.cuda)]
        with torch.profiler.profile(activities=kinds) as profiler:
            runner.advance(slots, CONTEXT)
        order = "self_cuda_time_total" if self.cuda else "self_cpu_time_total"
        table: str = profiler.key_averages().table(sort_by=order, row_limit=20, max_name_column_width=40)
        return table


def lines(bench: Bench, given: argparse.Namespace, slots: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables, line by line, each with its numbers."""
    least = bench.least_ms()
    yield f"weights alone, read at the speed of memory: {least:.2f} ms a frame", {"least_ms": least}
    yield "", {}
    yield "| slots | frame ms | of it sound | frames/s | audio-s/s | GB | the package: batch | frame ms | ratio |", {}
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|", {}
    stock: dict[int, dict[str, float]] = {}
    with endless(bench.package.model):
        for count in slots:
            batch = 10 if bench.cuda else count
            if batch not in stock:
                stock[batch] = bench.stock(batch, given.frames)
            for compiled in (False, True)[: 2 if given.compiled else 1]:
                row: dict[str, Any] = bench.fast(count, given.frames, compiled=compiled)
                theirs = stock[batch]["frame_ms"] / batch
                row |= {"compiled": compiled, "frames_per_second": 1000 * count / row["frame_ms"]}
                row |= {"stock": stock[batch], "ratio": theirs * count / row["frame_ms"]}
                codes = (stock[batch]["frame_ms"] - stock[batch]["sound_ms"]) / batch
                row["ratio_codes"] = codes * count / (row["frame_ms"] - row["sound_ms"])
                yield _line(row), row
    yield "", {}
    piece = bench.first_piece()
    yield "first piece, warm: median {median_ms:.0f} ms, worst {worst_ms:.0f} ms".format(**piece), {"piece": piece}
    pages = bench.pages(10, given.chunks)
    text = "{0} chunks of mixed lengths, 10 at once: {fast_s:.1f} s, the package {stock_s:.1f} s, {ratio:.1f} times"
    yield text.format(given.chunks, **pages), {"pages": pages}
    if bench.cuda:
        same = bench.graphs_agree(8, 12)
        yield f"codes with graphs and without: {same:.2%} the same", {"graphs_agree": same}
    if given.profile:
        yield bench.profile(slots[-1]), {}


def _line(row: dict[str, Any]) -> str:
    stock = row["stock"]
    return (
        f"| {row['slots']}{', compiled' if row['compiled'] else ''} | {row['frame_ms']:.2f} | {row['sound_ms']:.2f} "
        f"| {row['frames_per_second']:.0f} | {row['frames_per_second'] / FRAMES_PER_SECOND:.1f} "
        f"| {row['memory_gb']:.1f} | {stock['batch']} | {stock['frame_ms']:.1f} | {row['ratio']:.1f} "
        f"(codes alone {row['ratio_codes']:.1f}) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=["tiny", "0.6b", "1.7b"], help="else by the device")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    parser.add_argument("--slots", type=int, nargs="+")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chunks", type=int, default=30)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    device = hardware.choose_device(given.device)
    dtype = hardware.choose_dtype(device, given.dtype)
    cuda = device.startswith("cuda")
    if not cuda:
        import torch

        torch.set_num_threads(given.threads)
    text: list[str] = []
    for size in given.size or (["0.6b", "1.7b"] if cuda else ["tiny"]):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            bench = Bench(make_checkpoint(Path(folder), size), device, dtype, given.runs, given.threads)
            machine = ran_on(device, dtype)
            head = f"{size}, fast runtime, on " + ", ".join(f"{key} {value}" for key, value in machine.items())
            rows = []
            for line, row in _printed([(head, {}), ("", {})], lines(bench, given, given.slots or _slots(cuda))):
                text.append(line)
                rows += [row] if row else []
        seconds = round(time.perf_counter() - start)
        text += [json.dumps({"benchmark": "qwen_fast", "model": size, **machine, "took_s": seconds, "rows": rows}), ""]
        print(text[-2], flush=True)
    if given.out:
        given.out.write_text("\n".join(text), encoding="utf-8")


def _slots(cuda: bool) -> list[int]:
    return [1, 8, 16, 32, 64] if cuda else [1, 10, 32]


def _printed(*parts: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in parts:
        for line, row in part:
            print(line, flush=True)
            yield line, row


if __name__ == "__main__":
    main()
