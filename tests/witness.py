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
from narrate.engines import ENGINES
from narrate.text.document import Chunk

WATCHED = ("tone", "tone-stream", "espeak")


def watch(kind: Any, note: Callable[[list[Chunk]], object]) -> None:
    """Have `note` hear of every chunk before the engine class does."""
    if hasattr(kind, "synthesize_batch"):
        speak_batch = kind.synthesize_batch

        def batch(self: Any, chunks: list[Chunk], voice: Any) -> Any:
            note(chunks)
            return speak_batch(self, chunks, voice)

        kind.synthesize_batch = batch
        return
    speak = kind.synthesize

    def seen(chunks: Iterable[Chunk | None]) -> Iterator[Chunk | None]:
        for chunk in chunks:
            if chunk is not None:
                note([chunk])
            yield chunk

    kind.synthesize = lambda self, chunks, voice: speak(self, seen(chunks), voice)


if __name__ == "__main__":
    notes = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for entry in ENGINES:
        if entry.name in WATCHED and entry.missing() is None:
            watch(
                entry.load(), lambda batch: os.write(notes, f"{' '.join(str(each.index) for each in batch)}\n".encode())
            )
    main()
