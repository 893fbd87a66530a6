"""How readers stand hostile texts: `python benchmarks/hostile_growth.py [NAME …] [--runs 3]`.

Each text that a careless reader would look at again and again (tests/growth.py) is read, made sayable and cut, at 20 kB
and at 80 kB: seconds of processor time, the least of some runs, and their ratio. 4 is in proportion to the length, 16
goes with its square. Then books of 20 MB in one line, each in a process of its own: seconds, and its peak of memory. A
table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.growth import HOSTILE, seconds

SIZES = (20_000, 80_000)
MEASURABLE = 0.002  # seconds
LINES = {"words": "some words of a line ", "sentences": "A sentence stands here. ", "漢字": "吾輩は猫である。"}
LINE_BYTES = 20_000_000
CHILD = """
import resource, sys
from narrate.cli.main import run
code = run(["chunks", "--stats", sys.argv[1], "-e", "tone"])
usage = resource.getrusage(resource.RUSAGE_SELF)
print(code, usage.ru_maxrss, usage.ru_utime + usage.ru_stime, file=sys.stderr)
"""


def growth(name: str, runs: int) -> dict[str, float]:
    """Print a row of the table and return its figures."""
    file, make = HOSTILE[name]
    small, large = (min(seconds(make(size), file) for _ in range(runs)) for size in SIZES)
    ratio = large / max(small, MEASURABLE)
    print(f"{name:36} {file:7} {small:9.3f} {large:9.3f} {ratio:7.1f}", flush=True)
    return {"small_seconds": small, "large_seconds": large, "ratio": ratio}


def one_line(name: str, folder: Path) -> dict[str, float]:
    """Print what 20 MB in one line take, and return it."""
    sentence = LINES[name].encode()
    path = folder / "line.txt"
    path.write_bytes(sentence * (LINE_BYTES // len(sentence)))
    command = [sys.executable, "-c", CHILD, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    code, kilobytes, took = map(float, done.stderr.split("\n")[-2].split())
    assert code == 0, done.stderr
    print(f"20 MB in one line of {name:15} {took:9.1f} s {kilobytes / 1000:9.0f} MB", flush=True)
    return {"seconds": took, "memory_mb": kilobytes / 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description="How readers stand hostile texts.")
    parser.add_argument("names", nargs="*", default=list(HOSTILE))
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for name in ("one long word", "nested boxes", "[^ in Markdown", "many Word runs", "many pages of a PDF"):
        seconds(HOSTILE[name][1](1000), HOSTILE[name][0])  # so that no row bears the loading of a library
    print(f"{'hostile text':36} {'file':7} {'20 kB, s':>9} {'80 kB, s':>9} {'ratio':>7}")
    found = {name: growth(name, options.runs) for name in options.names}
    with tempfile.TemporaryDirectory() as folder:
        lines = {name: one_line(name, Path(folder)) for name in LINES}
    print(json.dumps({"growth": found, "one_line": lines}, ensure_ascii=False))


if __name__ == "__main__":
    main()
