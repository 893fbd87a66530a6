"""Which code comes next, drawn on the device for all rows at once: Hugging Face's rules, without its overhead.

A row draws with its own uniforms (`draws.row_uniforms`), one for each code of each frame. So a take depends neither on
its neighbours nor on its slot, and is the same take that the stock runtime makes with the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from narrate.engines.qwen.guard import LATE_PUSH, LONGEST_QUIET, QUIET_PUSH

_TIES = 14  # Hugging Face keeps all codes that tie with the k-th; in bfloat16 several do
_GROUP = 8
_LEAST_FRAMES = 2
_NEVER = -float("inf")


@dataclass(frozen=True, slots=True)
class Draw:
    """How a code is drawn from scores. `top_k` 0 and `top_p` 1 are no limit."""

    greedy: bool
    temperature: float
    top_k: int
    top_p: float

    @classmethod
    def first(cls, options: Mapping[str, Any]) -> Draw:
        """For the first code of a frame, from the options of the package's `generate`."""
        return cls(not options["do_sample"], options["temperature"], options["top_k"] or 0, options["top_p"] or 1.0)

    @classmethod
    def others(cls, options: Mapping[str, Any]) -> Draw:
        """For the other 15."""
        return cls.first(
            {name: options[f"subtalker_{name}"] for name in ("temperature", "top_k", "top_p")}
            | {"do_sample": options["subtalker_dosample"]}
        )

    def __call__(self, scores: Tensor, uniforms: Tensor) -> Tensor:
        """Codes [rows] for scores, float32 [rows, codes], and uniforms in [0, 1), [rows]."""
        if self.greedy:
            return scores.argmax(-1)
        if self.temperature != 1.0:
            scores = scores / self.temperature
        codes = None
        if self.top_k or self.top_p < 1.0:
            scores, codes = self._likeliest(scores)
        sums = scores.softmax(-1).cumsum(-1)
        places = torch.searchsorted(sums, uniforms[:, None] * sums[:, -1:], right=True).clamp_(max=scores.shape[-1] - 1)
        return (places if codes is None else codes.gather(1, places)).squeeze(1)

    def _likeliest(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The scores within the limits and their codes, few of many; ordered by code, so that noise in the scores
        cannot change which stretch of [0, 1) belongs to a code."""
        size = scores.shape[-1]
        scores, codes = _largest(scores, min(size, self.top_k + _TIES) if self.top_k else size)
        if 0 < self.top_k < size:
            scores = scores.masked_fill(scores < scores[:, self.top_k - 1, None], _NEVER)
        if self.top_p < 1.0:
            shares = scores.softmax(-1)
            scores = scores.masked_fill(shares.cumsum(-1) - shares >= self.top_p, _NEVER)
        codes, order = codes.sort()
        return scores.gather(1, order), codes


def _largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest scores of each row, sorted, and their codes.

    A GPU finds them at once. A CPU is quicker when it looks only into the groups with the `count` largest maxima.
    """
    rows, size = scores.shape
    width = size // _GROUP
    if scores.is_cuda or rows == 1 or size % _GROUP or 2 * count > width:
        values, codes = scores.topk(count)
        return values, codes
    groups = scores.view(rows, _GROUP, width).amax(1).topk(count, sorted=False).indices
    members = (groups[:, None] + torch.arange(0, size, width, device=scores.device)[:, None]).flatten(1)
    scores, places = scores.gather(1, members).topk(count)
    return scores, members.gather(1, places)


class Rules:
    """What is done to the scores of a frame's first code before it is drawn."""

    def __init__(self, talker_config: Any, penalty: float, device: torch.device) -> None:
        size = talker_config.vocab_size
        self.end: int = talker_config.codec_eos_token_id
        self._penalty = penalty
        self._suppressed = torch.zeros(size, device=device)
        self._suppressed[size - 1024 :] = _NEVER
        self._suppressed[self.end] = 0.0

    def __call__(self, scores: Tensor, said: Tensor, frame: Tensor, patience: Tensor, quiet: Tensor) -> Tensor:
        """Scores, float32 [rows, codes], after the rules of the package and our push towards the end.

        `said` [rows, codes]: the row had this code before. `frame`, `patience`, `quiet` [rows]: frames so far, frames
        until the end is pushed for, frames of silence in a row.
        """
        if self._penalty != 1.0:
            # A score below zero is multiplied, another divided: which of both is the lower one, or the higher.
            either = (scores * self._penalty, scores / self._penalty)
            scores = torch.where(said, torch.minimum(*either) if self._penalty > 1 else torch.maximum(*either), scores)
        scores = scores + self._suppressed
        push = (frame - patience).clamp_(min=0) * LATE_PUSH + (quiet - LONGEST_QUIET).clamp_(min=0) * QUIET_PUSH
        scores[:, self.end] = torch.where(frame < _LEAST_FRAMES, _NEVER, scores[:, self.end] + push)
        return scores
