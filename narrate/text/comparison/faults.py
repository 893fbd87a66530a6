"""Which differences make a take bad: calibrated on pairs that say the same and pairs that do not (tests/data/heard).

A recogniser errs too. It writes another word of the same sound, a name in its own way, drops a short word, seldom three
in a row, and hardly ever says a thing twice or in another order. So what is missing, doubled or moved counts from a
small size on, what is only heard otherwise from a large one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product
from typing import Literal

Kind = Literal["missing", "added", "doubled", "other"]
MIXED_TIMES = 1.5  # what is missing, and something else is heard there: a number that is said in another way is shorter


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of units that differ. `written` was to be said, `heard` was heard; `at` is its place among the written."""

    kind: Kind
    written: tuple[str, ...]
    heard: tuple[str, ...]
    at: int

    @property
    def size(self) -> int:
        return max(len(self.written), len(self.heard))


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something counts, in sounds: kana (ja), syllables (zh, ko) or letters.

    `rate` of all units may be heard otherwise, and so may fewer than `fewest` of them. `near` is how many equal units
    may stand between two edits that are one fault.
    """

    rate: float
    fewest: int
    missing: int
    missing_at_end: int
    doubled: int
    added: int
    added_at_end: int
    moved: int
    otherwise: int
    near: int
    letters: float = 0.0  # and of the letters, where units are words
    gap: str = ""


JAPANESE = Limits(0.2, 5, 4, 4, 4, 6, 5, 4, 9, 1)
CHINESE = Limits(0.2, 3, 2, 2, 2, 4, 3, 2, 5, 1)
KOREAN = Limits(0.25, 2, 4, 3, 3, 6, 5, 3, 8, 1, 0.15, " ")
LETTERS = Limits(0.25, 2, 8, 5, 5, 12, 10, 5, 16, 1, 0.15, " ")
_OF_LANGUAGE = {"ja": JAPANESE, "zh": CHINESE, "ko": KOREAN}


def limits_of(language: str) -> Limits:
    return _OF_LANGUAGE.get(language, LETTERS)


def fault(written: Sequence[str], edits: Sequence[Edit], rate: float, letters: float, limits: Limits) -> str:
    """What is wrong with a take that differs so from what is written, in a few words; "" if it is good."""
    for edit in edits:
        if edit.kind == "doubled" and _sounds(edit.heard, limits) >= limits.doubled:
            return f"“{_shown(edit.heard, limits)}” is doubled{_place(edit.at, edit.at, len(written))}"
    for group in _groups(edits, limits.near):
        if found := _of_group(group, len(written), limits):
            return found
    if moved := _moved(edits, limits):
        return f"“{_shown(moved, limits)}” is in another place"
    total = sum(edit.size for edit in edits)
    if rate <= limits.rate or total < limits.fewest or letters <= limits.letters:
        return ""
    return f"{min(rate, 1.0):.0%} of it was heard otherwise"


def _of_group(group: Sequence[Edit], count: int, limits: Limits) -> str:
    lost = [unit for edit in group for unit in edit.written]
    came = [unit for edit in group for unit in edit.heard]
    place = _place(group[0].at, group[-1].at + len(group[-1].written), count)
    more = _sounds(lost, limits) - _sounds(came, limits)
    mixed = MIXED_TIMES if (lost and came) or (len(lost) == 1 and not place) else 1.0
    if more >= mixed * (limits.missing_at_end if place else limits.missing):
        return f"“{_shown(lost, limits)}” is missing{place}"
    if -more >= mixed * (limits.added_at_end if place else limits.added):
        return f"“{_shown(came, limits)}” is added{place}"
    if min(_sounds(lost, limits), _sounds(came, limits)) >= limits.otherwise and _unlike(lost, came):
        return f"“{_shown(lost, limits)}” was heard as “{_shown(came, limits)}”"
    return ""


def _place(begin: int, end: int, count: int) -> str:
    return " at the beginning" if begin == 0 else " at the end" if end >= count else ""


def _groups(edits: Sequence[Edit], near: int) -> Iterator[list[Edit]]:
    """Edits with no more than `near` equal units between them are one fault."""
    group: list[Edit] = []
    for edit in edits:
        if group and edit.at - (group[-1].at + len(group[-1].written)) > near:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _moved(edits: Sequence[Edit], limits: Limits) -> Sequence[str]:
    """Units that are missing in one place and heard in another one near it; () if none are."""
    reach = 4 * limits.moved
    for one, other in product(edits, edits):
        if not one.written or not other.heard or abs(one.at - other.at) > reach:
            continue
        run = SequenceMatcher(None, one.written, other.heard, autojunk=False).find_longest_match()
        units = one.written[run.a : run.a + run.size]
        whole = one.written == units == other.heard and not one.heard and not other.written
        if _sounds(units, limits) >= ((limits.moved + 1) // 2 if whole else limits.moved):
            return units
    return ()


def _sounds(units: Sequence[str], limits: Limits) -> int:
    """Kana and syllables one by one, words by their letters."""
    return sum(map(len, units)) if limits.gap else len(units)


def _unlike(lost: Sequence[str], came: Sequence[str]) -> bool:
    return SequenceMatcher(None, "".join(lost), "".join(came), autojunk=False).ratio() < 0.5


def _shown(some: Sequence[str], limits: Limits) -> str:
    return limits.gap.join(some[:12])
