"""What was found about one take: what a recogniser of speech heard, and how the take sounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields

from narrate.text.document import Chunk


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` says in a few words what is wrong with the take, and is empty for a good one.

    `heard` is the text that `recogniser` heard, None if no recogniser listened. `rate` is the share of the written
    sounds that were heard otherwise (text/comparison), and may be above 1. `measures` are the figures of the sound by
    their names, with their units in them. `tries` counts the takes that were made of the chunk, this one included.
    """

    why: str = ""
    heard: str | None = None
    recogniser: str = ""
    rate: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    tries: int = 1

    @property
    def good(self) -> bool:
        return not self.why

    @property
    def badness(self) -> tuple[bool, float]:
        """By this takes are put in order, the better first."""
        return not self.good, self.rate or 0.0


_AFTER_WHY = [each.name for each in fields(Verdict)][1:]


def error_rate(judged: Iterable[tuple[Chunk, Verdict]]) -> float | None:
    """The share that was heard otherwise, by the length of the texts; None if nobody listened."""
    heard = [(verdict.rate, len(chunk.spoken)) for chunk, verdict in judged if verdict.rate is not None]
    total = sum(length for _, length in heard)
    return sum(rate * length for rate, length in heard) / total if total else None


def written(verdict: Verdict) -> str:
    """The verdict as it is kept beside its take: one line of JSON."""
    return json.dumps({**asdict(verdict), "measures": dict(verdict.measures)}, ensure_ascii=False)


def read_verdict(text: str | None) -> Verdict | None:
    """The verdict that was kept; None if there is none, or if another version of narrate wrote something else."""
    try:
        kept = json.loads(text or "")
        return Verdict(kept["why"], **{name: kept[name] for name in _AFTER_WHY if name in kept})
    except (ValueError, TypeError, KeyError):
        return None
