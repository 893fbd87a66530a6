"""Ways to put chunks into batches, against one another on the same engine; and what batches cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

from narrate.bench.measure import Batch, Noting, Run, Subject, open_subject, run
from narrate.errors import InputError
from narrate.text.document import Chunk

NEAR = 1.02  # a batch size within 2 % of the quickest is as good, and a smaller one needs less memory


@dataclass(slots=True)
class InOrder(Noting):
    """Full batches in reading order, from the first on."""

    def batches(self, chunks: Iterable[Chunk | None]) -> Iterator[list[Chunk]]:
        batch: list[Chunk] = []
        for chunk in chunks:
            if chunk is not None:
                batch.append(chunk)
            if batch and (chunk is None or len(batch) == self.batch_size):
                yield batch
                batch = []
        if batch:
            yield batch


def compare_strategies(subject: Subject, told: Callable[[str, float], object]) -> Iterator[tuple[str, Run]]:
    """One chunk at a time, full batches in order, and the planner. Raises `InputError` for what plans for itself."""
    if subject.streams:
        raise InputError(f"The {subject.engine.name} engine refills its slots by itself: there are no batches to plan.")
    size = subject.batch_size
    planners = {
        "one chunk at a time": InOrder(1),
        f"batches of {size} in order": InOrder(size),
        "this planner": Noting(size),
    }
    for name, planner in planners.items():
        yield name, run(subject, planner, told=lambda sound, name=name: told(name, sound))  # type: ignore[misc]


def compare_sizes(
    subject: Subject, sizes: Sequence[int], told: Callable[[str, float], object]
) -> Iterator[tuple[int, Run]]:
    """The same text with batches (or slots) of each size, for nobody who waits: as a file is written."""
    for size in sizes:
        sized, own = _with_rows(subject, size)
        name = f"{'slots' if subject.streams else 'batches'} of {size}"
        try:
            yield size, run(sized, Noting(size), buffer=lambda: inf, told=lambda sound, name=name: told(name, sound))  # type: ignore[misc]
        finally:
            if own:
                sized.engine.close()


def _with_rows(subject: Subject, size: int) -> tuple[Subject, bool]:
    """The subject with an engine for `size` rows at once, and whether that is another engine than the subject's."""
    known = inspect.signature(type(subject.engine)).parameters
    option = "slots" if subject.streams else "batch_size"
    if option in known:
        simulate = subject.simulated is not None
        return open_subject(subject.source, subject.spec, subject.text, simulate=simulate, **{option: size}), True
    if subject.streams:
        raise InputError(f"How many chunks the {subject.engine.name} engine takes at once cannot be set.")
    return subject, False


def best_size(runs: Sequence[tuple[int, Run]]) -> int | None:
    """The smallest size that is about as quick as the quickest."""
    found = [(size, run.rtf) for size, run in runs if run.rtf is not None and run.complete]
    if not found:
        return None
    quickest = min(rtf for _, rtf in found)
    return min(size for size, rtf in found if rtf <= NEAR * quickest)


@dataclass(frozen=True, slots=True)
class Fit:
    """A batch takes a + b × its longest row + c × its rows, in seconds; `error` is how far off that is on average."""

    a: float
    b: float
    c: float
    error: float
    batches: int

    @property
    def spec(self) -> str:
        """The tone engine that costs as much."""
        return f"tone:a={self.a:.3g},b={self.b:.3g},c={self.c:.3g}"


def fit(batches: Sequence[Batch]) -> Fit | None:
    """The costs that explain the batches best, none below zero; None if there are too few to tell.

    Least squares of the error relative to each batch's seconds.
    """
    import numpy as np

    if len({(len(batch.rows), round(max(batch.rows), 1)) for batch in batches}) < 3:
        return None
    seconds = np.array([batch.seconds for batch in batches])
    facts = np.array([[1.0, max(batch.rows), len(batch.rows)] for batch in batches]) / seconds[:, None]
    weights = np.zeros(3)
    least = np.inf
    for kept in (list(some) for count in (1, 2, 3) for some in combinations(range(3), count)):
        found, *_ = np.linalg.lstsq(facts[:, kept], np.ones(len(batches)), rcond=None)
        off = float(np.sum(np.square(facts[:, kept] @ found - 1)))
        if (found >= 0).all() and off < least:
            least, weights = off, np.zeros(3)
            weights[kept] = found
    error = float(np.mean(np.abs(facts @ weights - 1)))
    return Fit(float(weights[0]), float(weights[1]), float(weights[2]), error, len(batches))
