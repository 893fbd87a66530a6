"""Keys and values of all rows, each row in its own slot at its own position. Nothing is allocated while speaking.

A slot holds `capacity` positions and grows only when a row gets there. Attention looks at the first `length` of them,
a step of a ladder that the longest living row decides, since every position costs a read per frame.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.engines.qwen import attention
from narrate.engines.qwen.transformer import Attend, Layers

_LADDER = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)


def step_for(length: int) -> int:
    """The lowest step of the ladder that holds `length` positions."""
    return next((step for step in _LADDER if step >= length), -(-length // 4096) * 4096)


class SlotCache:
    """Keys and values [slots + 1, capacity, key heads, head] for each layer; the slot after the last is for padding."""

    def __init__(self, layers: Layers, slots: int, capacity: int, like: Tensor) -> None:
        shape = (slots + 1, capacity, layers.key_heads, layers.head)
        # Zeros, not empty: what is masked is still multiplied, and a number that is none would spread.
        self._keys = [like.new_zeros(shape) for _ in range(len(layers))]
        self._values = [like.new_zeros(shape) for _ in range(len(layers))]
        self._rows = torch.arange(slots + 1, device=like.device)
        self._places = torch.arange(capacity, device=like.device)
        self.capacity = capacity

    def grow(self, capacity: int) -> None:
        """Room for more positions, layer by layer, so that only one layer is there twice."""
        for tensors in (self._keys, self._values):
            for number, old in enumerate(tensors):
                tensors[number] = F.pad(old, (0, 0, 0, 0, 0, capacity - self.capacity))
        self._places = torch.arange(capacity, device=self._rows.device)
        self.capacity = capacity

    def clear(self, slot: int) -> None:
        """After a row that was not numbers: they must not be met by the next one there."""
        for tensor in (*self._keys, *self._values):
            tensor[slot] = 0

    def step(self, positions: Tensor, length: int) -> Attend:
        """One token for each of the first rows, at `positions` [rows], all below `length`."""
        rows = len(positions)
        flat = self._rows[:rows] * self.capacity + positions
        mask = torch.where(self._places[:length] <= positions[:, None], 0.0, -float("inf"))
        mask = mask.to(self._keys[0].dtype)[:, None, None]

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = self._keys[layer], self._values[layer]
            keys.view(-1, *key.shape[1:]).index_copy_(0, flat, key)
            values.view(-1, *key.shape[1:]).index_copy_(0, flat, value)
            if attention.fits(query, keys):
                return attention.attend(query, keys[:, :length], values, positions)
            return grouped(query, keys[:rows, :length], values[:rows, :length], mask)

        return attend

    def prompts(self, slots: Tensor, size: int) -> Attend:
        """`size` tokens for each of `slots` [rows], from position 0."""

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            rows = len(slots)
            key, value = (part.view(rows, size, *part.shape[1:]) for part in (key, value))
            self._keys[layer][:, :size].index_copy_(0, slots, key)
            self._values[layer][:, :size].index_copy_(0, slots, value)
            return causal(query.view(rows, size, *query.shape[1:]), key, value)

        return attend


class FrameCache:
    """Keys and values of the codes of one frame, [slots, codes, key heads, head] for each layer."""

    def __init__(self, layers: Layers, slots: int, codes: int, like: Tensor) -> None:
        shape = (slots, codes, layers.key_heads, layers.head)
        self._keys = [like.new_zeros(shape) for _ in range(len(layers))]
        self._values = [like.new_zeros(shape) for _ in range(len(layers))]
        self._places = torch.arange(codes, device=like.device)[:, None].expand(codes, slots).contiguous()

    def begin(self, rows: int) -> Attend:
        """The frame's first two tokens of each row."""

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            key, value = (part.view(rows, 2, *part.shape[1:]) for part in (key, value))
            keys, values = self._keys[layer][:rows], self._values[layer][:rows]
            keys[:, :2], values[:, :2] = key, value
            query = query.view(rows, 2, *query.shape[1:])
            if attention.fits(query[:, 0], keys):
                seen = [attention.attend(query[:, at], keys, values, self._places[at]) for at in range(2)]
                return torch.stack(seen, dim=1).flatten(0, 1)
            return causal(query, key, value)

        return attend

    def step(self, rows: int, place: int) -> Attend:
        """The token at `place` of each row."""

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = self._keys[layer][:rows], self._values[layer][:rows]
            keys[:, place], values[:, place] = key, value
            if attention.fits(query, keys):
                return attention.attend(query, keys, values, self._places[place])
            return grouped(query, keys[:, : place + 1], values[:, : place + 1], None)

        return attend


def grouped(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """One token per row: `query` [rows, heads, head], `keys` [rows, length, key heads, head] → [rows, heads × head].

    The query heads that share a key head stand where a sequence would: no key is copied for any of them.
    """
    rows, _, head = query.shape
    query = query.view(rows, keys.shape[2], -1, head)
    mixed = F.scaled_dot_product_attention(query, keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask)
    return mixed.reshape(rows, -1)


def causal(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Several tokens per row, each seeing those before it: [rows, tokens, heads, head] → [rows × tokens, …]."""
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    grouped_heads = query.shape[1] != key.shape[1]
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped_heads)
    return mixed.transpose(1, 2).flatten(2).flatten(0, 1)
