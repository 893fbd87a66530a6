"""The stop guard: what becomes of a row that does not end by itself, as about one in 300 does.

After `patience` frames the end is made likelier with every frame, a little, so that slow speech is not cut off. Silence
for longer than any reader pauses does the same, strongly: that is what most such rows come to. A row that goes on all
the same is given up at its limit. It never costs more than its own slot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from narrate.engines.qwen.budget import budget_frames
from narrate.engines.qwen.codec import FRAMES_PER_SECOND
from narrate.text.document import Chunk

LATE_PUSH = 0.25  # added to the end's score for every frame that is too many (the idea: mlx-audio's pull request 840)
QUIET_PUSH = 1.0  # and for every frame of silence that is
_PATIENCE, _LIMIT = 0.6, 0.72  # of `budget_frames`
LONGEST_QUIET = round(2.0 * FRAMES_PER_SECOND)  # frames of silence in a row


@dataclass(frozen=True, slots=True)
class Allowance:
    """Frames a row may take: `patience` of them unhindered, `limit` in all."""

    patience: int
    limit: int


def allowance(chunk: Chunk) -> Allowance:
    """Tighter than the stock runtime's budget, where a row costs little beside its batch: speech of up to twice the
    expected length is let be, and an average chunk of a novel that never ends costs less than three that do."""
    budget = budget_frames(chunk.spoken, chunk.language)
    return Allowance(math.ceil(_PATIENCE * budget), math.ceil(_LIMIT * budget))


def silent_codes(speech_tokenizer: Any) -> list[int]:
    """The first codes of frames in which nothing is heard: what the tokenizer makes of silence, empty if it cannot.

    Known from the codes, silence is noticed without decoding it (the way vLLM-Omni bans it at the start of a clip).
    """
    import numpy as np

    rate = int(speech_tokenizer.get_input_sample_rate())
    noise = np.random.default_rng(0).standard_normal(2 * rate).astype(np.float32)
    found: set[int] = set()
    for level in (0.0, 10 ** (-80 / 20), 10 ** (-65 / 20)):
        codes = speech_tokenizer.encode(noise * level, sr=rate).audio_codes[0]
        settled = codes[len(codes) // 4 :, 0]
        found.update(settled.tolist())
    return sorted(found)
