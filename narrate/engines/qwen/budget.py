"""How many frames a row may take: the guard against rows that never end."""

from __future__ import annotations

import math

from narrate.engines.qwen.codec import FRAMES_PER_SECOND
from narrate.pace import expected_seconds

# Times the calm reader's length. A single kanji may be read with four or five syllables, so Japanese gets more.
_SLOWEST = {"ja": 3.5}
_SLOWEST_ELSEWHERE = 3.0
_EXTRA_SECONDS = 3.0  # for pauses: a word of one syllable still gets three seconds


def budget_frames(spoken: str, language: str) -> int:
    """Frames (80 ms each) that slow, dramatic speech of `spoken` stays below and a runaway does not."""
    slowest = _SLOWEST.get(language, _SLOWEST_ELSEWHERE)
    return math.ceil((slowest * expected_seconds(spoken, language) + _EXTRA_SECONDS) * FRAMES_PER_SECOND)
