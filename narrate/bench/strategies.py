"""Ways to put chunks into batches, against one another on the same engine; and what batches cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import inf

from narrate.bench.measure import Batch, Run, Workload, open_workload, run
from narrate.engines import Request
from narrate.engines.planner import Planner
from narrate.errors import InputError

NEAR = 1.02  # a batch size within 2 % of the quickest is as good, and a smaller one needs less memory


@dataclass(slots=True)
class InOrder(Planner):
    """Full batches in reading order, from the first on."""

    def wanted(self, waiting: Sequence[Request]) -> int:
        del waiting
        return self.rows

    def choose(self, waiting: Sequence[Request], now: float) -> list[Request]:
        del now
        return list(waiting[: self.rows])


def compare_strategies(workload: Workload, told: Callable[[str, float], object]) -> Iterator[tuple[str, Run]]:
    """One chunk at a time, full batches in order, and the planner. Raises `InputError` for what plans for itself."""
    rows = workload.rows
    if rows is None:
        raise InputError(
            f"The {workload.engine.name} engine refills its slots by itself: there are no batches to plan."
        )
    planners = {
        "one chunk at a time": InOrder(1),
        f"batches of {rows} in order": InOrder(rows),
        "this planner": Planner(rows),
    }
    for name, planner in planners.items():
        yield name, run(workload, planner, told=lambda sound, name=name: told(name, sound))  # type: ignore[misc]


def compare_sizes(
    workload: Workload, sizes: Sequence[int], told: Callable[[str, float], object]
) -> Iterator[tuple[int, Run]]:
    """The same text with batches (or slots) of each size, for nobody who waits: as a file is written."""
    for size in sizes:
        name = f"{'batches' if workload.batched else 'slots'} of {size}"
        heard = partial(told, name)
        if workload.batched is not None:
            yield size, run(workload, Planner(size), buffered=lambda: inf, told=heard)
            continue
        simulate = workload.simulated is not None
        sized = open_workload(workload.source, workload.spec, workload.text, simulate=simulate, rows=size)
        with closing(sized.engine):
            yield size, run(sized, buffered=lambda: inf, told=heard)


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
