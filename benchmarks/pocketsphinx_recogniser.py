"""PocketSphinx as a recogniser for --recogniser: a program that keeps to the lines of narrate/checking/child.py.

    narrate check BOOK --recogniser "ENVIRONMENT/bin/python benchmarks/pocketsphinx_recogniser.py"

Its package (pip install pocketsphinx) brings a small English model along. It is a recogniser of the time before neural
networks: a real one that errs much.
"""

from __future__ import annotations

import json
import sys
import wave


def main() -> None:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    print(json.dumps({"ready": "pocketsphinx en-us", "batch": 1}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        with wave.open(asked["audio"]) as file:
            data = file.readframes(file.getnframes())
        decoder.start_utt()
        decoder.process_raw(data, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        print(json.dumps({"id": asked["id"], "text": found.hypstr if found else ""}), flush=True)


if __name__ == "__main__":
    main()
