"""How quick a model is on this machine's processor: a few seconds of speech, made in a process of its own.

What the model takes in memory is given back when that process ends, and if the model does not fit, nothing else ends.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING

from narrate.engines.qwen import hub, models
from narrate.engines.tuning import Speed, keep_speed, speed_of
from narrate.errors import NarrateError

if TYPE_CHECKING:
    from narrate.engines import Request

_log = logging.getLogger(__name__)

FAILED = 99.0  # seconds for a second of speech, instead of a speed that could not be measured
SECONDS = 6.0  # of rounds with all rows, after the first two, which are slower
LIMIT_SECONDS = 240.0  # what takes so long, loading included, is too slow anyway
_TEXT = "It had rained all day, and so the lamp in the lighthouse was lit before noon, and nobody came to see it."


def not_chosen(*, measure: bool) -> str | None:
    """Why Qwen3-TTS should not be chosen on this processor; None if it is quick enough. `measure`: find it out if it is
    not known, which takes half a minute, once."""
    if not any(hub.found(name) for name in models.RELEASED[:2]):
        size = hub.about_gigabytes(models.for_processor())
        return f"its weights are not here yet; `narrate setup` fetches them ({size})"
    try:
        speed = known_speed(measure=measure)
    except NarrateError as error:
        return str(error).rstrip(".")
    if speed is None:
        return "how quick it is here is not known yet, `narrate setup` measures it"
    if speed.rtf >= FAILED:
        return "a trial of it failed here, `narrate setup` tries it again"
    if not speed.quick_enough:
        return f"it takes {speed.rtf:.2g} s for a second of speech here; -e qwen -o FILE writes a file all the same"
    return None


def known_speed(*, measure: bool, again: bool = False) -> Speed | None:
    """How quick the model that is here is on this processor; None if that is not known and must not be measured."""
    from narrate.engines.qwen import Qwen

    engine = Qwen(device="cpu", runtime="fast")
    speed = None if again else speed_of(engine.fingerprint)
    if speed is None and measure:
        _log.warning(
            "Measuring how quick %s is on this machine. This is done once, and takes about half a minute.",
            _of(engine.model),
        )
        speed = try_out(engine.model.name if engine.model.folder is None else str(engine.model.folder))
        with suppress(OSError):
            keep_speed(engine.fingerprint, speed)
    return speed


def try_out(model: str) -> Speed:
    """The speed of a model (as `Qwen` names it) that is here; `FAILED` if it does not run."""
    command = [sys.executable, "-m", __name__, model]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, stdin=subprocess.DEVNULL)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return Speed(**found)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError):
        return Speed(FAILED, 1)


def _of(model: models.Model) -> str:
    return model.name.rpartition("/")[2]


def main(model: str) -> None:
    """Measure in this process, and print what was found as one line of JSON."""
    from narrate.clock import OFF
    from narrate.engines.qwen import Qwen
    from narrate.voice import Voice

    engine = Qwen(model=model, device="cpu", runtime="fast")
    voice = Voice(language="en")
    engine.prepare(voice, OFF)
    feed = engine.feed
    assert feed is not None
    begun = None
    for number, _ in enumerate(engine.synthesize(_requests(voice))):
        if number == 2:
            begun = time.monotonic()
        if begun is not None and time.monotonic() - begun > SECONDS:
            break
    print(json.dumps(asdict(Speed(feed.rtf, feed.slots, feed.cost.a, feed.cost.c))), flush=True)


def _requests(voice: object) -> Iterator[Request]:
    from narrate.engines import Request
    from narrate.text.document import Chunk

    for number in count():
        text = f"{number}. {_TEXT}"
        yield Request(str(number), Chunk(number, 0, "", text, text, "en", 0.0, 0, 0), voice)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1])
