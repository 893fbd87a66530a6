"""The edits between what is written and what was heard, and whether a take with them is good.

Both texts are compared by how they sound. The alignment has the fewest edits (Levenshtein 1966, by RapidFuzz).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from narrate.text.comparison.units import Units, units

MOST_RATE = {"ja": 0.15, "zh": 0.15}  # of the units may be heard otherwise
MOST_RATE_OF_WORDS = 0.25
MOST_RATE_OF_LETTERS = 0.15  # where words differ, their letters must differ, too
FEWEST = {"ja": 5, "zh": 3}  # edits that count: fewer are a homograph, or a name
FEWEST_WORDS = 2
EDGE = {"ja": 4, "zh": 2}  # units in a row that are missing or doubled at an end
EDGE_WORDS = 2

Kind = Literal["missing", "added", "doubled", "other"]


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of units that differ. `written` was to be said, `heard` was heard; `at` is its place among the written."""

    kind: Kind
    written: Units
    heard: Units
    at: int

    @property
    def size(self) -> int:
        return max(len(self.written), len(self.heard))


@dataclass(frozen=True, slots=True)
class Comparison:
    """`rate` is the share of the written units that were heard otherwise, and may be above 1; `letters` the same of
    letters, which is lower where words are only spelled otherwise. `why` says what is wrong with the take, "" if it is
    good."""

    written: Units
    heard: Units
    edits: tuple[Edit, ...]
    rate: float
    letters: float
    why: str


def compare(spoken: str, heard: str, language: str) -> Comparison:
    """Compare what a voice was given to say with what a recogniser heard.

    `language` is a two-letter code. Where numbers or characters can be said in several ways, the nearest way counts.
    """
    pairs = [(written, said) for written in units(spoken, language) for said in units(heard, language)]
    written, said = min(pairs, key=lambda pair: _distance(*pair))
    edits = tuple(_edits(written, said))
    count = max(1, len(written))
    letters = _distance("".join(written), "".join(said)) / max(1, len("".join(written)))
    rate = _distance(written, said) / count
    return Comparison(written, said, edits, rate, letters, _why(written, edits, rate, letters, language))


def _why(written: Units, edits: Sequence[Edit], rate: float, letters: float, language: str) -> str:
    words = language not in MOST_RATE
    edge = EDGE.get(language, EDGE_WORDS)
    for edit in edits:
        at_end = edit.at == 0 or edit.at + len(edit.written) >= len(written)
        if edit.kind in ("missing", "doubled") and edit.size >= edge and (at_end or edit.size >= 2 * edge):
            shown = _shown(edit.written or edit.heard, words)
            where = " at the beginning" if edit.at == 0 else " at the end" if at_end else ""
            return f"“{shown}” is {edit.kind}{where}"
    total = sum(edit.size for edit in edits)
    most = MOST_RATE.get(language, MOST_RATE_OF_WORDS)
    if rate <= most or total < FEWEST.get(language, FEWEST_WORDS) or (words and letters <= MOST_RATE_OF_LETTERS):
        return ""
    return f"{min(rate, 1.0):.0%} of it was heard otherwise"


def _shown(some: Units, words: bool) -> str:
    return (" " if words else "").join(some[:12])


def _distance(one: Sequence[str], other: Sequence[str]) -> int:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(one, other)


def _edits(written: Units, heard: Units) -> list[Edit]:
    """The runs that differ. Words that are only parted otherwise, as in high school and highschool, do not."""
    from rapidfuzz.distance import Levenshtein

    found: list[Edit] = []
    runs = [block for block in Levenshtein.opcodes(written, heard) if block.tag != "equal"]
    merged: list[list[int]] = []
    for run in runs:
        if merged and merged[-1][1] == run.src_start and merged[-1][3] == run.dest_start:
            merged[-1][1], merged[-1][3] = run.src_end, run.dest_end
        else:
            merged.append([run.src_start, run.src_end, run.dest_start, run.dest_end])
    for begin, end, heard_begin, heard_end in merged:
        lost, came = written[begin:end], heard[heard_begin:heard_end]
        if "".join(lost) == "".join(came):
            continue
        found.append(Edit(_kind(lost, came, heard, heard_begin, heard_end), lost, came, begin))
    return found


def _kind(lost: Units, came: Units, heard: Units, begin: int, end: int) -> Kind:
    if not came:
        return "missing"
    if not lost:
        size = end - begin
        doubled = came in (heard[max(0, begin - size) : begin], heard[end : end + size])
        return "doubled" if doubled else "added"
    return "other"
