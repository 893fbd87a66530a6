"""Ways to make batches, on real books and engines of different cost: `python benchmarks/planner_strategies.py BOOK …`.

Time is simulated. For every engine: one chunk at a time, batches of ten in order, our planner; and the least that any
plan could do, by trying all of them on the first chunks. With `--whole` the whole book is read, else its chapter 1.
A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

from narrate.bench.measure import Workload, open_workload
from narrate.bench.strategies import compare_strategies
from narrate.pace import chunk_seconds
from narrate.text.book import TextOptions, open_book
from narrate.text.document import Chunk

# Ten chunks of 7 s take 17 s in one batch; how that divides decides everything. The first is fitted to both figures
# known of a stock Qwen3-TTS on an RTX 3080: 17 s for ten chunks and RTF 0.37 for six (15.5 s), so a row more costs
# 0.37 s and the rest goes by the longest row, as the model's steps do.
ENGINES = {
    "seed": "tone:a=0.3,b=1.86,c=0.37",
    "seed, rows for nothing": "tone:b=2.429",
    "seed, a third by rows": "tone:a=0.3,b=1.58,c=0.57",
    "seed, by rows": "tone:a=0.3,c=1.67",
    "seed, by sound": "tone:rtf=0.2429",
    "twice the seed's speed": "tone:a=0.15,b=0.93,c=0.185",
    "quicker than speech alone": "tone:a=0.1,b=0.45,c=0.05",
    "a quick runtime": "tone:a=0.05,b=0.2,c=0.02",
    "RTF 0.8 whatever the batch": "tone:rtf=0.8",
    "eSpeak NG": "tone:rtf=0.005",
}
FIRST = 10  # chunks that all plans are tried on


def costs(spec: str) -> Callable[[Sequence[float]], float]:
    """What a batch costs the tone engine, by the seconds of its rows."""
    known = dict(part.split("=") for part in spec.partition(":")[2].split(","))
    a, b, c, rtf = (float(known.get(name, 0)) for name in ("a", "b", "c", "rtf"))
    return lambda rows: a + b * max(rows) + c * len(rows) + rtf * sum(rows)


def least_wait(chunks: Sequence[Chunk], cost: Callable[[Sequence[float]], float]) -> float:
    """How late the first sound must be for no gap to follow among these chunks, in whatever batches they are made.

    No plan's first sound and gaps together are less either: waiting longer at first can replace every gap.
    """
    rows = [chunk_seconds(chunk) for chunk in chunks]
    heard = [0.0]  # how long after the first sound each chunk begins
    for row, chunk in zip(rows, chunks, strict=True):
        heard.append(heard[-1] + row + chunk.pause)
    every = (1 << len(rows)) - 1
    sets = [[at for at in range(len(rows)) if made >> at & 1] for made in range(every + 1)]
    price = [cost([rows[at] for at in some]) if some else inf for some in sets]
    due = [min((heard[at] for at in some), default=inf) for some in sets]

    def enough(wait: float) -> bool:
        ready = [inf] * (every + 1)  # by the set of chunks made
        ready[0] = 0.0
        for made in range(every):
            rest = every & ~made
            some = rest if ready[made] < inf else 0
            while some:
                done = ready[made] + price[some]
                if done <= wait + due[some] and done < ready[made | some]:
                    ready[made | some] = done
                some = (some - 1) & rest
        return ready[every] < inf

    low, high = 0.0, price[every]
    while high - low > 0.02 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def row_of(book: str, name: str, spec: str, *, whole: bool) -> dict[str, object]:
    workload: Workload = open_workload(book, spec, TextOptions(chapters=None if whole else "1"), simulate=True)
    script = workload.script(open_book(book, workload.text), workload.recorder())
    chunks = [chunk for at in range(FIRST) if (chunk := script.get(at)) is not None]
    found = {
        strategy: {"first": run.first, "gaps": len(run.gaps), "silence": run.silence, "rtf": run.rtf}
        for strategy, run in compare_strategies(workload, lambda what, sound: None)
    }
    return {"book": Path(book).name, "engine": name, "spec": spec, "least": least_wait(chunks, costs(spec)), **found}


def shown(row: dict[str, object]) -> str:
    one, fixed, ours = (list(row.values())[at] for at in (4, 5, 6))
    sooner = fixed["first"] / ours["first"]  # type: ignore[index]
    parts = [
        f"{row['engine']:27}",
        *(
            f"{found['first']:6.2f} {found['gaps']:5} {found['silence']:8.1f} {found['rtf']:6.3f} │"
            for found in (one, fixed, ours)
        ),  # type: ignore[index]
        f"{sooner:5.1f} × {ours['rtf'] / fixed['rtf'] - 1:+6.1%}  {row['least']:6.2f}",  # type: ignore[index]
    ]
    return " ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ways to make batches, in simulated time.")
    parser.add_argument("books", nargs="+")
    parser.add_argument("--engine", action="append", choices=list(ENGINES), help="only this one")
    parser.add_argument("--whole", action="store_true", help="the whole book, not chapter 1 alone")
    options = parser.parse_args()
    rows = []
    for book in options.books:
        print(f"\n{Path(book).name}: first sound (s), gaps, silence in them (s), RTF")
        heads = " │ ".join(f"{head:>28}" for head in ("one chunk at a time", "batches of 10 in order", "our planner"))
        print(f"{'':27} {heads} │ sooner    RTF  least")
        for name in options.engine or ENGINES:
            rows.append(row_of(book, name, ENGINES[name], whole=options.whole))
            print(shown(rows[-1]), flush=True)
    print(json.dumps(rows, ensure_ascii=False))


if __name__ == "__main__":
    main()
