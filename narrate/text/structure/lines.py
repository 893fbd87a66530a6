"""A line of a text and how it stands among its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from narrate.text.characters import HAN, KANA, WIDE_BRACKETS

HAN_TITLE = re.compile(rf"[{HAN}{KANA}{WIDE_BRACKETS}\s]{{1,15}}")
# A line that begins like this is speech.
SPEECH = re.compile("[-–—―\"“‘«„']")


class Line(NamedTuple):
    """A line that is not blank, without the space around it.

    `start` and `end` are offsets in the source, `indent` counts the spaces before the line, `gap` the blank lines.
    """

    text: str
    start: int
    end: int
    indent: int
    gap: int


def alone(lines: Sequence[Line], i: int) -> bool:
    """Return True if a blank line stands before and after the line."""
    return (i == 0 or lines[i].gap > 0) and (i + 1 == len(lines) or lines[i + 1].gap > 0)


def distance(lines: Sequence[Line], chain: Sequence[int]) -> int:
    """Return the median number of characters between the lines of a chain."""
    steps = sorted(lines[b].start - lines[a].start for a, b in zip(chain, chain[1:], strict=False))
    return steps[len(steps) // 2] if steps else 0


def is_title(text: str) -> bool:
    """Return True for a title: it is short, its words have capitals, and no full stop ends it.

    If all its letters are capitals, a full stop may end it.
    """
    if HAN_TITLE.fullmatch(text):
        return True
    if len(text) > 60 or (text.endswith((".", ",", ";", ":", "!", "”", '"')) and not text.isupper()):
        return False
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 3 or text.isupper()]
    return bool(words) and sum(word[0].isupper() for word in words) >= 0.6 * len(words)
