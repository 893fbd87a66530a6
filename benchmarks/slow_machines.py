"""Listen to engines that are slower than speech with one row, in simulated time: `python benchmarks/slow_machines.py`.

    python benchmarks/slow_machines.py BOOK [--chapters 1] [--minutes 15]

The engine of tones costs what Qwen3-TTS 0.6B was measured to cost on two cores (a round of four frames takes 0.964 s
and 0.112 s more for each row), and what it would cost on more. What a row costs is arithmetic and falls with the cores.
What a round costs is reading the weights, and falls until memory is as quick as it gets: here twice as quick as two
cores read it. Takes are longer and shorter than expected by a fifth with `--luck 0.2`. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from narrate.bench import measure
from narrate.engines import tone
from narrate.pace import expected_seconds
from narrate.text.book import TextOptions

ROUND = 0.32
TWO_CORES = (0.964, 0.112)


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    a: float
    c: float
    slots: int


def machines() -> list[Machine]:
    a, c = TWO_CORES
    found = [Machine("2 cores, half as quick", 2 * a, 2 * c, 10)]
    for cores in (2, 4, 8, 16):
        found.append(Machine(f"{cores} cores", a / min(2, cores / 2), c / (cores / 2), 16))
    found.append(Machine("2 cores as wanted (1 row 2.0, 10 rows 0.48)", 0.542, 0.0994, 16))
    return found


def listen(book: str, chapters: str | None, machine: Machine) -> dict[str, Any]:
    spec = f"tone-stream:piece={ROUND},a={machine.a},c={machine.c},slots={machine.slots}"
    workload = measure.open_workload(book, spec, TextOptions(chapters=chapters), simulate=True)
    found = measure.run(workload)
    file = measure.run(workload, buffered=lambda: inf)
    return {
        "machine": machine.name,
        "slots": machine.slots,
        "rtf_1": (machine.a + machine.c) / ROUND,
        "rtf_slots": (machine.a + machine.c * machine.slots) / ROUND / machine.slots,
        "first": found.first,
        "gaps": len(found.gaps),
        "silence": found.silence,
        "sound": found.sound,
        "rtf_file": file.rtf,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book")
    parser.add_argument("--chapters")
    parser.add_argument("--luck", type=float, default=0.0, help="by how much the lengths of takes spread, as 0.2")
    given = parser.parse_args()
    if given.luck:
        luck = random.Random(1)
        spread = cache(lambda text: luck.lognormvariate(0, given.luck))
        tone.expected_seconds = lambda text, language: spread(text) * expected_seconds(text, language)
    rows = [listen(given.book, given.chapters, machine) for machine in machines()]
    print(f"{Path(given.book).name}, {rows[0]['sound'] / 60:.0f} min of sound, lengths ± {given.luck:.0%}\n")
    print("| machine | slots | RTF of 1 row | of all | first sound, s | gaps | silence in them, s | file, RTF |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row['machine']} | {row['slots']} | {row['rtf_1']:.2f} | {row['rtf_slots']:.2f} | {row['first']:.1f} | "
            f"{row['gaps']} | {row['silence']:.0f} | {row['rtf_file']:.2f} |"
        )
    print(json.dumps({"bench": "slow_machines", "book": Path(given.book).name, "luck": given.luck, "rows": rows}))


if __name__ == "__main__":
    main()
