"""Weights on a CPU: in as few bytes as they need, since a frame of speech is mostly the time it takes to read them.

The released weights are bfloat16. Computing in float32 does not make them any wider: they stay as they are and are
turned into float32 where they are multiplied, which changes no number and reads half the memory. With `--dtype int8`
each output's weights are rounded to 255 steps between its largest and its negative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from narrate.engines.qwen.products import Product, fits, product


class StoredLinear(nn.Module):  # type: ignore[misc]
    """A linear layer without bias whose weight is bfloat16, or int8 with a `scale` for each output.

    Buffers, not parameters: what a module says it computes in, it says of its parameters.
    """

    def __init__(self, weight: Tensor, scale: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self._product: Product | None = None

    def forward(self, hidden: Tensor) -> Tensor:
        """For the package's own runtime: [..., inputs] → [..., outputs]."""
        if self._product is None:
            self._product = product(self)
        return self._product(hidden.flatten(0, -2)).unflatten(0, hidden.shape[:-1])


class StoredEmbedding(nn.Module):  # type: ignore[misc]
    """An embedding whose table is bfloat16 and which gives `dtype`."""

    def __init__(self, weight: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self._dtype = dtype

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.get_buffer("weight")).to(self._dtype)


def store(network: Any, dtype: torch.dtype, *, int8: bool = False) -> None:
    """Make the `network` (the package's, in the checkpoint's own types) compute in `dtype`; its large weights stay.

    With `int8` those of the decoder layers and of the heads become int8. What our own code cannot multiply with is
    turned into `dtype`.
    """
    talker = network.talker
    predictor = talker.code_predictor
    for layer in (*talker.model.layers, *predictor.model.layers):
        _replace(layer.self_attn, dtype, int8=int8)
        _replace(layer.mlp, dtype, int8=int8)
    for owner in (talker, predictor.lm_head):
        _replace(owner, dtype, int8=int8)
    texts = talker.model.text_embedding
    if texts.weight.dtype == torch.bfloat16 != dtype:
        talker.model.text_embedding = StoredEmbedding(texts.weight.detach(), dtype)
    for parameter in network.parameters():
        parameter.data = parameter.data.to(dtype)


def _replace(owner: Any, dtype: torch.dtype, *, int8: bool) -> None:
    """The owner's linear layers by those that keep bfloat16 while `dtype` is computed in, or that are int8."""
    for name, layer in list(owner.named_children()):
        if not isinstance(layer, nn.Linear) or layer.bias is not None or not fits(layer.weight):
            continue
        if int8:
            setattr(owner, name, StoredLinear(*rounded(layer.weight.detach())))
        elif layer.weight.dtype == torch.bfloat16 != dtype:
            setattr(owner, name, StoredLinear(layer.weight.detach()))


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """`weight` [outputs, inputs] as int8, and the step of each output, float32 [outputs]."""
    wide = weight.float()
    scale = wide.abs().amax(1) / 127
    steps = wide / torch.where(scale > 0, scale, 1.0)[:, None]
    return steps.round_().to(torch.int8), scale
