"""How soon the first sound comes: `python benchmarks/first_sound.py [BOOK] [--runs 7]`. Linux with PortAudio.

The real command reads BOOK with espeak into a recorded device, in a new home each time; what counts is the time from
the start of the process to the first sample that the device gets. Its parts are measured one after the other in a
process of their own; in the command the device is opened while the text is read. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.recorded import Recorder, alsa_recorder  # noqa: E402

SAMPLE_RATE = 22_050  # of espeak
PARTS = """
import json, sys, time
begin = float(sys.argv[2])
parts = {}
def done(name):
    global begin
    now = time.monotonic()
    parts[name] = now - begin
    begin = now
done("python")
import narrate.cli.main
done("import: command line")
import narrate.terminal.listen
done("import: reading")
from narrate.text.book import TextOptions, open_book
book = open_book(sys.argv[1], TextOptions())
done("load the book")
from narrate.engines.table import engine_lengths
first = book.script(engine_lengths("espeak")).get(0)
done("first chunk of text")
from narrate.engines import Request
from narrate.engines.espeak import Espeak
from narrate.voice import Voice
engine, voice = Espeak(), Voice(language=book.language)
engine.synthesize_batch([Request("1", first, voice)])
done("start the engine, first sound")
[clip] = engine.synthesize_batch([Request("2", first, voice)])
done("(the same sound again)")
from narrate.sinks import portaudio
portaudio.load()
done("import: PortAudio")
from narrate.sinks.speaker import Speaker
speaker = Speaker(engine.sample_rate)
done("open the device")
speaker.write(clip)
speaker.abort()
engine.close()
print(json.dumps(parts))
"""


def first_sound(book: Path) -> float:
    """Seconds from the start of `narrate BOOK` to the first sample at the device."""
    with tempfile.TemporaryDirectory() as name:
        recorder = _recorder(Path(name))
        begin = time.monotonic()
        command = [sys.executable, "-m", "narrate", str(book), "--engine", "espeak", "--quiet"]
        with subprocess.Popen(command, env=recorder.env, cwd=ROOT) as reading:
            while not _first(recorder) and reading.poll() is None:
                time.sleep(0.01)
            reading.kill()  # ALSA's file device breaks an assertion when a stream is aborted
        recorder.read()  # the tape has ended: its folder may go
        return recorder.times()[0][0] - begin


def _first(recorder: Recorder) -> list[tuple[float, int]]:
    return recorder.times()[:1] if Path(f"{recorder.raw}.times").exists() else []


def _recorder(folder: Path) -> Recorder:
    recorder = alsa_recorder(folder, paced=True, sample_rate=SAMPLE_RATE)
    recorder.env["NARRATE_HOME"] = str(folder / "home")
    return recorder


def parts(book: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", PARTS, str(book), str(time.monotonic())]
        ended = subprocess.run(command, env=_recorder(Path(name)).env, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = json.loads(ended.stdout)
        return found


def help_shown() -> float:
    begin = time.monotonic()
    subprocess.run([sys.executable, "-m", "narrate", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begin


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("book", nargs="?", type=Path, default=ROOT / "samples" / "lighthouse.en.txt")
    arguments.add_argument("--runs", type=int, default=7)
    chosen = arguments.parse_args()
    heard = [first_sound(chosen.book.resolve()) for _ in range(chosen.runs)]
    measured = [parts(chosen.book.resolve()) for _ in range(chosen.runs)]
    medians = {name: statistics.median(run[name] for run in measured) for name in measured[0]}
    helped = statistics.median(help_shown() for _ in range(chosen.runs))
    for name, seconds in medians.items():
        print(f"{name:32}{seconds:8.3f} s")
    print(f"\n{'process start to first sample':32}{statistics.median(heard):8.3f} s", end="")
    print(f"   ({min(heard):.3f} … {max(heard):.3f})")
    print(f"{'narrate --help':32}{helped:8.3f} s\n")
    figures = {"book": chosen.book.name, "runs": chosen.runs, "cpus": os.cpu_count(), "first_sound_s": heard}
    print(json.dumps({**figures, "parts_s": medians, "help_s": helped}))


if __name__ == "__main__":
    main()
