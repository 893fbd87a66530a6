"""Voice engines: the contract they keep, and the table to load one by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from narrate.clip import Clip
from narrate.text.document import Chunk
from narrate.voice import Voice


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """A line of `narrate voices`. `languages` are two-letter codes it is native to."""

    name: str
    languages: tuple[str, ...]
    description: str


class Engine(Protocol):
    """Turns chunks into clips. Built in no time; models load at the first `synthesize`, in the thread that calls it.

    `fingerprint` names everything of the engine that shapes its sound (package and model version, options): with the
    voice and the spoken text it is the key of a take. Only one thread calls an engine, `cancel` apart.
    """

    name: str
    sample_rate: int
    languages: frozenset[str]
    fingerprint: Mapping[str, str]

    def synthesize(self, chunks: Iterable[Chunk | None], voice: Voice) -> Iterator[Clip]:
        """Yield clips for the chunks pulled, in any order; every chunk pulled comes out exactly once.

        None among the chunks says: no more has arrived yet; go on with those in hand, then ask again.
        """
        ...

    def cancel(self) -> None:
        """Make the running `synthesize` end soon, between frames if it can. May be called from any thread."""
        ...

    def close(self) -> None:
        """Give memory and child processes back. May be called twice."""
        ...


class BatchEngine(Protocol):
    """What an engine that works in batches writes instead of `synthesize`: the narrator plans and retries for it."""

    name: str
    sample_rate: int
    languages: frozenset[str]
    fingerprint: Mapping[str, str]

    def synthesize_batch(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One clip per chunk (whole, `final=True`), in any order. Raising fails the batch, which is then split."""
        ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...
