"""Listen for real to an engine that is slower than speech with one row: first sound, gaps, memory.

    python benchmarks/slow_listening.py BOOK [--chapters 1] [--minutes 15] [--round 0.964,0.112] [--slots 10]

The engine of tones costs what a model costs: a + c × rows seconds for a round of four frames (0.32 s of sound in every
row). It plays in real time into a PulseAudio sink that can run dry, and is ended after so many minutes of sound.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.recorded import pulse_recorder

RATE = 24_000
FRAMES = "0.32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book")
    parser.add_argument("--chapters")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--round", default="0.964,0.112", help="a,c: seconds of a round, and of each row in it")
    parser.add_argument("--slots", type=int, default=10)
    given = parser.parse_args()
    a, c = given.round.split(",")
    spec = f"tone-stream:piece={FRAMES},a={a},c={c},slots={given.slots}"
    command = [sys.executable, "-m", "narrate", given.book, "-e", spec, "--no-store", "--from-start"]
    command += ["--chapters", given.chapters] if given.chapters else []
    with tempfile.TemporaryDirectory() as home, pulse_recorder(RATE) as recorder:
        started = time.monotonic()
        child = subprocess.Popen(command, env={**recorder.env, "NARRATE_HOME": home}, stderr=subprocess.PIPE, text=True)
        first, memory = _watch(child, recorder.raw, started, 60 * given.minutes)
        assert child.stderr is not None
        said = child.stderr.read()
        assert recorder.server is not None
        recorder.server.kill()
        sound = recorder.read()
    silences = _silences(sound)
    print(f"{Path(given.book).name}, a round {a} + {c} s × rows, {given.slots} slots")
    print(f"first sound after {first:.1f} s; of {len(sound) / RATE - first:.0f} s after it:")
    print(f"silences of a second or longer: {[round(length, 2) for length in silences if length > 1.3]}")
    print(f"memory, MB, once a minute: {[round(used) for used in memory[::6]]}")
    print(said.strip().splitlines()[-1] if said.strip() else "")
    gaps = re.search(r"(\d+) gaps?\b", said)
    figures = {"first": round(first, 2), "gaps": int(gaps[1]) if gaps else 0, "memory_mb": memory, "spec": spec}
    print(json.dumps({"bench": "slow_listening", **figures, "longest_silence": max(silences, default=0.0)}))


def _watch(child: subprocess.Popen[str], raw: Path, started: float, seconds: float) -> tuple[float, list[float]]:
    """When the first sound came, and the memory in MB every ten seconds; the reading is ended after so long."""
    import psutil

    process, first, memory = psutil.Process(child.pid), 0.0, []
    while child.poll() is None and (not first or time.monotonic() - started - first < seconds):
        if not first and _sounds(raw):
            first = time.monotonic() - started
        if len(memory) < (time.monotonic() - started) / 10:
            memory.append(process.memory_info().rss / 1e6)
        time.sleep(0.1)
    if child.poll() is None:
        os.kill(child.pid, signal.SIGTERM)
        child.wait()
    return first, memory


def _sounds(raw: Path) -> bool:
    with raw.open("rb") as file:
        file.seek(max(0, raw.stat().st_size - 4 * RATE) // 4 * 4)
        return bool(np.frombuffer(file.read(4 * RATE), "<f4").any())


def _silences(sound: np.ndarray) -> list[float]:
    """The lengths of all silences between the first sound and the last."""
    loud = np.flatnonzero(np.abs(sound) > 1e-4)
    return [float(gap) / RATE for gap in np.diff(loud) if gap > RATE // 10]


if __name__ == "__main__":
    main()
