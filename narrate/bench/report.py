"""The figures for people: tables, bars and a plot, in eighty columns. Works from the same plain numbers as the JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from narrate.bench.compare import MARKS
from narrate.bench.figures import FIGURES
from narrate.clock import hms

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 80
BAR = 10
POOR_FIT = 0.1  # error on average, beyond which a formula explains nothing
PLOT_WIDTH, PLOT_HEIGHT = 66, 6
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print everything the document has."""
    machine = document["machine"]
    gpu = f" · {machine['gpu']}" if machine["gpu"] else ""
    commit = f" at {document['commit']}" if document["commit"] else ""
    console.print(f"narrate {document['narrate']}{commit} · Python {machine['python']} · {machine['system']}")
    console.print(f"{machine['cores']} × {machine['processor']} · {machine['memory_gb']} GB{gpu}")
    if document["texts"]:
        _headline(document["texts"], console)
    for text in document["texts"]:
        _stages(text, console)
        _buffer(text, console)
    for name, part in _PARTS.items():
        if document.get(name) is not None:
            part(document[name], console)
    if not document["complete"]:
        console.print("\nBroken off: this is what was known by then.", style="bold")


def spread(values: Sequence[float], form: str, unit: str) -> str:
    """The mean, and how far the values lie apart if they do."""
    shown, half = form.format(fmean(values)), form.format((max(values) - min(values)) / 2).lstrip("+")
    return shown + (f" ± {half}" if half.strip("0.%") else "") + unit


def _table(console: Console, title: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table: Table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(Text(column, style="dim"), justify="right" if number and column else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print()
    console.print(title, style="bold", markup=False)
    console.print(table)


def _headline(texts: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Three texts side by side at most: eighty columns hold no more."""
    for start in range(0, len(texts), 3):
        side = texts[start : start + 3]
        rows = []
        for figure in FIGURES:
            cells = [text["figures"].get(figure.key) for text in side]
            if figure.always or any(cell is not None for cell in cells):
                rows.append(
                    [figure.label, *(spread(cell, figure.form, figure.unit) if cell else "–" for cell in cells)]
                )
        runs = {text["runs"] for text in side}
        title = "What a listener gets" + (f" (mean of {max(runs)} runs ± half their range)" if max(runs) > 1 else "")
        names = [f"{text['name']}\n{text['engine'].partition(':')[0]}" for text in side]
        _table(console, title, ["", *names], rows)


def _stages(text: Mapping[str, Any], console: Console) -> None:
    stages: Mapping[str, Mapping[str, float]] = text["stages"]
    most = max((stage["share"] for stage in stages.values()), default=1.0) or 1.0
    rows = []
    for name, stage in stages.items():
        if text["simulated"] and not stage["share"]:
            continue
        times = [_seconds(stage[part]) for part in ("p50", "p90", "p95", "p99", "max")]
        bar = "█" * round(BAR * stage["share"] / most)
        rows.append([name, f"{stage['count']:.0f}", *times, f"{stage['share']:.1%}", bar])
    title = f"Where the time goes: {text['name']}" + " (simulated: only in the engine)" * text["simulated"]
    _table(console, title, ["stage", "n", "P50", "P90", "P95", "P99", "max", "of wall", ""], rows)


def _buffer(text: Mapping[str, Any], console: Console) -> None:
    levels = text["buffered"]
    if len(levels) < 2:
        return
    console.print()
    console.print(f"Seconds of sound ready and not yet heard: {text['name']}", style="bold", markup=False)
    for line in plot(levels):
        console.print(line, markup=False, highlight=False)


def plot(levels: Sequence[Sequence[float]]) -> list[str]:
    """Lines of text that show the level over time; between two moments it sinks as the sound is heard.

    Where it reaches the ground the listener hears nothing.
    """
    end = levels[-1][0] or 1e-9
    columns = []
    place = 0
    for column in range(PLOT_WIDTH):
        at = end * (column + 1) / PLOT_WIDTH
        while place + 1 < len(levels) and levels[place + 1][0] <= at:
            place += 1
        moment, level = levels[place]
        columns.append(max(0.0, level - max(0.0, at - moment)) if moment <= at else 0.0)
    top = max(*columns, 1e-9)
    lines = []
    for row in reversed(range(PLOT_HEIGHT)):
        cells = [min(8, max(0, round(8 * (PLOT_HEIGHT * level / top - row)))) for level in columns]
        mark = f"{top:8.1f} ┤" if row == PLOT_HEIGHT - 1 else ("       0 ┤" if row == 0 else "         │")
        lines.append(mark + "".join(_EIGHTHS[cell] for cell in cells))
    lines.append(" " * 9 + "└" + "0:00" + f"{_seconds(end) if end < 60 else hms(end):>{PLOT_WIDTH - 4}}")
    return lines


def _sizes(part: Mapping[str, Any], console: Console) -> None:
    rows = [
        [
            str(row["size"]), _form(row, "rtf", "{:.3g}"), _form(row, "first_sound_warm", "{:.3f} s"),
            _form(row, "padding", "{:.1%}"), _form(row, "peak_memory_mb", "{:.0f} MB"),
            _form(row, "peak_gpu_mb", "{:.0f} MB"),
        ]
        for row in part["rows"]
    ]  # fmt: skip
    title = f"Rows at once, for nobody who waits: {part['name']}, {part['engine']}"
    _table(console, title, ["rows", "RTF", "first sound", "padding", "memory", "GPU memory"], rows)
    if part["best"] is not None:
        console.print(
            f"Best here: {part['best']}." + (f" Kept in {part['kept']}." if part["kept"] else ""), markup=False
        )


def _strategies(part: Mapping[str, Any], console: Console) -> None:
    rows = [
        [
            row["strategy"], _form(row, "first_sound_warm", "{:.2f} s"), _form(row, "gaps", "{:.0f}"),
            _form(row, "silence_seconds", "{:.1f} s"), _form(row, "rtf", "{:.3g}"), _form(row, "padding", "{:.1%}"),
        ]
        for row in part["rows"]
    ]  # fmt: skip
    title = f"Ways to make batches: {part['name']}, {part['engine']}"
    _table(console, title, ["", "first sound", "gaps", "silence", "RTF", "padding"], rows)


def _interrupt(part: Mapping[str, Any], console: Console) -> None:
    rows = []
    for kind in ("buffered", "unbuffered"):
        times = part[kind]
        if times["seconds"]:
            names = ("mean", "median", "deviation", "least", "most")
            rows.append([f"{kind} places", str(len(times["seconds"])), *(_seconds(times[name]) for name in names)])
    title = f"From a jump to the first new sample at the sink: {part['name']}, {part['engine']}"
    _table(console, title, ["", "n", "mean", "median", "std. dev.", "least", "most"], rows)


def _fit(part: Mapping[str, Any], console: Console) -> None:
    console.print()
    console.print("What a batch costs", style="bold")
    console.print(
        f"{part['a']:.3g} s + {part['b']:.3g} × its longest row + {part['c']:.3g} s × its rows"
        f" (off by {part['error']:.1%} on average over {part['batches']} batches)",
        markup=False,
    )
    if part["error"] > POOR_FIT:
        console.print("That is too far off to go by: the times follow another rule here, or something disturbed them.")
    else:
        console.print(f"To simulate an engine of about this cost: -e {part['spec']}", markup=False)


_SPREADS = {
    "loudness": ("loudness", "{:.1f}", " LUFS"),
    "pitch": ("pitch", "{:.0f}", " Hz"),
    "pitch_range": ("range of pitch", "{:.1f}", " st"),
    "pace": ("pace, a calm reader 1", "{:.2f}", ""),
    "noise": ("noise", "{:.0f}", " dB"),
    "longest_silence": ("longest silence", "{:.2f}", " s"),
}
_ERRORS = {
    "mean": "heard otherwise",
    "p50": "heard otherwise, P50",
    "p90": "heard otherwise, P90",
    "doubtful": "in doubt",
}


def _quality(parts: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Voices side by side, two at most: eighty columns hold no more."""
    for start in range(0, len(parts), 2):
        side = parts[start : start + 2]
        rows = [["judged", *(f"{part['takes']} takes, {part['seconds']:.0f} s" for part in side)]]
        for name, (label, form, unit) in _SPREADS.items():
            rows.append([label, *(" … ".join(map(form.format, part["spread"][name])) + unit for part in side)])
        rows.append(["clipping", *(f"{part['clipping']:.3%}" for part in side)])
        rows.append(["clicks", *(str(part["clicks"]) for part in side)])
        rows.append(["odd takes", *(f"{len(part['odd'])} ({len(part['odd']) / part['takes']:.1%})" for part in side)])
        for mark in dict.fromkeys(mark for part in side for mark in part["mos"] or {}):
            marks = [(part["mos"] or {}).get(mark) for part in side]
            rows.append([f"DNSMOS {mark}", *("–" if each is None else f"{each:.2f} of 5" for each in marks)])
        for name, label in _ERRORS.items():
            if any(part["errors"] for part in side):
                rows.append([label, *(f"{part['errors'][name]:.1%}" if part["errors"] else "–" for part in side)])
        names = [f"{part['name']}\n{part['voice'] or part['engine'].partition(':')[0]}" for part in side]
        _table(console, "Quality (P10 … P50 … P90)", ["", *names], rows)
    for part in parts:
        for what, text in part["odd"][:5]:
            console.print(f"  odd: {what}: “{text[:50]}”", markup=False, highlight=False)
        if len(part["odd"]) > 5:
            console.print(f"  and {len(part['odd']) - 5} more")
    for remedy in dict.fromkeys(remedy for part in parts for remedy in part["missing"]):
        console.print(f"  {remedy}", markup=False, highlight=False)


def _against(part: Mapping[str, Any], console: Console) -> None:
    rows = [
        [row["name"], row["label"], f"{row['before']:.4g}", f"{row['now']:.4g}", _ratio(row), row["verdict"]]
        for row in part["rows"]
    ]
    title = f"Against {part['file']} ({part['commit'] or part['when']})"
    _table(console, title, ["", "", "before", "now", "ratio", ""], rows)
    for mark in (mark for mark in MARKS if any(row["verdict"] == mark for row in part["rows"])):
        console.print(f"{mark}: {MARKS[mark]}.", markup=False, highlight=False)
    if not part["rows"]:
        console.print("Nothing to compare: no text was read by the same engine in both.", highlight=False)


def _ratio(row: Mapping[str, Any]) -> str:
    return "–" if row["ratio"] is None else f"{row['ratio']:.3f}"


def _seconds(seconds: float) -> str:
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f} µs"
    if seconds < 1:
        return f"{1e3 * seconds:.{0 if seconds >= 0.1 else 1}f} ms"
    return f"{seconds:.{1 if seconds < 100 else 0}f} s"


def _form(row: Mapping[str, Any], key: str, form: str) -> str:
    value = row["figures"].get(key)
    return "–" if value is None else form.format(value)


_PARTS: dict[str, Callable[[Any, Console], None]] = {
    "batch_sizes": _sizes,
    "strategies": _strategies,
    "fit": _fit,
    "interrupt": _interrupt,
    "quality": _quality,
    "against": _against,
}
