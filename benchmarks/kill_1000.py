"""Kills exports 1,000 times: `python -m benchmarks.kill_1000 [--kills 1000] [--each 25] [--seed 1]`.

Round by round another text and another voice: an export is killed (SIGKILL) at random moments and started again, then
finished. Its file must be byte-identical to that of an export nobody disturbed, with at most one batch made again per
kill, no damaged take, and nothing left behind. A line per round, then one line of JSON; exit code 1 if a round failed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from narrate.store.store import Store
from tests.killed import BATCH, Export, kill_until_done, novel

VOICES = ("tone:rtf=0.01,rate=8000", "espeak", "tone-stream:rtf=0.01,rate=8000,slots=10")


def a_round(folder: Path, voice: str, kills: int, seed: int) -> dict[str, object]:
    """One text, exported twice: undisturbed, and killed `kills` times on the way."""
    source = folder / "novel.txt"
    source.write_text(novel(sentences=6 * kills, seed=seed))
    options = ("-e", voice, "--max-chars", "60")
    whole, killed = Export(folder / "whole", source, options), Export(folder / "killed", source, options)
    whole.finish()
    kill_until_done(killed, kills, random.Random(seed), most_takes=BATCH)
    with Store(killed.store) as store:
        damaged = len(store.verify().damaged)
    left = [path.name for path in killed.folder.glob(".*")] + [path.name for path in killed.store.glob("open/*")]
    again = killed.begun - whole.begun
    return {
        "voice": voice,
        "kills": killed.kills,
        "chunks": whole.begun,
        "made_again": again,
        "same": whole.target.read_bytes() == killed.target.read_bytes(),
        "damaged": damaged,
        "left_behind": left,
        "said": killed.said,
    }


def good(found: dict[str, object]) -> bool:
    again, kills = found["made_again"], found["kills"]
    assert isinstance(again, int)
    assert isinstance(kills, int)
    clean = not found["damaged"] and not found["left_behind"] and not found["said"]
    return bool(found["same"]) and clean and 0 <= again <= BATCH * kills


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill exports again and again.")
    parser.add_argument("--kills", type=int, default=1000, help="kills in all, at least")
    parser.add_argument("--each", type=int, default=25, help="kills in a round")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.monotonic()
    rounds: list[dict[str, object]] = []
    kills = again = chunks = 0
    while kills < options.kills:
        with tempfile.TemporaryDirectory() as name:
            found = a_round(
                Path(name), VOICES[len(rounds) % len(VOICES)], options.each, 1000 * options.seed + len(rounds)
            )
        rounds.append(found)
        kills, again, chunks = kills + found["kills"], again + found["made_again"], chunks + found["chunks"]  # type: ignore[operator]
        print(f"{kills:5} kills  {'right' if good(found) else 'WRONG'}  {found}", flush=True)
    failed = sum(not good(found) for found in rounds)
    minutes = (time.monotonic() - start) / 60
    figures = {
        "kills": kills,
        "rounds": len(rounds),
        "chunks": chunks,
        "made_again": again,
        "failed_rounds": failed,
        "minutes": round(minutes, 1),
        "seed": options.seed,
    }
    print(json.dumps(figures))
    return min(1, failed)


if __name__ == "__main__":
    sys.exit(main())
