"""What measuring costs: `python benchmarks/recorder_cost.py [TEXT] [-e espeak] [--pairs 40]`.

The same text is read with the recorder and without it, by turns, on the path of a listener with a sink that takes
everything at once. Of the two, and of the order of the two, neither has an advantage. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from narrate.bench.listener import NullSink
from narrate.bench.measure import PHRASES_BYTES, Workload, open_workload, warm_up
from narrate.clock import OFF, Clock, Recorder
from narrate.engines.table import engine_lengths
from narrate.pipeline import LazyList
from narrate.playback.player import Player
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis.narrator import Narrator
from narrate.text.book import TextOptions, open_book

STORY = Path(__file__).parents[1] / "samples" / "lighthouse.en.txt"


def once(workload: Workload, clock: Clock) -> tuple[float, float]:
    """Wall and processor seconds of reading the text with this clock."""
    wall, processor = time.perf_counter(), time.process_time()
    book = open_book(workload.source, workload.text, clock)
    script = LazyList(clock.each("chunk", book.script(engine_lengths(workload.engine.name)).since(0)))
    narrator = Narrator(workload.engine, workload.voice, MemoryTakes(PHRASES_BYTES), workload.key(), clock=clock)
    Player(script, narrator, [lambda _: NullSink()]).play()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description="What measuring costs.")
    parser.add_argument("text", nargs="?", default=str(STORY))
    parser.add_argument("-e", "--engine", default="espeak")
    parser.add_argument("--pairs", type=int, default=40)
    options = parser.parse_args()
    workload = open_workload(options.text, options.engine, TextOptions())
    seconds: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    stages = 0
    with closing(workload.engine):
        warm_up(workload)
        once(workload, OFF)
        for pair in range(options.pairs):
            for name in ("without", "with") if pair % 2 else ("with", "without"):
                recorder = Recorder()
                seconds[name].append(once(workload, recorder if name == "with" else OFF))
                stages = sum(map(len, recorder.stages.values())) or stages
    recorder = Recorder()
    start = time.perf_counter()
    for _ in range(100_000):
        with recorder.stage("any"):
            pass
    each = (time.perf_counter() - start) / 100_000
    walls = {name: median(wall for wall, _ in found) for name, found in seconds.items()}
    figures = {
        "pairs": options.pairs,
        "wall_seconds_without": walls["without"],
        "wall_seconds_with": walls["with"],
        "wall_share": median(
            one[0] / other[0] for one, other in zip(seconds["with"], seconds["without"], strict=True)
        ) - 1,
        "processor_share": median(
            one[1] / other[1] for one, other in zip(seconds["with"], seconds["without"], strict=True)
        ) - 1,
        "stages": stages,
        "seconds_per_stage": each,
        "reckoned_share": stages * each / walls["without"],
    }  # fmt: skip
    print(f"wall            {1e3 * walls['without']:.2f} ms without, {1e3 * walls['with']:.2f} ms with (medians)")
    print(f"of the wall     {figures['wall_share']:+.2%} (median over {options.pairs} pairs)")
    print(f"of this process {figures['processor_share']:+.2%} of its processor time")
    print(f"reckoned        {stages} stages of {1e9 * each:.0f} ns: {figures['reckoned_share']:.2%}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
