"""A tape machine, run as a program: `tape.py RAW [BYTES_PER_SECOND]` keeps the raw sound that comes in on stdin.

With a pace it takes the sound no faster than that, so that whoever sends it waits as for a real device (one that holds
as much as a pipe does, 64 KiB). RAW gets the bytes; RAW.times a line per read, "when (CLOCK_MONOTONIC) and how many
bytes"; RAW.end appears when all is written.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def record(raw: Path, bytes_per_second: float | None) -> None:
    start = received = 0.0
    with open(raw, "ab", buffering=0) as tape, open(f"{raw}.times", "a", buffering=1) as times:
        while data := os.read(0, 4096):
            now = time.monotonic()
            start = start or now
            tape.write(data)
            times.write(f"{now} {len(data)}\n")
            received += len(data)
            if bytes_per_second:
                time.sleep(max(0.0, start + received / bytes_per_second - time.monotonic()))
    Path(f"{raw}.end").touch()


if __name__ == "__main__":
    record(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else None)
