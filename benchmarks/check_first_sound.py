"""What --check costs a listener: `python benchmarks/check_first_sound.py [--runs 5] [--recogniser NAME]`.

Readings of one text with and without a recogniser take turns in one run, so that both meet the same machine. What
counts is the time until the first sound goes to the sink, and how late later sound was. The voice is espeak; the
recogniser is a stand-in that is at work for half a second on every take, unless another is named. A table, then one
line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from narrate.checking.course import Courses  # noqa: E402
from narrate.checking.examiner import Examiner  # noqa: E402
from narrate.checking.recogniser import open_recogniser  # noqa: E402
from narrate.clip import Clip  # noqa: E402
from narrate.engines.choose import open_engine  # noqa: E402
from narrate.reading.session import Session  # noqa: E402
from narrate.sinks import Sink  # noqa: E402
from narrate.store.in_memory import MemoryTakes  # noqa: E402
from narrate.text.book import TextOptions, open_book  # noqa: E402
from narrate.voice import Voice  # noqa: E402

SETTLE_SECONDS = 0.5  # after each reading, so that its end does not disturb the next one's beginning
STAND_IN = f"{sys.executable} {ROOT / 'tests' / 'recogniser_stand_in.py'} slow"


@dataclass
class Listener(Sink):
    """Hears at the pace of speech, times `speed`, and notes when the first sound came and how long it had to wait."""

    speed: float
    began: float
    first: float | None = None
    late_seconds: float = 0.0
    is_heard: bool = field(default=True, init=False)
    _until: float = 0.0

    def write(self, clip: Clip) -> None:
        now = time.perf_counter()
        if self.first is None and len(clip.samples) and not clip.pause:
            self.first = now - self.began
            self._until = now
        self.late_seconds += max(0.0, now - self._until - 0.05)
        self._until = max(now, self._until) + clip.seconds / self.speed
        time.sleep(max(0.0, self._until - now - 0.02))

    def abort(self) -> None: ...


def reading(text: Path, recogniser: str | None, seconds: float, speed: float) -> tuple[float, float, int]:
    """Seconds until the first sound, seconds that later sound was late, and takes that were judged."""
    book, voice = open_book(str(text), TextOptions()), Voice()
    ears: list[Listener] = []

    def opener(_: int) -> Listener:
        ears.append(Listener(speed, began))
        return ears[0]

    hears = open_recogniser(recogniser) if recogniser else None
    examiner = Examiner(hears, Courses().follow) if hears else None
    engine, _ = open_engine("espeak", voice, book.language)
    with closing(engine):
        began = time.perf_counter()
        session = Session(book, engine, voice, MemoryTakes(), [opener], listening=True, examiner=examiner)
        with session:
            session.wait(seconds)
            session.transport.stop()
    if hears is not None:
        hears.close()
    assert ears[0].first is not None
    return ears[0].first, ears[0].late_seconds, session.stats.checked


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("book", nargs="?", type=Path, default=ROOT / "samples" / "lighthouse.en.txt")
    arguments.add_argument("--runs", type=int, default=4)
    arguments.add_argument("--seconds", type=float, default=7.0, help="of each reading")
    arguments.add_argument("--speed", type=float, default=8.0, help="of the ear")
    arguments.add_argument("--recogniser", default=STAND_IN)
    chosen = arguments.parse_args()
    found: dict[str, list[tuple[float, float, int]]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as home:
        os.environ["NARRATE_HOME"] = home
        for run in range(chosen.runs + 1):
            pair = [("without", None), ("with", chosen.recogniser)]
            for name, recogniser in pair if run % 2 else reversed(pair):
                time.sleep(SETTLE_SECONDS)
                figures = reading(chosen.book.resolve(), recogniser, chosen.seconds, chosen.speed)
                if run:  # the first of each warms what is read from the disk
                    found[name].append(figures)
    print(f"{'--check':10}{'first sound, least':>20}{'median':>10}{'late':>10}{'judged':>10}")
    rows = {}
    for name, runs in found.items():
        firsts, late, judged = zip(*runs, strict=True)
        rows[name] = {"least_s": min(firsts), "median_s": statistics.median(firsts), "late_s": max(late)}
        print(f"{name:10}{min(firsts):18.3f} s{statistics.median(firsts):8.3f} s{max(late):8.2f} s{sum(judged):10}")
    ratio = rows["with"]["least_s"] / rows["without"]["least_s"]
    print(f"\nfirst sound with / without, least of {chosen.runs}: {ratio:.2f}")
    print(json.dumps({"runs": chosen.runs, "cpus": os.cpu_count(), "ratio": ratio, **rows}))


if __name__ == "__main__":
    main()
