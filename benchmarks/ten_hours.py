"""Memory over hours of sound: `python benchmarks/ten_hours.py BOOK [-e espeak] [--chapters 1-40] [--svg FILE]`.

Reads the book as for a listener who takes everything at once, and watches what this process has in memory, alone and
with its children (eSpeak runs in one, which is replaced now and then). Prints the use over time and the growth per
hour, then one line of JSON; draws the plot where `--svg` says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from narrate.bench.machine import memory_bytes
from narrate.bench.measure import growth, open_workload, run
from narrate.store.in_memory import MemoryTakes
from narrate.terminal.listen import LISTENING_CACHE_BYTES
from narrate.text.book import TextOptions

WIDTH, HEIGHT, MARGIN = 760, 300, 60


def drawn(lines: Mapping[str, Sequence[tuple[float, int]]], title: str) -> str:
    """An SVG of megabytes over hours, a line for each colour; the points are of seconds and bytes."""
    every = [point for points in lines.values() for point in points]
    hours = max(at for at, _ in every) / 3600
    top = 1.15 * max(used for _, used in every) / 1e6

    def x(hour: float) -> float:
        return MARGIN + hour / hours * (WIDTH - 2 * MARGIN)

    def y(used: float) -> float:
        return HEIGHT - MARGIN - used / top * (HEIGHT - 2 * MARGIN)

    paths = ""
    for colour, points in lines.items():
        few = points[:: max(1, len(points) // 500)]
        line = " ".join(f"{x(at / 3600):.1f},{y(used / 1e6):.1f}" for at, used in few)
        paths += f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    step = 50 if top > 150 else 20
    across = "".join(
        f'<path d="M{MARGIN} {y(used):.1f}H{WIDTH - MARGIN}" stroke="#ddd"/>'
        f'<text x="{MARGIN - 8}" y="{y(used) + 4:.1f}" text-anchor="end">{used}</text>'
        for used in range(0, int(top) + 1, step)
    )
    below = "".join(
        f'<text x="{x(hour):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{hour}</text>'
        for hour in range(int(hours) + 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        f'<text x="{MARGIN}" y="24" font-size="14">{title}</text>{across}{below}'
        f'<text x="{MARGIN - 8}" y="{MARGIN - 16}" text-anchor="end">MB</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 16}" text-anchor="middle">hours of sound</text>'
        f"{paths}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory over hours of sound.")
    parser.add_argument("book")
    parser.add_argument("-e", "--engine", default="espeak")
    parser.add_argument("--chapters")
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    workload = open_workload(options.book, options.engine, TextOptions(chapters=options.chapters))
    shown, own = [0.0], list[tuple[float, int]]()

    def told(sound: float) -> None:
        own.append((sound, memory_bytes(children=False) or 0))
        if sound >= shown[0]:
            shown[0] += 1800
            print(f"{sound / 3600:.1f} h", end=" ", file=sys.stderr, flush=True)

    with closing(workload.engine):
        found = run(workload, takes=MemoryTakes(LISTENING_CACHE_BYTES), told=told)
    hours = found.memory[-1][0] / 3600
    title = f"{workload.engine.name}, {workload.name}: {hours:.1f} hours of sound"
    print(file=sys.stderr)
    for hour in range(int(hours) + 1):
        used, alone = (next(used for at, used in points if at >= 3600 * hour) / 1e6 for points in (found.memory, own))
        print(f"{hour:3} h {used:7.1f} MB, without children {alone:6.1f} MB {'█' * round(alone / 4)}")
    grown = {name: (growth(points) or 0.0) / 1e6 for name, points in (("with", found.memory), ("alone", own))}
    figures = {
        "book": workload.name, "engine": workload.spec, "hours": hours, "wall_seconds": found.elapsed, "rtf": found.rtf,
        "peak_mb": max(used for _, used in found.memory) / 1e6, "peak_alone_mb": max(used for _, used in own) / 1e6,
        "growth_mb_per_hour": grown["with"], "growth_alone_mb_per_hour": grown["alone"],
    }  # fmt: skip
    title += f"; {grown['alone']:+.2f} MB per hour (this process), {grown['with']:+.2f} (with children, grey)"
    print(title)
    if options.svg is not None:
        options.svg.write_text(drawn({"#bbb": found.memory, "#2563eb": own}, title), encoding="utf-8")
    print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()
