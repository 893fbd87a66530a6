"""Which code comes next, drawn for every row by its own uniforms, so that a take does not depend on its neighbours.

The package draws through Hugging Face's `generate`, once for the first code of a frame and, nested, 15 times for the
rest, and lets nothing of its caller through. So both `generate`s get a logits processor of ours, which leaves only the
code it has drawn. That makes three things possible that the package cannot do: a seed per row, an end per row, and
leaving between two codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrate.engines import Request
from narrate.engines.qwen.codec import CODES


class Cancelled(Exception):
    """Nobody wants any of the rows that are being made."""


def row_seed(request: Request) -> int:
    """What a row's uniforms follow from: the text, the voice, its seed, which attempt at which take. 64 bits."""
    chunk, voice = request.chunk, request.voice
    what = [voice.seed, voice.name, voice.language, voice.instruct, voice.describe, voice.reference_text]
    text = json.dumps([*what, chunk.language, chunk.spoken, request.attempt, chunk.take], ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def row_uniforms(seed: int, frames: int) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1), float32 [frames, 16], one for each code of a row; more frames continue the sequence.

    From the counter-based generator Philox (Salmon et al. 2011), whose raw stream numpy guarantees; 23 bits of each, so
    that a number times the sum of a distribution stays below the sum in float32.
    """
    raw = np.random.Philox(key=seed).random_raw(frames * CODES)
    return (np.asarray(raw >> np.uint64(41), dtype=np.float32) * np.float32(2.0**-23)).reshape(frames, CODES)


class RowRandom:
    """Randomness for one batch: each row has a seed, and a budget of frames after which it is ended.

    `installed` puts it under the package. `dropped` tells which rows nobody wants any more: they end with their next
    frame, and when none is left, `Cancelled` is raised. Afterwards `broken` tells for which rows the model's
    distribution was not a number.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        budgets: Sequence[int],
        end: int,
        device: Any,
        dropped: Callable[[], list[int]] = list,
    ) -> None:
        import torch

        longest = max(budgets) + 1
        uniforms = np.stack([row_uniforms(seed, longest) for seed in seeds])
        self._uniforms = torch.from_numpy(uniforms).to(device)
        self._budgets = torch.tensor(budgets, device=device)
        self._first_end, self._end = min(budgets), end
        self._broken = torch.zeros(len(seeds), dtype=torch.bool, device=device)
        self._dropped = dropped
        self._frame = 0

    @property
    def broken(self) -> list[bool]:
        """For every row whether a distribution was not a number: the row was ended there."""
        answer: list[bool] = self._broken.tolist()
        return answer

    @contextmanager
    def installed(self, talker: Any) -> Iterator[None]:
        """While active, the talker's `generate` and its code predictor's draw here."""
        with _drawing(talker, self._first), _drawing(talker.code_predictor, self._other):
            yield

    def _first(self, ids: Any, choose: _Choice, scores: Any) -> Any:
        """The first code of the next frame, or the end for rows at their budget. `ids` [rows, frames so far]."""
        import torch

        self._frame = ids.shape[1]
        if dropped := self._dropped():
            self._budgets[dropped] = self._first_end = 0
        codes, sound = self._draw(choose, scores, self._frame, 0)
        self._broken |= ~sound
        codes = torch.where(sound, codes, self._end)
        if self._frame >= self._first_end:
            codes = torch.where(self._frame >= self._budgets, self._end, codes)
        return codes

    def _other(self, ids: Any, choose: _Choice, scores: Any) -> Any:
        """One of the other 15 codes of the frame. `ids` [rows, codes of this frame so far]."""
        codes, sound = self._draw(choose, scores, self._frame, ids.shape[1] + 1)
        self._broken |= ~sound
        return codes

    def _draw(self, choose: _Choice, scores: Any, frame: int, code: int) -> tuple[Any, Any]:
        if len(self._dropped()) == len(self._budgets):
            raise Cancelled
        return choose(scores, self._uniforms[:, frame, code])


class _Choice:
    """Hugging Face's own chain of temperature, top-k and top-p, then the code a number in [0, 1) falls on."""

    def __init__(self, do_sample: bool, temperature: float | None, top_k: int | None, top_p: float | None) -> None:
        from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        self._greedy = not do_sample
        self._warpers: list[Any] = []
        if temperature not in (None, 1.0):
            self._warpers.append(TemperatureLogitsWarper(temperature))
        if top_k:
            self._warpers.append(TopKLogitsWarper(top_k))
        if top_p is not None and top_p < 1.0:
            self._warpers.append(TopPLogitsWarper(top_p))

    def __call__(self, scores: Any, uniforms: Any) -> tuple[Any, Any]:
        """Codes [rows] for scores [rows, codes], and for each row whether its scores were numbers."""
        import torch

        if self._greedy:
            return scores.argmax(-1), ~scores.isnan().any(-1)
        for warper in self._warpers:
            scores = warper(None, scores)
        sums = scores.softmax(-1).cumsum(-1)
        total = sums[:, -1:]
        codes = torch.searchsorted(sums, uniforms[:, None] * total, right=True).squeeze(1)
        return codes.clamp(max=scores.shape[-1] - 1), ~total.squeeze(1).isnan()


@contextmanager
def _drawing(network: Any, draw: Callable[[Any, _Choice, Any], Any]) -> Iterator[None]:
    """Give one of the package's networks a `generate` that draws with `draw` instead of `torch.multinomial`."""
    original, own = network.generate, network.__dict__.get("generate")

    def generate(
        *arguments: Any,
        do_sample: bool = False,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        **others: Any,
    ) -> Any:
        choose = _Choice(do_sample, temperature, top_k, top_p)

        def only_the_drawn(ids: Any, scores: Any) -> Any:
            codes = draw(ids, choose, scores)
            return scores.new_full(scores.shape, -float("inf")).scatter_(1, codes[:, None], 0.0)

        return original(*arguments, do_sample=False, logits_processor=[only_the_drawn], **others)

    network.generate = generate
    try:
        yield
    finally:
        if own is None:
            del network.generate
        else:
            network.generate = own
