"""What members add, and that none is missed: `python -m benchmarks.pool_members [--kills 50] [--seed 1]`.

First two processes with an engine against one, by turns, the fastest of several: the test signal with a cost (which
waits, so that it shows what the pool itself takes) and eSpeak (which needs the processor's cores). Then exports by two
members, of which one is killed (SIGKILL) again and again at random moments; each file must be byte-identical to that of
an export without a pool. A table, then one line of JSON; exit code 1 if a file differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from narrate.bench.machine import commit, describe
from narrate.clock import OFF
from narrate.engines.table import load_engine
from narrate.voice import Voice
from tests.killed import novel
from tests.speech import a_chunk, clips_of, requests, whole

COSTLY = "tone:c=0.06"
SENTENCE = {
    COSTLY: "He went.",
    "espeak": "The keeper of the light went down to the harbour before the tide had turned, and came back late.",
}
CHUNKS = {COSTLY: 200, "espeak": 400}
EACH = 10  # kills in an export
LOADED_SECONDS = 4.0  # a process that is so old is at work, also on a busy machine


def seconds_of(spec: str, members: int, chunks: int) -> float:
    """To make so many chunks with so many processes, once they are ready."""
    engine = load_engine(f"pool:{members}*{spec}")
    engine.prepare(Voice(), OFF)
    asked = requests([a_chunk(number, f"{number}. {SENTENCE[spec]}") for number in range(chunks)])
    begin = time.perf_counter()
    clips = whole(clips_of(engine, asked))
    seconds = time.perf_counter() - begin
    engine.close()
    assert len(clips) == chunks
    return seconds


def gain(spec: str, times: int) -> dict[str, object]:
    chunks = CHUNKS[spec]
    found = [(seconds_of(spec, 1, chunks), seconds_of(spec, 2, chunks)) for _ in range(times)]
    one, two = min(one for one, _ in found), min(two for _, two in found)
    return {"engine": spec, "chunks": chunks, "one": round(one, 2), "two": round(two, 2), "times": round(one / two, 2)}


def export(source: Path, engine: str, target: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "narrate", str(source), "-e", engine, "--no-store", "-q", "-o", str(target)]
    return subprocess.Popen(command, env=os.environ | {"NARRATE_HOME": str(target.parent)})


def kill_members(process: subprocess.Popen[bytes], luck: random.Random) -> int:
    """Kill a member now and then until the export ends, at most EACH times; one that is at work or still loading, but
    never the only one that may be at work. Returns how many were killed."""
    kills = 0
    while process.poll() is None:
        time.sleep(luck.uniform(0.5, 5.0))
        if kills == EACH or process.poll() is not None:
            continue
        try:
            members = psutil.Process(process.pid).children()
        except psutil.NoSuchProcess:
            break
        mine = [each for each in members if "narrate.engines.worker" in " ".join(each.cmdline())]
        old = [each for each in mine if time.time() - each.create_time() > LOADED_SECONDS]
        if len(mine) == 2 and old:
            victim = luck.choice(mine) if len(old) == 2 else next(each for each in mine if each not in old)
            os.kill(victim.pid, signal.SIGKILL)
            kills += 1
    return kills


def disturbed(folder: Path, kills: int, seed: int) -> dict[str, object]:
    source = folder / "novel.txt"
    source.write_text(novel(sentences=700, seed=seed))
    whole_file = folder / "whole.wav"
    assert export(source, "tone", whole_file).wait() == 0
    luck, killed, same, codes = random.Random(seed), 0, 0, []
    exports = 0
    while killed < kills:
        exports += 1
        target = folder / f"{exports}.wav"
        process = export(source, "pool:2*tone:c=0.05", target)
        killed += kill_members(process, luck)
        codes.append(process.wait())
        same += target.exists() and target.read_bytes() == whole_file.read_bytes()
    return {"kills": killed, "exports": exports, "same": same, "codes": sorted(set(codes))}


def main() -> int:
    parser = argparse.ArgumentParser(description="Two members against one, and members that are killed.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--times", type=int, default=3, help="that the speeds are compared; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    gains = [gain(spec, given.times) for spec in CHUNKS] if given.times else []
    print(f"{'ENGINE':20} {'CHUNKS':>6} {'ONE':>8} {'TWO':>8}  TIMES AS FAST")
    for each in gains:
        print(
            f"{each['engine']:20} {each['chunks']:6} {each['one']:6} s {each['two']:6} s  {each['times']}",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:
        killed = disturbed(Path(folder), given.kills, given.seed)
    print(f"{killed['kills']} kills in {killed['exports']} exports: {killed['same']} files as without")
    machine = describe()
    figures = {"gains": gains, **killed, "load": os.getloadavg()[0], "commit": commit()}
    print(json.dumps({**figures, "cores": machine.cores, "processor": machine.processor, "python": machine.python}))
    return 0 if killed["same"] == killed["exports"] and killed["codes"] == [0] else 1


if __name__ == "__main__":
    raise SystemExit(main())
