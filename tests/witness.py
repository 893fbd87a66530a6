"""The `narrate` command with a witness, run as a program: `witness.py NOTES ARGUMENTS…`.

NOTES gets a line for every batch that an engine is asked for, the numbers of its chunks, before it is begun; engines
that take one chunk at a time get a line for each. Everything else is narrate as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from narrate.cli.main import main
from narrate.engines import Request
from narrate.engines.table import ENGINES

WATCHED = ("tone", "tone-stream", "espeak")


def watch(kind: Any, note: Callable[[list[Request]], object], *, batches: bool) -> None:
    """Have `note` hear of every request before the engine class does."""
    if batches:
        speak_batch = kind.synthesize_batch

        def batch(self: Any, requests: list[Request]) -> Any:
            note(requests)
            return speak_batch(self, requests)

        kind.synthesize_batch = batch
        return
    speak = kind.synthesize

    def seen(requests: Iterable[Request | None]) -> Iterator[Request | None]:
        for request in requests:
            if request is not None:
                note([request])
            yield request

    kind.synthesize = lambda self, requests: speak(self, seen(requests))


if __name__ == "__main__":
    notes = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(batch: list[Request]) -> None:
        os.write(notes, f"{' '.join(str(each.chunk.index) for each in batch)}\n".encode())

    for entry in ENGINES:
        if entry.name in WATCHED and entry.missing() is None:
            watch(entry.load(), write, batches=entry.batches)
    main()
