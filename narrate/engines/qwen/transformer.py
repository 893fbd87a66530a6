"""The layers of Qwen3-TTS's talker and of its code predictor, evaluated with as few operations as eager torch allows.

Both are Qwen3 decoders: RMS norm before attention and before the gated feed-forward part, queries and keys normalized
per head, rotary positions, several query heads to one key head. The package runs the same weights through Hugging
Face's general machinery; here a layer is fourteen operations on `[tokens, channels]`, rounded where the package rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from narrate.engines.qwen import passes
from narrate.engines.qwen.products import Product, product


class Attend(Protocol):
    """Attention of one layer, with a memory of its own for keys and values."""

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[tokens, heads, head] with [tokens, key heads, head] → [tokens, heads × head]."""
        ...


@dataclass(frozen=True, slots=True)
class _Layer:
    before_attention: Tensor
    queries_keys_values: Product
    per_head: Tensor  # [query heads + key heads, head]
    attention_out: Product
    before_forward: Tensor
    gate_up: Product
    down: Product


class Layers:
    """The decoder layers and the last norm of one of the package's models (`talker.model`, `code_predictor.model`)."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self.heads, self.key_heads = int(config.num_attention_heads), int(config.num_key_value_heads)
        self.head = int(model.layers[0].self_attn.head_dim)
        self.hidden = int(config.hidden_size)
        self._epsilon = float(config.rms_norm_eps)
        self._layers = [self._layer(layer) for layer in model.layers]
        self._last = model.norm.weight.detach()
        self._rotary = model.rotary_emb

    def __len__(self) -> int:
        return len(self._layers)

    def _layer(self, layer: Any) -> _Layer:
        attention, forward = layer.self_attn, layer.mlp
        query, key = attention.q_norm.weight.detach(), attention.k_norm.weight.detach()
        return _Layer(
            before_attention=layer.input_layernorm.weight.detach(),
            queries_keys_values=product(attention.q_proj, attention.k_proj, attention.v_proj),
            per_head=torch.cat([query.expand(self.heads, -1), key.expand(self.key_heads, -1)]),
            attention_out=product(attention.o_proj),
            before_forward=layer.post_attention_layernorm.weight.detach(),
            gate_up=product(forward.gate_proj, forward.up_proj),
            down=product(forward.down_proj),
        )

    def rope(self, positions: int) -> Tensor:
        """The rotary table [positions, 2, 1, head]: cosines, and sines with the sign of the half that they meet."""
        frequencies = self._rotary.inv_freq.float()
        angles = torch.arange(positions, device=frequencies.device).float()[:, None] * frequencies
        cosine, sine = angles.cos(), angles.sin()
        table = torch.stack([torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1)], dim=1)
        return (table * self._rotary.attention_scaling).to(self._last.dtype)[:, :, None]

    def __call__(self, hidden: Tensor, rope: Tensor, attend: Attend) -> Tensor:
        """`hidden` [tokens, channels], `rope` [tokens or 1, 2, 1, head] → [tokens, channels], not yet normed."""
        both = self.heads + self.key_heads
        for number, layer in enumerate(self._layers):
            normed = passes.norm(hidden, layer.before_attention, self._epsilon)
            split = layer.queries_keys_values(normed).view(len(hidden), -1, self.head)
            rotated = passes.heads(split, layer.per_head, rope, self._epsilon)
            attended = attend(number, rotated[:, : self.heads], rotated[:, self.heads :], split[:, both:])
            sums = hidden.clone() if number == 0 else hidden  # what was given stays as it is
            hidden = layer.attention_out.added(sums, attended)
            normed = passes.norm(hidden, layer.before_forward, self._epsilon)
            hidden = layer.down.added(hidden, passes.gated(layer.gate_up(normed)))
        return hidden

    def last_norm(self, hidden: Tensor) -> Tensor:
        return passes.norm(hidden, self._last, self._epsilon)
