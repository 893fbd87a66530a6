"""The code predictor: from the talker's state and a frame's first code to the other 15."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.engines.qwen.cache import FrameCache
from narrate.engines.qwen.codec import CODES
from narrate.engines.qwen.products import joined, product
from narrate.engines.qwen.sampling import Draw
from narrate.engines.qwen.transformer import Layers


class Predictor:
    """The package's code predictor (`talker.code_predictor`), which draws with `draw`, for `slots` rows."""

    def __init__(self, talker: Any, draw: Draw, slots: int) -> None:
        network = talker.code_predictor
        self._layers = Layers(network.model)
        self._rope = self._layers.rope(CODES)
        self._draw = draw
        self._heads = [product(head) for head in network.lm_head]
        books = [talker.model.codec_embedding, *network.model.codec_embedding]
        self._table = joined([book.weight for book in books])
        sizes = [book.num_embeddings for book in books]
        self._offsets = torch.tensor([sum(sizes[:book]) for book in range(CODES)], device=self._table.device)
        # What the predictor hears of a code is the same every time; only the talker's state must be projected anew.
        self._project = network.small_to_mtp_projection
        with torch.inference_mode():
            self._inputs = self._project(self._table).split(sizes)
        self._cache = FrameCache(self._layers, slots, CODES, network.model.norm.weight.detach())

    def __call__(self, hidden: Tensor, first: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """Codes [rows, 16], and the predictor's last state [rows, channels]."""
        rows = len(hidden)
        codes = [first]
        begin = torch.stack([self._project(hidden), self._inputs[0][first]], dim=1).flatten(0, 1)
        state = self._layers(begin, self._rope[:2].repeat(rows, 1, 1, 1), self._cache.begin(rows))[1::2]
        for number, head in enumerate(self._heads, start=1):
            if number > 1:
                step = F.embedding(codes[-1], self._inputs[number - 1])
                state = self._layers(step, self._rope[number : number + 1], self._cache.step(rows, number))
            scores = head(self._layers.last_norm(state)).float()
            codes.append(self._draw(scores, uniforms[:, number]))
        return torch.stack(codes, dim=1), state

    def embed(self, codes: Tensor) -> Tensor:
        """What the talker hears of a frame: the sum of its codes' embeddings, [rows, channels]."""
        return F.embedding(codes + self._offsets, self._table).sum(1)
