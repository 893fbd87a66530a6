"""A recogniser of speech for tests: a program that keeps to the lines of narrate/checking/child.py and hears no speech.

    python tests/recogniser_stand_in.py MODE [FILE]

What it says of a take is the length of its sound in tenths of a second; with a FILE of JSON, what stands there for the
sound's checksum. MODE is `hear`, or what goes wrong: see `MODES`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import wave
from pathlib import Path

MODES = {
    "hear": "nothing goes wrong",
    "refuse": "it cannot start",
    "die": "it ends at its first take, each time that it is started",
    "die-at-long": "it ends at every take longer than two seconds",
    "die-once": "it ends at its third take if FILE is not there, and leaves FILE",
    "hang": "it never answers",
    "noise": "it prints what is no answer",
    "slow": "half a second for each take",
}


def checksum(samples: bytes) -> str:
    return hashlib.md5(samples).hexdigest()


def main() -> None:
    mode, *files = sys.argv[1:]
    known = json.loads(Path(files[0]).read_text()) if files and mode != "die-once" else {}
    if mode == "refuse":
        print(json.dumps({"error": "there is no model"}), flush=True)
        return
    print(json.dumps({"ready": f"stand-in {mode}", "batch": 4}), flush=True)
    waiting = []
    for number, line in enumerate(sys.stdin, 1):
        asked = json.loads(line)
        with wave.open(asked["audio"]) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            count, data = file.getnframes(), file.readframes(file.getnframes())
        if mode == "die" or (mode == "die-at-long" and count > 32_000):
            print("it is too long for me", file=sys.stderr, flush=True)
            os._exit(7)
        if mode == "die-once" and number == 3 and not Path(files[0]).exists():
            Path(files[0]).touch()
            os.abort()
        if mode == "hang":
            time.sleep(600)
        if mode == "noise":
            print("loading…", "[1, 2]", "", '{"id": "unknown", "text": "x"}', sep="\n", flush=True)
        if mode == "slow":
            time.sleep(0.5)
        waiting.append({"id": asked["id"], "text": known.get(checksum(data), f"{round(count / 1600)} tenths")})
        if not asked["more"]:
            for each in reversed(waiting):
                print(json.dumps(each), flush=True)
            waiting = []


if __name__ == "__main__":
    main()
