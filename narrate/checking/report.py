"""What was found about the takes of a book, as one HTML file that opens anywhere: no network, no scripts, all inside.

Everything that comes from the book or from a recogniser is escaped, and the page forbids itself to load anything.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from importlib.resources import files

from narrate.checking.drift import Drift, Step, drifts
from narrate.checking.verdict import Verdict, error_rate
from narrate.clock import hms
from narrate.text.characters import well_formed, with_capital
from narrate.text.document import Chunk

WORST = 10  # takes that can be heard
MOST_LISTED = 300  # takes made again or doubtful: more are counted only
STEPS = 180  # of the plots, at most
TAKES_A_STEP = 3  # at least, on average
WITHOUT_SPACES = ("ja", "zh")
BAR_REM = 4.0  # the widest bar
UNITS = {"ja": "kana", "zh": "syllables"}
_WORDS = re.compile(r"\w+(?:['’]\w+)*|\W+")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\x7f]")  # have no place in a page
_CHARACTERS = re.compile(r".", re.DOTALL)
_DIGEST = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Reported:
    """A take of the book: its chunk, what was found, how far it is from the usual (checking/course.py), and its sound
    as a file of the type `media_type`, which is asked for if the take is among the worst; None if that is not kept."""

    chunk: Chunk
    verdict: Verdict
    seconds: float
    strangeness: float = 0.0
    sound: Callable[[], bytes] | None = None
    media_type: str = "audio/ogg"


def report(title: str, author: str, voice: str, takes: Sequence[Reported]) -> str:
    """The page. `takes` are in the order of the book; of several tries the one that is in it."""
    heading = f"<h1>{escape(title or 'Untitled')}</h1>"
    by = " · ".join(escape(part) for part in (author, voice and f"read by {voice}") if part)
    body = [
        f"<header>{heading}<p class=by>{by}</p></header>",
        _figures(takes),
        _plots(takes),
        _chapters(takes),
        _worst(takes),
        _again(takes),
    ]
    page = (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
        "<meta http-equiv=Content-Security-Policy "
        "content=\"default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:\">\n"
        f"<title>{escape(title or 'Untitled')}: how it was read</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )
    return _CONTROLS.sub("", well_formed(page))


def _style() -> str:
    return (files("narrate.checking") / "report.css").read_text(encoding="utf-8")


def _quoted(text: str) -> str:
    return f'"{escape(text)}"'


# The figures at the top.


def _figures(takes: Sequence[Reported]) -> str:
    again = sum(take.verdict.tries > 1 for take in takes)
    doubtful = sum(not take.verdict.good for take in takes)
    rate = _error_rate(takes)
    tiles = [
        (hms(sum(take.seconds for take in takes)), "of sound"),
        (f"{len(takes):,}", "takes" if len(takes) != 1 else "take"),
        (f"{again:,}", "made again"),
        (f"{doubtful:,}", "doubtful"),
    ]
    if rate is not None:
        tiles.append((f"{rate:.1%}", f"of the {_units(takes)} heard otherwise"))
    heard = dict.fromkeys(take.verdict.recogniser for take in takes if take.verdict.recogniser)
    said = f"Heard by {', '.join(map(escape, heard))}." if heard else "No recogniser of speech has listened."
    cells = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for value, label in tiles)
    return f"<dl class=tiles>{cells}</dl>\n<p class=small>{said}</p>"


def _units(takes: Sequence[Reported]) -> str:
    return UNITS.get(takes[0].chunk.language, "words") if takes else "words"


def _error_rate(takes: Iterable[Reported]) -> float | None:
    return error_rate((take.chunk, take.verdict) for take in takes)


# The plots.


def _plots(takes: Sequence[Reported]) -> str:
    steps = min(STEPS, max(1, len(takes) // TAKES_A_STEP))
    found = drifts([take.verdict for take in takes], steps)
    if not found:
        return ""
    starts = _chapter_starts(takes)
    figures = "\n".join(_plot(drift, starts) for drift in found)
    return (
        f"<section><h2>From the first sentence to the last</h2>\n"
        f"<p class=small>The line is the median of each stretch, the band what most takes keep to; "
        f"<span class=dot></span> is a doubtful take. Thin lines are chapters.</p>\n{figures}</section>"
    )


def _chapter_starts(takes: Sequence[Reported]) -> list[float]:
    """Where chapters begin, as shares of the whole sound."""
    total = sum(take.seconds for take in takes) or 1.0
    at, starts = 0.0, []
    for number, take in enumerate(takes):
        if number and take.chunk.chapter != takes[number - 1].chunk.chapter:
            starts.append(at / total)
        at += take.seconds
    return starts


def _plot(drift: Drift, starts: Sequence[float]) -> str:
    rules = "".join(f"M{1000 * start:.0f} 0V100" for start in starts)
    bands, lines, dots, count = [], [], [], len(drift.steps)
    for run in _runs(drift.steps):
        upper = [f"{_x(number, count)} {_y(step.high)}" for number, step in run]
        lower = [f"{_x(number, count)} {_y(step.low)}" for number, step in reversed(run)]
        bands.append(f"M{'L'.join(upper + lower)}Z")
        lines.append("M" + "L".join(f"{_x(number, count)} {_y(step.middle)}" for number, step in run))
    for number, step in enumerate(drift.steps):
        dots += [f"M{_x(number, count)} {_y(level)}h0" for level in (step.odd if step is not None else ())]
    quantity = drift.quantity
    return (
        f"<figure><figcaption><b>{quantity.label}</b> <span>{quantity.said(drift.usual)}, from "
        f"{quantity.said(drift.least).split(' ')[0]} to {quantity.said(drift.most).split(' ')[0]}</span></figcaption>"
        f"<svg viewBox='0 0 1000 100' preserveAspectRatio=none role=img aria-label={_quoted(quantity.label)}>"
        f"<path class=rules d='{rules}'/><path class=usual d='M0 50H1000'/><path class=band d='{''.join(bands)}'/>"
        f"<path class=line d='{''.join(lines)}'/><path class=odd d='{''.join(dots)}'/></svg></figure>"
    )


def _runs(steps: Sequence[Step | None]) -> list[list[tuple[int, Step]]]:
    """The steps with takes, over gaps of a step or two, each with its number."""
    runs: list[list[tuple[int, Step]]] = []
    for number, step in enumerate(steps):
        if step is None:
            continue
        if not runs or number - runs[-1][-1][0] > 3:
            runs.append([])
        runs[-1].append((number, step))
    return runs


def _x(number: int, count: int) -> str:
    return f"{1000 * (number + 0.5) / count:.0f}"


def _y(level: float) -> str:
    return f"{100 - 100 * min(max(level, 0.04), 0.96):.1f}"


# The tables.


def _chapters(takes: Sequence[Reported]) -> str:
    chapters: dict[int, list[Reported]] = {}
    for take in takes:
        chapters.setdefault(take.chunk.chapter, []).append(take)
    rates = {number: _error_rate(some) for number, some in chapters.items()}
    heard = any(rate is not None for rate in rates.values())
    worst = max((rate for rate in rates.values() if rate), default=0.0)
    rows = []
    for number, some in chapters.items():
        rate = rates[number]
        title = " ".join(some[0].chunk.title.split()) or ("Before the first chapter" if not number else str(number))
        cells = [
            f"<td>{escape(title)}",
            f"<td>{hms(sum(take.seconds for take in some))}",
            f"<td>{len(some):,}",
            f"<td>{_count(sum(take.verdict.tries > 1 for take in some))}",
            f"<td>{_count(sum(not take.verdict.good for take in some))}",
        ]
        if heard:
            share = f"{BAR_REM * rate / worst:.1f}rem" if rate and worst else "0"
            shown = f"{rate:.1%}" if rate is not None else "–"
            cells.append(f"<td><span class=bar style='width:{share}'></span>{shown}")
        rows.append(f"<tr>{''.join(cells)}")
    head = ["Chapter", "Length", "Takes", "Made again", "Doubtful", *([_rate_heading(takes)] if heard else [])]
    columns = "".join(f"<th>{name}" for name in head)
    return (
        f"<section><h2>Chapters</h2>\n<div class=scroll><table><thead><tr>{columns}</thead>\n<tbody>"
        + "\n".join(rows)
        + "</tbody></table></div></section>"
    )


def _rate_heading(takes: Sequence[Reported]) -> str:
    return "CER" if _units(takes) in UNITS.values() else "WER"


def _count(number: int) -> str:
    return f"{number:,}" if number else "<span class=none>0</span>"


def badness(take: Reported) -> tuple[bool, float, float]:
    """By this takes are put in order, the better first."""
    return (*take.verdict.badness, take.strangeness)


def worst_of(takes: Iterable[Reported], count: int = WORST) -> list[Reported]:
    """The takes that are worth hearing: doubtful ones first, then by what was heard, then by how unlike they are."""
    return sorted(takes, key=badness, reverse=True)[:count]


def _worst(takes: Sequence[Reported]) -> str:
    found = [take for take in worst_of(takes) if any(badness(take))]
    if not found:
        return ""
    times = _starts(takes)
    items = "\n".join(_listened(take, times[take.chunk.index]) for take in found)
    if all(take.verdict.good for take in found):
        heading = "What is least like the rest"
        heading += "</h2>\n<p class=small>No take is doubtful. These are farthest from what is usual in this book.</p>"
    else:
        heading = f"The {len(found)} worst sentences</h2>" if len(found) > 1 else "The worst sentence</h2>"
    return f"<section><h2>{heading}\n<ol class=worst>{items}</ol></section>"


def _starts(takes: Sequence[Reported]) -> dict[int, float]:
    at, starts = 0.0, {}
    for take in takes:
        starts[take.chunk.index] = at
        at += take.seconds
    return starts


def _listened(take: Reported, start: float) -> str:
    verdict, language = take.verdict, take.chunk.language
    written = " ".join(take.chunk.spoken.split())
    heard = None if verdict.heard is None else " ".join(verdict.heard.split())
    where = f"{escape(' '.join(take.chunk.title.split()))} · {hms(start)}".removeprefix(" · ")
    parts = [f"<p class=where>{where}</p>"]
    if not verdict.good:
        parts.append(f"<p class=why>{escape(_sentence(verdict))}</p>")
    if take.sound is not None:
        data = b64encode(take.sound()).decode("ascii")
        parts.append(f"<audio controls preload=none src='data:{take.media_type};base64,{data}'></audio>")
    if heard is not None:
        left, right = _marked(written, heard, language)
        parts.append(f"<dl class=texts><dt>written<dd lang={_quoted(language)}>{left}")
        parts.append(f"<dt>heard<dd lang={_quoted(language)}>{right or '<i>nothing</i>'}</dl>")
    else:
        parts.append(f"<dl class=texts><dt>written<dd lang={_quoted(language)}>{escape(written)}</dl>")
    return f"<li>{''.join(parts)}"


def _sentence(verdict: Verdict) -> str:
    """What is wrong, as a sentence."""
    more = f" {verdict.tries} takes were made." if verdict.tries > 1 else ""
    return f"{with_capital(verdict.why)}.{more}"


def _marked(written: str, heard: str, language: str) -> tuple[str, str]:
    """Both texts escaped, with what only one of them has marked. Capitals and marks do not differ."""
    cut = _CHARACTERS if language in WITHOUT_SPACES else _WORDS
    one, other = cut.findall(written), cut.findall(heard)
    plain = [_DIGEST.sub("", each.casefold()) for each in one], [_DIGEST.sub("", each.casefold()) for each in other]
    lost, came = [False] * len(one), [False] * len(other)
    kept = [[place for place, each in enumerate(side) if each] for side in plain]
    runs = SequenceMatcher(
        None, [plain[0][place] for place in kept[0]], [plain[1][place] for place in kept[1]], autojunk=False
    ).get_opcodes()
    for kind, begin, end, heard_begin, heard_end in runs:
        if kind != "equal":
            for place in kept[0][begin:end]:
                lost[place] = True
            for place in kept[1][heard_begin:heard_end]:
                came[place] = True
    return _spans(one, lost, "del"), _spans(other, came, "ins")


def _spans(parts: Sequence[str], differ: Sequence[bool], tag: str) -> str:
    """Runs that differ in one element, with the gaps within them but not those around them."""
    text: list[str] = []
    gap, inside = "", False
    for part, different in zip(parts, differ, strict=True):
        if not _DIGEST.sub("", part):
            gap += escape(part)
            continue
        if different != inside:
            text.append(f"{gap}<{tag}>" if different else f"</{tag}>{gap}")
            inside, gap = different, ""
        text.append(gap + escape(part))
        gap = ""
    return "".join(text) + (f"</{tag}>" if inside else "") + gap


def _again(takes: Sequence[Reported]) -> str:
    """Takes that were made again, and ones in which something is still wrong."""
    found = [take for take in takes if take.verdict.tries > 1 or not take.verdict.good]
    if not found:
        return "<section><h2>Made again</h2><p>No take had to be made again, and none is doubtful.</p></section>"
    times = _starts(takes)
    rows = []
    for take in found[:MOST_LISTED]:
        text = " ".join(take.chunk.text.split())
        why = _sentence(take.verdict) if not take.verdict.good else f"Good after {take.verdict.tries} takes."
        rows.append(
            f"<tr><td>{hms(times[take.chunk.index])}<td>{escape(why)}"
            f"<td lang={_quoted(take.chunk.language)}>{escape(text[:160] + '…' * (len(text) > 160))}"
        )
    more = f"<p class=small>And {len(found) - MOST_LISTED:,} more.</p>" if len(found) > MOST_LISTED else ""
    rows_of_table = "\n".join(rows)
    return (
        "<section><h2>Made again, or doubtful</h2>\n<div class=scroll><table class=wide>"
        f"<thead><tr><th>At<th>Why<th>Text</thead>\n<tbody>{rows_of_table}</tbody></table></div>{more}</section>"
    )
