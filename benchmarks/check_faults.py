"""Is what is wrong with a take found, and what is right let pass?

`python -m benchmarks.check_faults FOLDER [--seed 1]`: FOLDER holds alice.txt, sanguo.txt and wagahai.sjis.txt. Takes of
these books (eSpeak and Open JTalk) get a fault each: words cut out, doubled, added, swapped or replaced, so that the
voice really says something else; the end cut; another voice; 6 dB louder or softer; two semitones higher; half the
speed; a click; a murmur at the end. Measures and the course of the voice judge the sound. What is heard is told by a
stand-in for a recogniser, which errs as real ones do; its error rate is measured on good takes. A table, then one line
of JSON; exit code 1 if more than one good take in fifty is blamed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from narrate.bench.machine import commit, describe
from tests.checked import Checked, Found, check

# Language: book, engine, voice, another voice, good takes, takes with each fault.
BOOKS = {
    "en": ("alice.txt", "espeak", "en-us", "en-us+f1", 450, 20),
    "zh": ("sanguo.txt", "espeak", "cmn", "cmn+f1", 450, 20),
    "ja": ("wagahai.sjis.txt", "openjtalk", None, None, 100, 10),
}
MOST_BLAMED = 0.02


def added(founds: list[Found]) -> Found:
    return Found(*(sum(values) for values in zip(*(asdict(found).values() for found in founds), strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the takes, to be done sooner")
    options = parser.parse_args()
    results: dict[str, Checked] = {}
    for language, (book, engine, voice, other, good, faulty) in BOOKS.items():
        print(f"{language}: {engine} reads {book}", file=sys.stderr, flush=True)
        results[language] = check(
            options.folder / book, engine, voice, other, good=round(good * options.share),
            faulty=max(1, round(faulty * options.share)), seed=options.seed, now=time.thread_time,
        )  # fmt: skip
    names = list(results["en"].faults)
    table = {name: added([found.faults[name] for found in results.values() if name in found.faults]) for name in names}
    print(f"{'fault':<20}{'takes':>7}{'by sound':>10}{'by text':>9}{'found':>7}   " + "   ".join(results))
    for name, found in table.items():
        parts = "  ".join(
            f"{each.faults[name].by_either}/{each.faults[name].takes}" if name in each.faults else "–"
            for each in results.values()
        )
        print(f"{name:<20}{found.takes:>7}{found.by_sound:>10}{found.by_text:>9}{found.by_either:>7}   {parts}")
    good = added([found.good for found in results.values()])
    parts = "  ".join(f"{each.good.by_either}/{each.good.takes}" for each in results.values())
    print(
        f"{'none (false alarms)':<20}{good.takes:>7}{good.by_sound:>10}{good.by_text:>9}{good.by_either:>7}   {parts}"
    )
    seconds = sum(found.seconds for found in results.values())
    measuring = sum(found.measuring_seconds for found in results.values())
    rates = {language: round(found.error_rate, 4) for language, found in results.items()}
    print(f"The recogniser heard otherwise: {', '.join(f'{name} {rate:.1%}' for name, rate in rates.items())}")
    print(f"Figures of {seconds / 60:.0f} minutes of sound took {measuring:.1f} s: 1/{seconds / measuring:.0f} of it")
    for language, found in results.items():
        for reason in found.reasons:
            print(f"  {language}: {reason}")
    line = {
        "benchmark": "check_faults",
        "commit": commit(),
        "machine": asdict(describe()),
        "seed": options.seed,
        "faults": {name: asdict(found) for name, found in table.items()},
        "languages": {
            language: {name: asdict(each) for name, each in found.faults.items()} for language, found in results.items()
        },
        "good": asdict(good),
        "error_rates": rates,
        "measuring_ratio": measuring / seconds,
    }
    print(json.dumps(line, ensure_ascii=False))
    return 1 if good.by_either > MOST_BLAMED * good.takes else 0


if __name__ == "__main__":
    raise SystemExit(main())
