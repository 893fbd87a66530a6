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

from narrate.bench.listener import Basket
from narrate.bench.measure import PHRASES, Subject, open_subject, warm_up
from narrate.clock import OFF, Clock, Recorder
from narrate.engines import engine_lengths
from narrate.pipeline import Growing
from narrate.playback.player import Player
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis.narrator import Narrator
from narrate.text.book import TextOptions, open_book

STORY = Path(__file__).parents[1] / "samples" / "lighthouse.en.txt"


def once(subject: Subject, clock: Clock) -> tuple[float, float]:
    """Wall and processor seconds of reading the text with this clock."""
    wall, processor = time.perf_counter(), time.process_time()
    book = open_book(subject.source, subject.text, clock)
    script = Growing(clock.each("chunk", book.script(engine_lengths(subject.engine.name)).since(0)))
    narrator = Narrator(subject.engine, subject.voice, MemoryTakes(PHRASES), subject.key(), clock=clock)
    Player(script, narrator, [Basket()]).play()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description="What measuring costs.")
    parser.add_argument("text", nargs="?", default=str(STORY))
    parser.add_argument("-e", "--engine", default="espeak")
    parser.add_argument("--pairs", type=int, default=40)
    options = parser.parse_args()
    subject = open_subject(options.text, options.engine, TextOptions())
    seconds: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    stages = 0
    with closing(subject.engine):
        warm_up(subject)
        once(subject, OFF)
        for pair in range(options.pairs):
            for name in ("without", "with") if pair % 2 else ("with", "without"):
                recorder = Recorder()
                seconds[name].append(once(subject, recorder if name == "with" else OFF))
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
