"""What becomes of a take that is bad: another attempt, two halves, or silence that names the failure. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from narrate.errors import EngineError

ATTEMPTS = 3  # a take and two re-takes, then the chunk is cut in two
RAISED_AT_MOST = 5  # chunks in a row that an engine may raise over, with nothing made in between


@dataclass(frozen=True, slots=True)
class Again:
    """Ask for the same text once more, with another seed; `alone`: with nothing else in the engine."""

    attempt: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Cut the text in two and ask for each half, beginning with this attempt."""

    attempt: int = 0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Silence in its place, and a line with its text."""


@dataclass(frozen=True, slots=True)
class HandOn:
    """Hand on the best take that there is."""


Step = Again | Split | GiveUp


def next_step(attempt: int, *, raised: bool, divisible: bool, deterministic: bool) -> Step:
    """What to do after the take of that `attempt` (0 is the first) was bad.

    An engine that `raised` an error rarely does better when it is asked again: it gets one more attempt, alone, so that
    it takes no other chunk down with it. One that is `deterministic` would give the same take again.
    """
    following = max(attempt + 1, ATTEMPTS - 1) if raised else attempt + 1
    if following < ATTEMPTS and not deterministic:
        return Again(following, alone=raised)
    if divisible:
        return Split(ATTEMPTS - 1 if raised else 0, alone=raised)
    return GiveUp()


def next_try(
    attempt: int, tries: int, *, good: bool, wanted: int, divisible: bool, deterministic: bool
) -> Again | Split | HandOn:
    """What to do once slow judges have judged so many `tries`, the last of them that `attempt`. `good`: the best of
    them is; `wanted` takes shall be made of a chunk in any case.

    Of a bad take there are as many attempts as of one that quick judges turn down, and the halves are one more.
    """
    if deterministic:
        return HandOn()
    if tries < max(wanted, 1 if good else ATTEMPTS):
        return Again(attempt + 1)
    return HandOn() if good or not divisible else Split()


@dataclass(slots=True)
class FailureLimit:
    """Counts the chunks that an engine raised over since it last made something. After too many it is given up."""

    indexes: set[int] = field(default_factory=set)

    def count(self, index: int, why: str, error: Exception | None = None) -> None:
        """The engine raised over the chunk of that index. Raises `EngineError` if that is one chunk too many."""
        self.indexes.add(index)
        if len(self.indexes) > RAISED_AT_MOST:
            message = f"The voice engine fails again and again ({why}). Try another with --engine."
            raise EngineError(message) from error

    def forget(self) -> None:
        """The engine has made something."""
        self.indexes.clear()
