"""How long a text takes to become chunks: `python benchmarks/text_speed.py [BOOK …] [--runs 3]`. Not on Windows.

Each book is repeated to 3 MB of UTF-8, and to 2, 4 and 8 times that, each length in a process of its own: seconds of
processor time to read it, to make it sayable and to cut it, and the most memory the process ever had. Time grows with
that power of the length: 1.00 is linear. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from narrate.text.chunking.chunks import cut
from narrate.text.readers import read_file
from narrate.text.spoken.normalize import normalize

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.txt"))
MEGABYTES = 3
TIMES = (1, 2, 4, 8)
PARTS = ("read", "normalize", "cut")


def measure(path: Path) -> dict[str, float]:
    """Seconds for each part, in this process, and its peak of memory in MB."""
    began = time.process_time()
    document = read_file(path)
    read = time.process_time()
    document = normalize(document)
    sayable = time.process_time()
    chunks = sum(1 for _ in cut(document))
    done = time.process_time()
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return {
        "read": read - began, "normalize": sayable - read, "cut": done - sayable, "total": done - began,
        "memory_mb": memory, "chunks": chunks,
    }  # fmt: skip


def in_a_new_process(path: Path, runs: int) -> dict[str, float]:
    """The medians of some runs."""
    command = [sys.executable, __file__, "--one", str(path)]
    found = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(runs)]
    return {name: statistics.median(run[name] for run in found) for name in found[0]}


def long_text(book: Path) -> str:
    """The body of a book, with its markup, again and again until it has the length asked for."""
    document = read_file(book)
    chunks = list(cut(document))
    body = document.source[chunks[0].start : chunks[-1].end] + "\n\n"
    return body * math.ceil(MEGABYTES * 1e6 / len(body.encode()))


def compare(book: Path, folder: Path, runs: int) -> dict[str, object]:
    """Print a book's part of the table and return its figures."""
    text = long_text(book)
    rows = {}
    for times in TIMES:
        path = folder / f"{times}.txt"
        path.write_text(text * times, encoding="utf-8")
        row = rows[times] = in_a_new_process(path, runs)
        size = path.stat().st_size / 1e6
        parts = "".join(f"{row[part]:11.2f}" for part in (*PARTS, "total"))
        print(
            f"{book.name:32}{times:2}×{size:8.1f}{parts}{row['total'] / size:10.3f}{row['memory_mb']:8.0f}", flush=True
        )
    first, last = rows[TIMES[0]], rows[TIMES[-1]]
    growth = {part: math.log(last[part] / first[part], TIMES[-1]) for part in (*PARTS, "total")}
    print(f"{'  grows with the power':44}" + "".join(f"{growth[part]:11.2f}" for part in (*PARTS, "total")))
    return {"book": book.name, "megabytes": MEGABYTES, "growth": growth, "by_times": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a text takes to become chunks.")
    parser.add_argument("books", nargs="*", type=Path, default=SAMPLES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    print(
        f"{'book':34} {'MB':>8}" + "".join(f"{name:>11}" for name in (*PARTS, "total")) + f"{'s/MB':>10}{'MB peak':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps([compare(book, Path(folder), options.runs) for book in options.books]))


if __name__ == "__main__":
    main()
