"""What `qwen_fast.py` measures, part by part. A part yields lines of text, with numbers beside those that have any."""

from __future__ import annotations

import copy
import gc
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.qwen_native import WORDS, Clock, a_request, one_run
from narrate.clock import OFF
from narrate.engines import Request, never
from narrate.engines.qwen.codec import FRAMES_PER_SECOND
from narrate.engines.qwen.draws import row_uniforms
from narrate.engines.qwen.loading import load
from narrate.engines.qwen.models import find_model
from narrate.engines.qwen.options import Sampling
from narrate.engines.qwen.prompts import Prompts
from narrate.engines.qwen.stock import StockRuntime
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import END

Line = tuple[str, dict[str, Any]]

ROOT = Path(__file__).resolve().parents[1]
CONTEXT = 250  # positions a row looks back on: a sentence of the usual length, half said
PATIENT = 10**6
BLOCK = 4


@dataclass(frozen=True)
class Plan:
    """How much is measured. `left` tells the seconds that are left for everything."""

    slots: list[int]
    steady_slots: list[int]
    frames: int
    runs: int
    chunks: int
    steady_seconds: float
    left: Callable[[], float]


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

    def __init__(self, folder: Path, device: str, dtype: str, threads: int, plan: Plan) -> None:
        package = load(folder, device, dtype)
        self.prompts = Prompts(package, find_model(str(folder), dtype, None))
        self.package, self.device, self.plan = package, device, plan
        self.stock: dict[int, dict[str, float]] = {}  # what the package takes, by batch
        self.cuda = device.startswith("cuda")
        # On one CPU thread its own time is what counts: others may use the machine.
        self.clock = time.process_time if not self.cuda and threads == 1 else Clock(device)

    def runner(self, slots: int) -> Any:
        """A runner with all slots taken."""
        from narrate.engines.qwen.runner import Runner

        self.fresh_memory()
        runner = Runner(self.package, self.package._merge_generate_kwargs(**Sampling().for_package()), slots)
        self.seat(runner)
        return runner

    def seat(self, runner: Any) -> None:
        """All slots from the beginning: rows that go on and on would leave the room they have."""
        from narrate.engines.qwen.embedding import Embedding
        from narrate.engines.qwen.seats import Seat

        runner.clear()
        embed = Embedding(self.prompts)
        for start in range(0, runner.slots, 8):
            places = range(start, min(runner.slots, start + 8))
            prompts = embed([a_request(slot, 20) for slot in places])
            uniforms = [row_uniforms(slot, 900) for slot in places]
            seats = zip(places, prompts, uniforms, strict=True)
            runner.begin([Seat(slot, prompt, numbers, PATIENT) for slot, prompt, numbers in seats])

    def block(self, runner: Any) -> None:
        """Four frames, waited for."""
        runner.advance(runner.slots, CONTEXT).samples()

    def frame_ms(self, runner: Any, *, warm: int = 3, between: Callable[[], object] = lambda: None) -> float:
        """Milliseconds a frame takes with all slots taken, its sound included. `between` is done after every run."""
        blocks = max(1, self.plan.frames // BLOCK)
        for _ in range(warm):  # kernels load, graphs are recorded
            self.block(runner)
        spent = []
        for _ in range(self.plan.runs):
            self.seat(runner)
            spent.append(self.seconds(lambda: [self.block(runner) for _ in range(blocks)]))
            between()
        return 1000 * min(spent) / (blocks * BLOCK)

    def sound_ms(self, runner: Any) -> float:
        """Milliseconds of these for the sound."""
        from narrate.engines.qwen.device import computing_on

        with computing_on(self.package.device):
            blocks = max(1, self.plan.frames // BLOCK)
            work = lambda: [runner._run(("sound", runner.slots)) for _ in range(blocks)]  # noqa: E731
            return 1000 * min(self.seconds(work) for _ in range(self.plan.runs)) / (blocks * BLOCK)

    def seconds(self, work: Callable[[], object]) -> float:
        start = self.clock()
        work()
        return self.clock() - start

    def runtime(self, slots: int) -> Any:
        from narrate.engines.qwen.fast import FastRuntime

        self.fresh_memory()
        return FastRuntime(self.prompts, Sampling(), slots)

    def fresh_memory(self) -> None:
        """So that the next peak is that of what comes next."""
        import torch

        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def memory(self) -> dict[str, float]:
        import torch

        if not self.cuda:
            return {"memory_gb": 0.0, "reserved_gb": 0.0}
        return {
            "memory_gb": torch.cuda.max_memory_allocated() / 1e9,
            "reserved_gb": torch.cuda.max_memory_reserved() / 1e9,
        }


def first_piece(bench: Bench) -> Iterator[Line]:
    """From a chunk to its first four frames of sound: nothing prepared; after `prepare`; with all slots taken."""
    slots = bench.plan.steady_slots[0]
    runtime = bench.runtime(slots)
    cold = _piece_ms(bench, runtime, 0)
    runtime.close()
    runtime = bench.runtime(slots)
    prepared = 1000 * bench.seconds(lambda: runtime.warm_up(Voice()))
    recorded = runtime._runner.graphs.recordings
    waits = [_piece_ms(bench, runtime, number) for number in range(1, 11)]
    recorded_late = runtime._runner.graphs.recordings - recorded
    row = {"slots": slots, "cold_ms": cold, "prepare_ms": prepared, "recorded": recorded, "warm_first_ms": waits[0]}
    row |= {"median_ms": statistics.median(waits), "worst_ms": max(waits), "recorded_late": recorded_late}
    yield (
        f"first piece: {cold:.0f} ms with nothing prepared; after {prepared / 1000:.1f} s of preparing ({recorded} "
        f"graphs) {waits[0]:.0f} ms, median {row['median_ms']:.0f} ms, worst {row['worst_ms']:.0f} ms of 10, which "
        f"recorded {recorded_late} more",
        row,
    )
    busy = [_busy_piece_ms(bench, runtime, slots, number) for number in range(3)]
    runtime.close()
    yield (
        f"first piece with {slots} slots taken: median {statistics.median(busy):.0f} ms, worst {max(busy):.0f} ms",
        {"slots": slots, "busy_median_ms": statistics.median(busy), "busy_worst_ms": max(busy)},
    )


def _piece_ms(bench: Bench, runtime: Any, number: int) -> float:
    start = bench.clock()
    request = replace(a_request(number, 20), due=OFF.now)
    clip = next(clips[0] for clips in runtime.synthesize([request]) if clips)
    assert not clip.final
    return 1000 * (bench.clock() - start)


def _busy_piece_ms(bench: Bench, runtime: Any, slots: int, number: int) -> float:
    """A listener comes when all slots are taken and chunks for files wait for them; they stay."""
    begun: list[float] = []
    urgent = replace(a_request(10_000 + number, 20), id="urgent", due=OFF.now)

    def source() -> Iterator[Request]:
        for place in range(10**6):
            if place == slots + slots // 2 + 1 and not begun:
                begun.append(bench.clock())
                yield urgent
            yield replace(a_request(place, 20), id=f"file {number} {place}", due=never)

    for clips in runtime.synthesize(source()):
        if any(clip.request_id == "urgent" for clip in clips):
            return 1000 * (bench.clock() - begun[0])
    raise AssertionError("the source has no end")


def steady(bench: Bench) -> Iterator[Line]:
    """Chunks of a book's lengths through the runtime, as a book would be read into a file."""
    yield "| slots | chunks | audio-s/s, all slots taken | in all | alive | waiting for the device | graphs |", {}
    yield "|---:|---:|---:|---:|---:|---:|---:|", {}
    for slots in bench.plan.steady_slots:
        if bench.plan.left() < bench.plan.steady_seconds / 2:
            yield f"| {slots} | no time left |", {"slots": slots, "left_out": "no time left"}
            return
        row = _steady(bench, slots)
        late = f", {row['recorded_after_a_minute']} after a minute" if row["recorded_after_a_minute"] else ""
        yield (
            f"| {slots} | {row['chunks']} | {row['audio_per_second']:.1f} | {row['audio_per_second_in_all']:.1f} "
            f"| {row['alive']:.1%} | {row['waiting']:.0%} | {row['recorded']} in {row['recording_s']:.1f} s{late} |",
            row,
        )


def _steady(bench: Bench, slots: int) -> dict[str, Any]:
    runtime = bench.runtime(slots)
    started = bench.clock()
    runtime.warm_up(Voice())
    prepared = bench.clock() - started
    luck = random.Random(0)
    seconds = min(bench.plan.steady_seconds, bench.plan.left() - 2)
    start, until = bench.clock(), time.perf_counter() + seconds
    chunks, ended = 0, None
    moments: list[tuple[float, int, int, int]] = []  # when, frames made, frames computed, graphs

    def source() -> Iterator[Request]:
        nonlocal chunks, ended
        while time.perf_counter() < until:
            chunks += 1
            words = max(2, round(22 * luck.lognormvariate(0, 0.5)))
            yield replace(a_request(luck.randrange(10**9), min(words, 60)), id=str(chunks), due=never)
        ended = len(moments) - 1

    failed = 0
    with _waiting() as waited:
        for clips in runtime.synthesize(source()):
            failed += sum(clip.failure is not None for clip in clips)
            work, graphs = runtime.work, runtime._runner.graphs
            moments.append((bench.clock() - start, work.made, work.computed, graphs.recordings))
    graphs = runtime._runner.graphs
    row = {"slots": slots, "chunks": chunks, "failed": failed, "prepare_s": prepared, **bench.memory()}
    row |= _rates(moments, len(moments) - 1 if ended is None else ended, slots)
    row |= {
        "waiting": sum(waited) / moments[-1][0],
        "recorded": graphs.recordings,
        "recording_s": graphs.recording_seconds,
    }
    row["recorded_after_a_minute"] = graphs.recordings - max((one[3] for one in moments if one[0] < 60), default=0)
    row["recording_failed"] = graphs.failures
    runtime.close()
    return row


def _rates(moments: list[tuple[float, int, int, int]], ended: int, slots: int) -> dict[str, float]:
    """Audio seconds a second between the moment when all slots were taken and the last chunk's; and over all of it."""
    begun = next((n for n, one in enumerate(moments) if n and _alive(moments[n - 1], one) > 0.9), 0)
    begun = min(begun, ended - 1) if ended > 0 else 0
    first, last = moments[begun], moments[max(ended, begun)]
    made = last[1] - first[1]
    return {
        "seconds": last[0] - first[0],
        "audio_per_second": made / FRAMES_PER_SECOND / max(1e-9, last[0] - first[0]),
        "audio_per_second_in_all": moments[-1][1] / FRAMES_PER_SECOND / moments[-1][0],
        "alive": made / max(1, last[2] - first[2]),
        "block_ms": 1000 * (last[0] - first[0]) / max(1, (last[2] - first[2]) // (slots * BLOCK)),
    }


def _alive(before: tuple[float, int, int, int], after: tuple[float, int, int, int]) -> float:
    return (after[1] - before[1]) / max(1, after[2] - before[2])


@contextmanager
def _waiting() -> Iterator[list[float]]:
    """Seconds in which the host waited for the device: what is not waiting, the device may have waited for."""
    from narrate.engines.qwen.seats import BlockResult

    spent: list[float] = []
    originals = {name: getattr(BlockResult, name) for name in ("rows", "samples")}

    def timed(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def look(block: Any) -> Any:
            start = time.perf_counter()
            answer = original(block)
            spent.append(time.perf_counter() - start)
            return answer

        return look

    for name, original in originals.items():
        setattr(BlockResult, name, timed(original))
    try:
        yield spent
    finally:
        for name, original in originals.items():
            setattr(BlockResult, name, original)


def frames(bench: Bench) -> Iterator[Line]:
    """A frame with all slots taken, beside the package's: at a batch of ten on a GPU, at the same rows on a CPU."""
    least = _least_ms(bench)
    yield f"weights alone, read at the speed of memory: {least:.2f} ms a frame", {"least_ms": least}
    yield "| slots | frame ms | of it sound | frames/s | audio-s/s | GB | the package: batch | frame ms | ratio |", {}
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|", {}
    with endless(bench.package.model):
        for count in bench.plan.slots:
            yield _frame_line(bench, count)


def _frame_line(bench: Bench, slots: int) -> Line:
    """On a CPU, whose speed changes with what else it does, ours and the package's runs take turns."""
    runner = bench.runner(slots)
    spent: list[tuple[float, float]] = []
    batch = 10 if bench.cuda else slots
    runtime = StockRuntime(bench.prompts, Sampling(), batch)

    def the_package() -> None:
        if not bench.cuda:
            spent.append(one_run(runtime, batch, bench.plan.frames, bench.clock))

    row: dict[str, Any] = {"slots": slots, "frame_ms": bench.frame_ms(runner, between=the_package)}
    row |= {"sound_ms": bench.sound_ms(runner), **bench.memory()}
    stock = bench.stock[batch] = _of_runs(bench, batch, spent) if spent else _stock(bench, batch)
    row |= {"frames_per_second": 1000 * slots / row["frame_ms"], "stock": stock}
    runner.close()
    row["ratio"] = stock["frame_ms"] / stock["batch"] * slots / row["frame_ms"]
    codes = (stock["frame_ms"] - stock["sound_ms"]) / stock["batch"]
    row["ratio_codes"] = codes * slots / (row["frame_ms"] - row["sound_ms"])
    return (
        f"| {slots} | {row['frame_ms']:.2f} | {row['sound_ms']:.2f} | {row['frames_per_second']:.0f} "
        f"| {row['frames_per_second'] / FRAMES_PER_SECOND:.1f} | {row['memory_gb']:.1f} | {stock['batch']:.0f} "
        f"| {stock['frame_ms']:.1f} | {row['ratio']:.1f} (codes alone {row['ratio_codes']:.1f}) |"
    ), row


def _stock(bench: Bench, batch: int) -> dict[str, float]:
    """Milliseconds a frame takes in the package's batch, and of these for the sound; measured once."""
    if batch in bench.stock:
        return bench.stock[batch]
    runtime = StockRuntime(bench.prompts, Sampling(), batch)
    bench.stock[batch] = _of_runs(bench, batch, [one_run(runtime, batch, bench.plan.frames, bench.clock)])
    return bench.stock[batch]


def _of_runs(bench: Bench, batch: int, spent: list[tuple[float, float]]) -> dict[str, float]:
    codes, sound = (1000 * min(parts) / bench.plan.frames for parts in zip(*spent, strict=True))
    return {"batch": batch, "frame_ms": codes + sound, "sound_ms": sound}


def package_at_its_best(bench: Bench) -> Iterator[Line]:
    """The package at a batch of ten, and at ever larger ones until no more comes of them."""
    best: dict[str, float] = {}
    with endless(bench.package.model):
        _stock(bench, 1)  # kernels load
        for batch in (10, 32, 64, 128, 256) if bench.cuda else (10, 32):
            try:
                row = dict(_stock(bench, batch))
            except MemoryError:
                yield f"the package, batch {batch}: out of memory", {"batch": batch}
                break
            row["audio_per_second"] = 1000 * batch / row["frame_ms"] / FRAMES_PER_SECOND
            text = "the package, batch {batch}: {frame_ms:.1f} ms a frame, {audio_per_second:.1f} audio-s/s"
            yield text.format(**row), row
            if best and row["audio_per_second"] < 1.1 * best["audio_per_second"]:
                break
            best = row
            if bench.plan.left() < 3 * row["frame_ms"] / 1000 * bench.plan.frames:
                break


def switches(bench: Bench) -> Iterator[Line]:
    """The same frames with one thing changed: cuDNN's attention, graphs, the vocoder's number type."""
    import torch

    slots = bench.plan.steady_slots[0]
    with endless(bench.package.model):
        runner = bench.runner(slots)
        usual = bench.frame_ms(runner)
        yield f"{slots} slots as usual: {usual:.2f} ms a frame", {"switch": "none", "slots": slots, "frame_ms": usual}
        if bench.cuda:
            runner.graphs.enabled = False
            row = {"switch": "no graphs", "slots": slots, "frame_ms": bench.frame_ms(runner, warm=1)}
            yield f"{slots} slots without graphs: {row['frame_ms']:.2f} ms a frame", row
        runner.close()
        allow = torch.backends.cuda.enable_cudnn_sdp
        torch.backends.cuda.enable_cudnn_sdp = lambda enabled: None
        try:
            runner = bench.runner(slots)
            first = 1000 * bench.seconds(lambda: bench.block(runner))
            row = {"switch": "cudnn", "slots": slots, "first_block_ms": first, "frame_ms": bench.frame_ms(runner)}
            runner.close()
        finally:
            torch.backends.cuda.enable_cudnn_sdp = allow
        yield f"{slots} slots with cuDNN's attention: {row['frame_ms']:.2f} ms, the first block {first:.0f} ms", row
    for dtype in ("bfloat16", "float32"):
        row = {"switch": "vocoder", "dtype": dtype, "slots": slots, "sound_ms": _vocoder_ms(bench, slots, dtype)}
        yield f"{slots} slots, the vocoder in {dtype}: {row['sound_ms']:.2f} ms a frame as it is written", row


def _vocoder_ms(bench: Bench, slots: int, dtype: str) -> float:
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    decoder = copy.deepcopy(bench.package.model.speech_tokenizer.model.decoder).to(getattr(torch, dtype))
    vocoder = Vocoder(decoder, slots)
    codes = torch.randint(0, 2048, (slots, BLOCK, 16), device=bench.device)
    vocoder.decode(codes)
    return 1000 * min(bench.seconds(lambda: vocoder.decode(codes)) for _ in range(max(2, bench.plan.runs))) / BLOCK


_KINDS = {
    "copies": "memcpy|memset|copy|cat|fill|clone|contiguous|zero_",
    "attention": "fmha|flash|attention|sdpa",
    "top k, sorts": "topk|sort|radix|bitonic",
    "convolutions": "conv|implicit|im2col",
    "products": "gemm|gemv|cutlass|nvjet|cublas|splitk|mm\\b|bmm|linear|baddbmm",
    "norms": "norm",
    "indexing": "index|gather|scatter|embedding",
    "sums, scans, softmax": "reduce|scan|cumsum|softmax|sum|searchsorted",
    "elementwise": "elementwise|vectorized|mul|add|sin|silu|exp|where|clamp|div|sub|pow|square|lt|eq|roll",
}


def profile(bench: Bench) -> Iterator[Line]:
    """Where the device's time goes, by kind of kernel; and how long it has nothing to do."""
    import torch

    slots, blocks = bench.plan.steady_slots[0], 4 if bench.cuda else 1
    runner = bench.runner(slots)
    for _ in range(3):
        bench.block(runner)
    wall = 1000 * bench.seconds(lambda: [bench.block(runner) for _ in range(blocks)]) / (blocks * BLOCK)
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CUDA] if bench.cuda else [kinds.CPU]) as profiler:
        for _ in range(blocks):
            bench.block(runner)
    runner.close()
    counts: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for event in profiler.key_averages():
        on_device = str(event.device_type).endswith("CUDA")  # calls of the driver are events too
        if not (on_device if bench.cuda else event.key.startswith("aten::")):
            continue
        milliseconds = (event.self_device_time_total if bench.cuda else event.self_cpu_time_total) / 1000
        counts[_kind(event.key)] += event.count
        spent[_kind(event.key)] += milliseconds
    per_frame = blocks * BLOCK
    total = sum(spent.values()) / per_frame
    row = {
        "slots": slots,
        "wall_ms": wall,
        "busy_ms": total,
        "idle": max(0.0, 1 - total / wall) if bench.cuda else None,
    }
    row |= {"kernels": sum(counts.values()) / per_frame}
    row["kinds"] = {kind: {"count": counts[kind] / per_frame, "ms": spent[kind] / per_frame} for kind in spent}
    idle = f", the device idle for {row['idle']:.0%}" if bench.cuda else ""
    what = "kernels" if bench.cuda else "operations"
    yield f"{slots} slots: {row['kernels']:.0f} {what} a frame, {total:.2f} of {wall:.2f} ms{idle}", row
    yield f"| kind | {what} a frame | ms a frame | mean µs |", {}
    yield "|---|---:|---:|---:|", {}
    for kind, milliseconds in spent.most_common():
        mean = 1000 * milliseconds / max(1, counts[kind])
        yield f"| {kind} | {counts[kind] / per_frame:.0f} | {milliseconds / per_frame:.3f} | {mean:.1f} |", {}


def _kind(name: str) -> str:
    return next((kind for kind, words in _KINDS.items() if re.search(words, name.lower())), "other")


def errors(bench: Bench) -> Iterator[Line]:
    """How far bfloat16 is from the truth, ours and the package's, the same numbers fed to both at every step."""
    import torch

    network = bench.package.model
    rounded = copy.deepcopy(network.talker).bfloat16()
    exact = copy.deepcopy(rounded).float()
    with torch.inference_mode():
        ours, theirs = _talker_errors(rounded, exact, bench.device)
        yield _error_line("talker", ours, theirs)
        ours, theirs = _predictor_errors(rounded.code_predictor, exact.code_predictor, bench.device)
        yield _error_line("predictor", ours, theirs)
    ours, theirs = _vocoder_errors(network.speech_tokenizer.model.decoder, bench.device)
    yield _error_line("vocoder", ours, theirs)


def _error_line(what: str, ours: float, theirs: float) -> Line:
    row = {"what": what, "ours": ours, "package": theirs, "ratio": ours / theirs}
    return (
        f"mean square error in bfloat16, {what}: {ours:.3g}, the package {theirs:.3g}, ratio {ours / theirs:.2f}",
        row,
    )


def _talker_errors(rounded: Any, exact: Any, device: str) -> tuple[float, float]:
    """Of the scores of a frame's first code: a prompt of 40 tokens and 40 frames of noise."""
    import torch

    from narrate.engines.qwen.cache import SlotCache
    from narrate.engines.qwen.transformer import Layers

    torch.manual_seed(0)
    prompt, steps = 40, 40
    heard = (torch.randn(prompt + steps, rounded.config.hidden_size, device=device) * 1.5).bfloat16()
    truth = exact.codec_head(exact.model(inputs_embeds=heard.float()[None]).last_hidden_state[0])[prompt:]
    theirs = rounded.codec_head(rounded.model(inputs_embeds=heard[None]).last_hidden_state[0])[prompt:]
    layers = Layers(rounded.model)
    cache, rope = SlotCache(layers, 1, 128, rounded.codec_head.weight), layers.rope(128)
    layers(heard[:prompt].clone(), rope[:prompt], cache.prompts(torch.tensor([0], device=device), prompt))
    ours = []
    for place in range(prompt, prompt + steps):
        position = torch.tensor([place], device=device)
        step = layers(heard[place : place + 1].clone(), rope[position], cache.step(position, 128))
        ours.append(rounded.codec_head(layers.last_norm(step)))
    return _mean_square(torch.cat(ours), truth), _mean_square(theirs, truth)


def _predictor_errors(rounded: Any, exact: Any, device: str) -> tuple[float, float]:
    """Of the scores of the other 15 codes, for 32 frames of noise."""
    import torch

    from narrate.engines.qwen.cache import FrameCache
    from narrate.engines.qwen.transformer import Layers

    torch.manual_seed(0)
    rows, width = 32, rounded.model.codec_embedding[0].embedding_dim
    heard = torch.randn(rows, 16, width, device=device).bfloat16()

    def scores(predictor: Any, states: Any) -> Any:
        heads = enumerate(predictor.lm_head)
        return torch.stack([head(states[:, 1 + place]) for place, head in heads], dim=1)

    def whole(predictor: Any, inputs: Any) -> Any:
        projected = predictor.small_to_mtp_projection(inputs)
        return scores(predictor, predictor.model(inputs_embeds=projected).last_hidden_state)

    truth, theirs = whole(exact, heard.float()), whole(rounded, heard)
    layers = Layers(rounded.model)
    cache, rope = FrameCache(layers, rows, 16, rounded.lm_head[0].weight), layers.rope(16)
    projected = rounded.small_to_mtp_projection(heard)
    states = [layers(projected[:, :2].flatten(0, 1).clone(), rope[:2].repeat(rows, 1, 1, 1), cache.begin(rows))[1::2]]
    for place in range(2, 16):
        states.append(layers(projected[:, place].clone(), rope[place : place + 1], cache.step(rows, place)))
    ours = torch.stack(
        [head(layers.last_norm(state)) for head, state in zip(rounded.lm_head, states, strict=True)], dim=1
    )
    return _mean_square(ours, truth), _mean_square(theirs, truth)


def _vocoder_errors(decoder: Any, device: str) -> tuple[float, float]:
    """Of the samples of 48 frames of chance codes, ours four frames at a time."""
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    torch.manual_seed(0)
    rounded = copy.deepcopy(decoder).bfloat16()
    exact = copy.deepcopy(rounded).float()
    codes = torch.randint(0, 2048, (1, 48, 16), device=device)
    with torch.inference_mode():
        truth, theirs = (whole(codes.transpose(1, 2)).squeeze(1) for whole in (exact, rounded))
        vocoder = Vocoder(rounded, 1)
        ours = torch.cat([vocoder.decode(codes[:, start : start + BLOCK]) for start in range(0, 48, BLOCK)], dim=1)
    return _mean_square(ours, truth), _mean_square(theirs, truth)


def _mean_square(values: Any, truth: Any) -> float:
    return float((values.float() - truth.float()).square().mean())


def agreement(bench: Bench) -> Iterator[Line]:
    """Codes with graphs and without them: the first frame in which a row differs. After it chance takes over."""
    import torch

    if not bench.cuda:
        yield "codes with graphs and without: there are no graphs on a CPU", {}
        return
    made = []
    for enabled in (True, False):
        runner = bench.runner(8)
        runner.graphs.enabled = enabled
        codes = []
        for _ in range(12):
            bench.block(runner)
            codes.append(torch.stack([runner.codes(slot) for slot in range(8)]))
        made.append(torch.cat(codes, dim=1))
        runner.close()
    same = (made[0] == made[1]).all(-1).all(0)
    first = int((~same).nonzero()[0]) if not bool(same.all()) else None
    row = {"frames": len(same), "first_different": first}
    yield f"codes with graphs and without: {'all the same' if first is None else f'the same up to frame {first}'}", row


def pages(bench: Bench) -> Iterator[Line]:
    """Chunks of mixed lengths: seconds in refilled slots and in the package's batches, for the same takes."""
    luck, slots = random.Random(0), 10
    texts = [" ".join(luck.choices(WORDS, k=luck.choice([1, 2, 4, 6, 10, 16]))) for _ in range(bench.plan.chunks)]
    requests = [
        Request(str(number), Chunk(number, 0, "", text, text, "en", 0.0, 0, 0), Voice())
        for number, text in enumerate(texts)
    ]
    runtime = bench.runtime(slots)
    list(runtime.synthesize(requests[:2]))
    start = bench.clock()
    samples = sum(len(clip.samples) for clips in runtime.synthesize(requests) for clip in clips)
    ours = bench.clock() - start
    runtime.close()
    start = bench.clock()
    clips = StockRuntime(bench.prompts, Sampling(), slots).speak(requests)
    theirs = bench.clock() - start
    alike = sum(len(clip.samples) for clip in clips) / samples
    row = {"slots": slots, "fast_s": ours, "stock_s": theirs, "ratio": theirs / ours, "same_frames": alike}
    text = "{0} chunks of mixed lengths, 10 at once: {fast_s:.1f} s, the package {stock_s:.1f} s, {ratio:.1f} times"
    yield text.format(bench.plan.chunks, **row), row


def gpu_tests(bench: Bench) -> Iterator[Line]:
    """The tests that need a GPU; the one of growing slots alone, in a process in which nothing was recorded before."""
    growth = "test_slots_that_grow_are_recorded_anew"
    apart = (("growing slots, alone", growth), ("all others", f"not {growth}"))
    for name, chosen in apart if bench.cuda else (("all", ""),):
        command = [sys.executable, "-m", "pytest", "-m", "gpu", "-k", chosen, "tests/test_qwen_fast_gpu.py"]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=min(600.0, max(5.0, bench.plan.left() - 2))
            )
        except subprocess.TimeoutExpired:
            yield f"GPU tests, {name}: not done in time", {"tests": name, "passed": None}
            continue
        said = (done.stdout + done.stderr).strip()
        row = {"tests": name, "passed": done.returncode == 0 and " passed" in said, "said": said[-2000:]}
        yield f"GPU tests, {name}: {said.splitlines()[-1] if said else 'nothing was said'}", row


def _least_ms(bench: Bench) -> float:
    """Milliseconds to read once what a frame needs of the weights, at the speed this device copies memory."""
    import torch

    talker = bench.package.model.talker
    predictor = talker.code_predictor
    once = [*talker.model.layers.parameters(), talker.codec_head.weight, *predictor.lm_head.parameters()]
    bytes_read = sum(parameter.nbytes for parameter in once)
    bytes_read += 15 * sum(parameter.nbytes for parameter in predictor.model.layers.parameters())
    block = torch.zeros(2**28 if bench.cuda else 2**24, dtype=torch.float32, device=bench.device)
    other = block.clone()
    seconds = min(bench.seconds(lambda: other.copy_(block)) for _ in range(bench.plan.runs))
    return 1000 * bytes_read * seconds / (2 * block.nbytes)


# In the order of their worth: a run that is cut has the first ones. With the seconds under which none is begun, on a
# GPU; on a CPU the tiny model takes a tenth.
PARTS: dict[str, tuple[float, Callable[[Bench], Iterator[Line]]]] = {
    "first": (20, first_piece),
    "steady": (30, steady),
    "package": (15, package_at_its_best),
    "frames": (20, frames),
    "profile": (10, profile),
    "switches": (20, switches),
    "errors": (10, errors),
    "agreement": (10, agreement),
    "tests": (60, gpu_tests),
    "pages": (20, pages),
}
