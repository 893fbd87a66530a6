"""Interrupts exports: `python -m benchmarks.interrupts [--each 100] [--formats wav,flac,mp3,opus] [--seed 1]`.

For every format an export is interrupted again and again, by SIGINT and SIGTERM in turns, at a random moment from the
start of the program to just before its end. Each time it must end with the right exit code, without a traceback, and
leave neither a part of the file nor the file itself, unless that is as long as the one of an undisturbed export. A line
per format, then one line of JSON; exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.killed import novel

FORMATS = ("wav", "flac", "mp3", "opus")
SECONDS = 60.0  # for anything the program does
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def export(folder: Path, suffix: str) -> list[str]:
    voice = ("-e", "tone:rtf=0.002,rate=24000", "--max-chars", "60", "--no-store")
    target = folder / f"book.{suffix}"
    return [sys.executable, "-m", "narrate", str(folder / "novel.txt"), *voice, "-o", str(target)]


def undisturbed(folder: Path, suffix: str) -> tuple[float, int]:
    """The seconds of the quicker of two exports, and the length of their file in bytes."""
    seconds = []
    for _ in range(2):
        start = time.monotonic()
        subprocess.run([*export(folder, suffix), "--force"], check=True, stderr=subprocess.DEVNULL)
        seconds.append(time.monotonic() - start)
    length_bytes = (folder / f"book.{suffix}").stat().st_size
    for path in folder.glob("book.*"):
        path.unlink()
    return min(seconds), length_bytes


def interrupted(folder: Path, suffix: str, number: signal.Signals, wait: float, length_bytes: int) -> str:
    """What came of one export: "interrupted", "interrupted after the end", "finished", or what was wrong.

    length_bytes is the length of a complete file.
    """
    running = subprocess.Popen(export(folder, suffix), stderr=subprocess.PIPE, text=True)
    time.sleep(wait)
    running.send_signal(number)
    try:
        _, said = running.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()
        return f"did not end within {SECONDS:.0f} s"
    target = folder / f"book.{suffix}"
    complete = target.exists()
    if complete:
        found_bytes = target.stat().st_size
        target.unlink()
        target.with_suffix(".cue").unlink(missing_ok=True)  # of formats without chapters
    left = sorted(path.name for path in folder.iterdir() if path.name != "novel.txt")
    for name in left:
        (folder / name).unlink()
    if left:
        return f"left {left}"
    if complete and found_bytes != length_bytes:
        return f"a file of {found_bytes} bytes instead of {length_bytes}"
    if "Traceback" in said or "defect" in said:
        return f"said {said}"
    if running.returncode == 0 and complete:
        return "finished"
    # Before Python itself has begun, the system ends it: shells report that as 128 + number, too.
    if running.returncode in (128 + number, -number):
        return "interrupted after the end" if complete else "interrupted"
    return f"exit code {running.returncode}, the file is {'complete' if complete else 'absent'}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Interrupt exports again and again.")
    parser.add_argument("--each", type=int, default=100, help="interrupts of each format")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--sentences", type=int, default=60, help="length of the text")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    figures: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "novel.txt").write_text(novel(sentences=options.sentences, seed=options.seed))
        for suffix in options.formats.split(","):
            whole, length_bytes = undisturbed(folder, suffix)
            outcomes = Counter(
                interrupted(folder, suffix, SIGNALS[number % 2], chance.uniform(0.05, 0.95) * whole, length_bytes)
                for number in range(options.each)
            )
            figures[suffix] = dict(outcomes)
            print(f"{suffix:5} {whole:5.1f} s undisturbed  {dict(outcomes)}", flush=True)
    right = ("interrupted", "interrupted after the end", "finished")
    wrong = sum(count for found in figures.values() for what, count in found.items() if what not in right)
    print(json.dumps({"each": options.each, "seed": options.seed, "outcomes": figures, "wrong": wrong}))
    return min(1, wrong)


if __name__ == "__main__":
    sys.exit(main())
