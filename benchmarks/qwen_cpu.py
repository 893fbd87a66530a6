"""What a frame of Qwen3-TTS costs on a CPU: `python benchmarks/qwen_cpu.py [--sizes 0.6b] [--slots 1 10]`.

Needs no weights: it makes checkpoints of random numbers in the released shapes (--folder keeps them for another run),
which cost the same time as the real ones. Every row stands at 250 positions and does not end. Each number type is a
process of its own; the processes take turns, and of each the quickest turn counts, which is the least disturbed one.

`--distance` measures instead how far each type's scores are from float32's: talker and code predictor are given the
same inputs (teacher forcing), and the scores of the first and of the last code of a frame are compared.
`--before FOLDER` measures another checkout of narrate beside this one, in the types that it has; `--package 10` the
package's own loop in a batch of 10. With one thread the processor's own time is counted, so others may use the machine.
A table, then one line of JSON; both also go to --out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
if "QWEN_CPU_TREE" not in os.environ:
    sys.path.insert(0, str(HERE))

CONTEXT = 250
BLOCK = 4
TYPES = ["float32", "bfloat16", "int8"]


class Measured:
    """A process that holds a model loaded by the narrate of `tree`, and measures when it is told to."""

    def __init__(self, tree: Path, folder: Path, dtype: str, threads: int, batch: int) -> None:
        self.tree, self.dtype, self.batch = tree, dtype, batch
        environment = os.environ | {
            "PYTHONPATH": str(tree),
            "QWEN_CPU_TREE": str(tree),
            "OMP_NUM_THREADS": str(threads),
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", str(folder), "--dtypes", dtype, "--threads", str(threads)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.loaded = self._answer()

    def turn(self, slots: int, frames: int) -> dict[str, float]:
        assert self._process.stdin is not None
        print(slots, frames, self.batch, file=self._process.stdin, flush=True)
        return self._answer()

    def scores(self, path: Path) -> None:
        """Scores for the same inputs, whatever the type, into the file."""
        assert self._process.stdin is not None
        print(path, file=self._process.stdin, flush=True)
        self._answer()

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.dtype} of {self.tree} failed")
        answer: dict[str, float] = json.loads(line)
        return answer


def child(folder: Path, dtype: str, threads: int) -> None:
    """Load, say so, and measure a turn for every line of the input: slots, frames, batch (0 for narrate's own loop)."""
    import psutil
    import torch

    from benchmarks.qwen_native import endless
    from narrate.engines.qwen.loading import import_package, load
    from narrate.engines.qwen.models import find_model
    from narrate.engines.qwen.prompts import Prompts

    import_package()
    torch.set_num_threads(threads)
    start = time.perf_counter()
    package = load(folder, "cpu", dtype)
    seconds = time.perf_counter() - start
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    prompts = Prompts(package, find_model(str(folder), dtype, None))
    print(json.dumps({"load_s": seconds, "load_peak_gb": _peak()}), flush=True)
    runners: dict[int, Any] = {}
    with endless(package.model):
        for line in sys.stdin:
            if not line[0].isdigit():
                _write_scores(package.model.talker, Path(line.strip()))
                print("{}", flush=True)
                continue
            slots, frames, batch = map(int, line.split())
            answer = (_package if batch else _own)(prompts, batch or slots, frames, clock, runners)
            memory = {"own_gb": psutil.Process().memory_full_info().uss / 1e9, "peak_gb": _peak()}
            print(json.dumps(answer | memory), flush=True)


def _write_scores(talker: Any, path: Path) -> None:
    """Scores [64, codes] of a frame's first and last code, for 64 frames of any codes."""
    import numpy as np
    import torch

    from narrate.engines.qwen.cache import causal
    from narrate.engines.qwen.transformer import Layers

    def attend(_: int, query: Any, key: Any, value: Any) -> Any:
        return causal(query[None], key[None], value[None])

    predictor = talker.code_predictor
    luck = torch.Generator().manual_seed(0)
    codes = torch.randint(2048, (64, 16), generator=luck)
    books = [talker.model.codec_embedding, *predictor.model.codec_embedding]
    with torch.inference_mode():
        heard = torch.stack([book(codes[:, number]) for number, book in enumerate(books)], dim=1)
        layers = Layers(talker.model)
        hidden = layers.last_norm(layers(heard.sum(1), layers.rope(64), attend))
        first = talker.codec_head(hidden)
        layers = Layers(predictor.model)
        states = []
        for one, before in zip(hidden, heard, strict=True):
            steps = predictor.small_to_mtp_projection(torch.cat([one[None], before[:15]]))
            states.append(layers(steps, layers.rope(16), attend)[-1:])
        last = predictor.lm_head[-1](layers.last_norm(torch.cat(states)))
    np.savez(path, first=first.float().numpy(), last=last.float().numpy())


def distances(given: argparse.Namespace, size: str, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import numpy as np
    import torch

    made = {}
    with tempfile.TemporaryDirectory() as passing:
        for dtype in dict.fromkeys(["float32", *given.dtypes]):
            one = Measured(HERE, folder, dtype, given.threads, 0)
            one.scores(path := Path(passing) / f"{dtype}.npz")
            one.close()
            made[dtype] = {name: torch.from_numpy(array) for name, array in np.load(path).items()}
    yield "| model | type | code | error of scores, of their spread | divergence, nats | same likeliest |", {}
    yield "|---|---|---|---:|---:|---:|", {}
    for dtype, scores in made.items():
        for name, found in scores.items():
            true = made["float32"][name]
            error = float((found - true).std() / true.std())
            logs, others = ((value / 0.9).log_softmax(-1) for value in (true, found))
            nats = float((logs.exp() * (logs - others)).sum(-1).mean())
            same = float((true.argmax(-1) == found.argmax(-1)).float().mean())
            row = {"size": size, "type": dtype, "code": name, "error": error, "nats": nats, "same": same}
            yield f"| {size} | {dtype} | {name} | {error:.2%} | {nats:.1e} | {same:.0%} |", row


def _own(prompts: Any, slots: int, frames: int, clock: Any, runners: dict[int, Any]) -> dict[str, float]:
    import torch

    from narrate.engines.qwen.options import Sampling
    from narrate.engines.qwen.runner import Runner

    package = prompts.package
    if slots not in runners:
        runners.clear()
        runner = Runner(package, package._merge_generate_kwargs(**Sampling().for_package()), slots)
        seats = _seats(prompts, slots)
        start = clock()
        for first in range(0, slots, 8):
            runner.begin(seats[first : first + 8])
        runner.prefill_ms = 1000 * (clock() - start) / slots
        runner.advance(slots, CONTEXT)
        runners[slots] = runner
    runner = runners[slots]
    with torch.inference_mode():  # nobody has ended
        runner._state.position[:slots] = CONTEXT
        runner._state.ended[:slots] = False
    blocks = frames // BLOCK
    start = clock()
    for _ in range(blocks):
        runner.advance(slots, CONTEXT)
    whole = clock() - start
    start = clock()
    with torch.inference_mode():
        for _ in range(blocks):
            runner.vocoder.decode(runner._state.codes[:slots])
    sound = clock() - start
    each = 1000 / (blocks * BLOCK)
    return {"frame_ms": whole * each, "sound_ms": sound * each, "prefill_ms": runner.prefill_ms}


def _seats(prompts: Any, slots: int) -> list[Any]:
    """Rows that do not end, for all slots."""
    from benchmarks.qwen_native import a_request
    from narrate.engines.qwen.draws import row_uniforms

    requests = [a_request(slot, 20) for slot in range(slots)]
    try:
        from narrate.engines.qwen.embedding import Embedding
        from narrate.engines.qwen.seats import Seat

        texts = Embedding(prompts)(requests)
    except ImportError:  # a checkout from before prompts were embedded by code of our own
        from narrate.engines.qwen.fast import embedded
        from narrate.engines.qwen.runner import Seat

        texts = embedded(prompts.package.model, prompts.arguments(requests))
    return [Seat(slot, text, row_uniforms(slot, 900), 10**6) for slot, text in enumerate(texts)]


def _package(prompts: Any, batch: int, frames: int, clock: Any, _: dict[int, Any]) -> dict[str, float]:
    from benchmarks.qwen_native import one_run
    from narrate.engines.qwen.options import Sampling
    from narrate.engines.qwen.stock import StockRuntime

    codes, sound = one_run(StockRuntime(prompts, Sampling(), batch), batch, frames, clock)
    return {"frame_ms": 1000 * (codes + sound) / frames, "sound_ms": 1000 * sound / frames}


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def floor(threads: int) -> dict[str, float]:
    """What this machine can: bytes read and float32 operations in a second, with so many threads."""
    import torch

    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    block, square = torch.zeros(2**26), torch.randn(1024, 1024)
    work = {"read_gb_per_s": (block.sum, block.nbytes), "gflop_per_s": (lambda: square @ square, 2 * 1024**3)}
    found = {}
    for name, (run, amount) in work.items():
        spent = []
        for _ in range(6):
            start = clock()
            run()
            spent.append(clock() - start)
        found[name] = amount / min(spent) / 1e9
    return found


def lines(given: argparse.Namespace, size: str, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with ExitStack() as opened:
        kinds: list[tuple[str, Measured]] = []

        def open_(name: str, *of: Any) -> None:
            kinds.append((name, Measured(*of)))
            opened.callback(kinds[-1][1].close)

        for dtype in given.dtypes:
            if given.before and dtype != "int8":
                open_(f"{dtype}, before", given.before, folder, dtype, given.threads, 0)
            open_(dtype, HERE, folder, dtype, given.threads, 0)
        if given.package:
            dtype = given.package_dtype
            tree = given.before or HERE
            open_(f"the package, {dtype}", tree, folder, dtype, given.threads, given.package)
        for name, one in kinds:
            text = "{0}, {1}: loaded in {load_s:.1f} s, {load_peak_gb:.1f} GB at most"
            yield text.format(size, name, **one.loaded), {"size": size, "type": name, **one.loaded}
        yield "", {}
        yield "| model | type | slots | frame ms | of it sound | RTF | prefill ms a row | GB of its own |", {}
        yield "|---|---|---:|---:|---:|---:|---:|---:|", {}
        for slots in given.slots:
            best: dict[str, dict[str, float]] = {}
            for _ in range(given.turns):
                for name, one in kinds:
                    if one.batch and slots != given.slots[-1]:
                        continue
                    turn = one.turn(slots, given.frames)
                    best[name] = min(best.get(name, turn), turn, key=lambda answer: answer["frame_ms"])
            for name, one in kinds:
                if name in best:
                    row = {"size": size, "type": name, "slots": one.batch or slots, **best[name]}
                    row["rtf"] = row["frame_ms"] / 80 / row["slots"]
                    prefill = f"{row['prefill_ms']:.0f}" if "prefill_ms" in row else ""
                    yield (
                        (
                            f"| {size} | {name} | {row['slots']} | {row['frame_ms']:.0f} | {row['sound_ms']:.0f} "
                            f"| {row['rtf']:.2f} | {prefill} | {row['own_gb']:.1f} |"
                        ),
                        row,
                    )


@contextmanager
def checkpoint(size: str, kept: Path | None) -> Iterator[Path]:
    from tests.qwen_checkpoint import make_checkpoint

    with tempfile.TemporaryDirectory() as passing:
        folder = (kept or Path(passing)) / size
        yield folder if (folder / "config.json").exists() else make_checkpoint(folder, size)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["0.6b", "1.7b"], choices=["tiny", "0.6b", "1.7b"])
    parser.add_argument("--slots", nargs="+", type=int, default=[1, 10, 16, 32])
    parser.add_argument("--dtypes", nargs="+", default=TYPES, choices=TYPES)
    parser.add_argument("--frames", type=int, default=8, help="in a turn, a multiple of 4")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="else the cores of this process")
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--package", type=int, default=0, help="its batch")
    parser.add_argument("--package-dtype", default="bfloat16", choices=TYPES[:2])
    parser.add_argument("--folder", type=Path, help="where checkpoints are and stay")
    parser.add_argument("--distance", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.dtypes[0], given.threads)
        return
    from narrate.engines.qwen.processor import this_processor

    given.threads = given.threads or this_processor().threads
    machine = {"processor": str(this_processor()), "threads": given.threads, **floor(given.threads)}
    text = [", ".join(f"{name} {value}" for name, value in machine.items()), ""]
    print("\n".join(text), flush=True)
    rows = []
    for size in given.sizes:
        with checkpoint(size, given.folder) as folder:
            for line, row in (distances if given.distance else lines)(given, size, folder):
                print(line, flush=True)
                text.append(line)
                rows += [row] if row else []
    text.append(json.dumps({"benchmark": "qwen_cpu", **machine, "versions": _versions(), "rows": rows}))
    print(text[-1])
    if given.out:
        given.out.write_text("\n".join(text) + "\n", encoding="utf-8")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout
    return {name: version(name) for name in ("torch", "qwen-tts", "llvmlite")} | {"commit": commit.strip()}


if __name__ == "__main__":
    main()
