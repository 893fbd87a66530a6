"""From codes to sound a few frames at a time, for many rows at once, with the same samples as all at once.

The vocoder of Qwen3-TTS looks only backwards: causal convolutions, transposed convolutions that reach one input back,
and attention over the last 72 frames. So whatever it needs of the past has a fixed size, and a row can be decoded while
it is still being made. The package decodes 300 frames and then 300 more after a context of 25, which is heard at the
seams only as far as attention matters, but is not the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.engines.qwen import passes
from narrate.engines.qwen.device import placed
from narrate.engines.qwen.products import product


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What the vocoder remembers after some frames: numbers [remembered] and how many frames they were."""

    past: Tensor
    frames: int


class Vocoder:
    """The package's 12 Hz decoder (`Qwen3TTSTokenizerV2Decoder`) with a memory for each of `slots` rows."""

    def __init__(self, decoder: Any, slots: int) -> None:
        memory = _Memory()
        self._codes = _Codebooks(decoder.quantizer)
        self._before = _Convolution(decoder.pre_conv, memory)
        self._transformer = _Transformer(decoder.pre_transformer, memory)
        self._stages = [_stage(module, memory) for blocks in decoder.upsample for module in blocks]
        self._stages += [_stage(module, memory) for module in decoder.decoder]
        self.samples_per_frame = int(decoder.total_upsample)
        weight = decoder.pre_conv.conv.weight
        self._memory = memory
        self._past = memory.allot(slots, weight)
        self._frames = torch.zeros(slots, dtype=torch.long, device=weight.device)

    def decode(self, codes: Tensor) -> Tensor:
        """The next samples, float32 [rows, frames × samples per frame], of the first rows for their next codes.

        `codes` [rows, frames, 16], any integers; what is not a code (an end, a row nobody listens to) sounds like one.
        """
        rows, frames, _ = codes.shape
        with torch.inference_mode():
            hidden = self._before(self._codes(codes))
            hidden = self._transformer(hidden.transpose(1, 2), self._frames[:rows]).transpose(1, 2)
            for stage in self._stages:
                hidden = stage(hidden)
            self._frames[:rows] += frames
            return hidden.squeeze(1).clamp(-1.0, 1.0).float()

    def begin(self, slots: list[int], context: Context | None = None) -> None:
        """New rows start in `slots`: from nothing, or as if after the `context`."""
        with torch.inference_mode():
            where = placed(slots, self._frames.device)
            self._past[where] = 0.0 if context is None else context.past
            self._frames[where] = 0 if context is None else context.frames

    def after(self, codes: Tensor) -> Context:
        """What is remembered after `codes` [frames, 16], for `begin`: a reference recording to continue from.

        Uses the first slot, and puts back what was there.
        """
        with torch.inference_mode():
            there = self._context()
            self.begin([0])
            for part in codes.split(_CONTEXT_AT_ONCE):
                self.decode(part[None])
            after = self._context()
            self.begin([0], there)
        return after

    def _context(self) -> Context:
        """What the first slot remembers."""
        return Context(self._past[0].clone(), int(self._frames[0]))


_CONTEXT_AT_ONCE = 72


class _Memory:
    """One row of numbers for each slot, in which every part of the vocoder has its share of the past."""

    def __init__(self) -> None:
        self._shapes: list[tuple[int, ...]] = []
        self._shares: list[Tensor] = []

    def claim(self, *shape: int) -> int:
        self._shapes.append(shape)
        return len(self._shapes) - 1

    def allot(self, slots: int, like: Tensor) -> Tensor:
        """All rows, zeros [slots, numbers]: before the first frame there was silence."""
        sizes = [math.prod(shape) for shape in self._shapes]
        rows = like.new_zeros(slots, sum(sizes))
        shares = rows.split(sizes, dim=1)
        self._shares = [share.unflatten(1, shape) for share, shape in zip(shares, self._shapes, strict=True)]
        return rows

    def of(self, share: int, rows: int) -> Tensor:
        return self._shares[share][:rows]


class _Codebooks:
    """16 codes → the sum of their vectors. The tables are computed once; the package does it for every call."""

    def __init__(self, quantizer: Any) -> None:
        first, rest = quantizer.rvq_first, quantizer.rvq_rest
        books = [layer._codebook for layer in [*first.vq.layers, *rest.vq.layers]]
        self._table = torch.cat(
            [book.embedding_sum / book.cluster_usage.clamp(min=book.epsilon)[:, None] for book in books]
        ).detach()
        self._size, self._split = books[0].codebook_size, len(first.vq.layers)
        self._offsets = torch.arange(len(books), device=self._table.device) * self._size
        self._project = (first.output_proj, rest.output_proj)

    def __call__(self, codes: Tensor) -> Tensor:
        """[rows, frames, 16] → [rows, channels, frames]."""
        vectors = F.embedding(codes.clamp(0, self._size - 1) + self._offsets, self._table)
        first, rest = vectors[:, :, : self._split].sum(2), vectors[:, :, self._split :].sum(2)
        projected: Tensor = self._project[0](first.transpose(1, 2)) + self._project[1](rest.transpose(1, 2))
        return projected


class _Convolution:
    """A causal convolution that remembers the inputs it will look back at."""

    def __init__(self, module: Any, memory: _Memory) -> None:
        self._convolve, self._memory = module.conv, memory
        self._reach: int = module.padding
        self._share = memory.claim(module.conv.in_channels, self._reach) if self._reach else None

    def __call__(self, hidden: Tensor) -> Tensor:
        if self._share is None:  # over a single input: a product of matrices, which a CPU is far quicker at
            weight = self._convolve.weight.squeeze(2).expand(len(hidden), -1, -1)
            return torch.baddbmm(self._convolve.bias[:, None], weight, hidden)
        hidden = _continued(self._memory.of(self._share, len(hidden)), hidden, dim=2)
        convolved: Tensor = self._convolve(hidden)
        return convolved


class _Transposed:
    """A transposed convolution: an output is the sum over the last few inputs, so those are remembered."""

    def __init__(self, module: Any, memory: _Memory) -> None:
        self._convolve, self._memory = module.conv, memory
        (kernel,), (self._stride,) = module.conv.kernel_size, module.conv.stride
        self._reach = math.ceil(kernel / self._stride) - 1
        self._share = memory.claim(module.conv.in_channels, self._reach) if self._reach else None
        weight = module.conv.weight.detach()
        self._weights: list[Tensor] = []
        if weight.device.type == "cpu" and weight.dtype == torch.float32:
            whole = F.pad(weight, (0, (self._reach + 1) * self._stride - kernel))
            self._weights = [part.flatten(1).t().contiguous() for part in whole.split(self._stride, dim=2)]

    def __call__(self, hidden: Tensor) -> Tensor:
        length = hidden.shape[2]
        if self._share is not None:
            hidden = _continued(self._memory.of(self._share, len(hidden)), hidden, dim=2)
        if self._weights:
            return self._by_products(hidden, length)
        spread: Tensor = self._convolve(hidden)
        return spread.narrow(2, self._reach * self._stride, length * self._stride)

    def _by_products(self, hidden: Tensor, length: int) -> Tensor:
        """A product of matrices for each input that an output is a sum over: a CPU is far quicker at that."""
        inputs = hidden.transpose(0, 1)
        sums = torch.mm(self._weights[0], inputs[:, :, self._reach :].flatten(1))
        for back, weight in enumerate(self._weights[1:], start=1):
            first = self._reach - back
            sums.addmm_(weight, inputs[:, :, first : first + length].flatten(1))
        spread = sums.view(-1, self._stride, len(hidden), length).permute(2, 0, 3, 1)
        out = hidden.new_empty(spread.shape)
        torch.add(spread, self._convolve.bias[:, None, None], out=out)
        return out.flatten(2)


class _Linear:
    """Linear modules of the package, one above the other."""

    def __init__(self, *modules: Any) -> None:
        self._product = product(*modules)
        biases = [module.bias.detach() for module in modules if module.bias is not None]
        self._bias = torch.cat(biases) if biases else None

    def __call__(self, hidden: Tensor) -> Tensor:
        """[…, inputs] → […, outputs]."""
        out = self._product(hidden.flatten(0, -2))
        if self._bias is not None:
            out = out.add_(self._bias)
        return out.unflatten(0, hidden.shape[:-1])


class _Snake:
    """x + sin²(αx)/β, with the exponentials of α and β taken once."""

    def __init__(self, module: Any) -> None:
        self._alpha = module.alpha.detach().exp()[:, None]
        self._share = (1.0 / (module.beta.detach().exp() + module.no_div_by_zero))[:, None]

    def __call__(self, hidden: Tensor) -> Tensor:
        return passes.snake(hidden, self._alpha, self._share)


class _NextBlock:
    """A ConvNeXt block."""

    def __init__(self, module: Any, memory: _Memory) -> None:
        self._module = module
        self._depthwise = _Convolution(module.dwconv, memory)
        self._widen, self._narrow = _Linear(module.pwconv1), _Linear(module.pwconv2)

    def __call__(self, hidden: Tensor) -> Tensor:
        module = self._module
        mixed = module.norm(self._depthwise(hidden).transpose(1, 2))
        mixed = module.gamma * self._narrow(module.act(self._widen(mixed)))
        return hidden + mixed.transpose(1, 2)


class _Residual:
    def __init__(self, module: Any, memory: _Memory) -> None:
        self._bends = (_Snake(module.act1), _Snake(module.act2))
        self._convolutions = (_Convolution(module.conv1, memory), _Convolution(module.conv2, memory))

    def __call__(self, hidden: Tensor) -> Tensor:
        changed = hidden
        for bend, convolve in zip(self._bends, self._convolutions, strict=True):
            changed = convolve(bend(changed))
        return hidden + changed


class _Chain:
    def __init__(self, modules: Any, memory: _Memory) -> None:
        self._stages = [_stage(module, memory) for module in modules]

    def __call__(self, hidden: Tensor) -> Tensor:
        for stage in self._stages:
            hidden = stage(hidden)
        return hidden


class _Transformer:
    """Attention over the last `window` frames, whose keys and values are remembered."""

    def __init__(self, module: Any, memory: _Memory) -> None:
        self._module, self._memory = module, memory
        self._past = int(module.window_size) - 1
        config = module.config
        self._head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._heads, self._key_heads = config.num_attention_heads, config.num_key_value_heads
        shape = (2, self._key_heads, self._past, self._head)
        self._layers = [_VocoderLayer(layer, memory.claim(*shape)) for layer in module.layers]

    def __call__(self, hidden: Tensor, heard: Tensor) -> Tensor:
        """`hidden` [rows, frames, channels], `heard` [rows]: frames before these."""
        module, frames = self._module, hidden.shape[1]
        hidden = module.input_proj(hidden)
        rope = module.rotary_emb(hidden, heard[:, None] + torch.arange(frames, device=heard.device))
        mask = self._mask(frames, heard)
        for layer in self._layers:
            hidden = hidden + layer.scale_attended(self._attend(layer, layer.before_attention(hidden), rope, mask))
            hidden = hidden + layer.scale_forward(layer.forward(layer.before_forward(hidden)))
        out: Tensor = module.output_proj(module.norm(hidden))
        return out

    def _mask(self, frames: int, heard: Tensor) -> Tensor:
        """Which keys a frame sees, [rows, 1, frames, past + frames]: itself and `past` before it, none before 0."""
        key = torch.arange(self._past + frames, device=heard.device)
        query = torch.arange(frames, device=heard.device)[:, None]
        near = (key >= query) & (key <= query + self._past)
        return (near & (key >= self._past - heard[:, None, None]))[:, None]

    def _attend(self, layer: _VocoderLayer, hidden: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        split = layer.queries_keys_values(hidden).unflatten(2, (-1, self._head)).transpose(1, 2)
        query, key, value = split.split((self._heads, self._key_heads, self._key_heads), dim=1)
        both = torch.stack([_rotated(key, rope), value], dim=1)
        both = _continued(self._memory.of(layer.share, len(hidden)), both, dim=3)
        mixed = F.scaled_dot_product_attention(
            _rotated(query, rope), both[:, 0], both[:, 1], attn_mask=mask, enable_gqa=self._heads != self._key_heads
        )
        return layer.attention_out(mixed.transpose(1, 2).flatten(2))


class _VocoderLayer:
    def __init__(self, layer: Any, share: int) -> None:
        attention, forward = layer.self_attn, layer.mlp
        self.share = share
        self.before_attention, self.before_forward = layer.input_layernorm, layer.post_attention_layernorm
        self.scale_attended, self.scale_forward = layer.self_attn_layer_scale, layer.mlp_layer_scale
        self.queries_keys_values = _Linear(attention.q_proj, attention.k_proj, attention.v_proj)
        self.attention_out = _Linear(attention.o_proj)
        self._gate_up, self._down = _Linear(forward.gate_proj, forward.up_proj), _Linear(forward.down_proj)

    def forward(self, hidden: Tensor) -> Tensor:
        gate_up = self._gate_up(hidden)
        return self._down(passes.gated(gate_up.flatten(0, 1)).unflatten(0, gate_up.shape[:2]))


def _stage(module: Any, memory: _Memory) -> Any:
    """The part of ours that stands for a part of the package's decoder, known by what it is made of."""
    if hasattr(module, "block"):
        return _Chain(module.block, memory)
    if hasattr(module, "dwconv"):
        return _NextBlock(module, memory)
    if hasattr(module, "act1"):
        return _Residual(module, memory)
    if hasattr(module, "alpha"):
        return _Snake(module)
    return _Transposed(module, memory) if hasattr(module, "right_pad") else _Convolution(module, memory)


def _continued(past: Tensor, now: Tensor, dim: int) -> Tensor:
    """The past and now in one; the past moves on."""
    whole = torch.cat([past, now], dim)
    past.copy_(whole.narrow(dim, now.shape[dim], past.shape[dim]))
    return whole


def _rotated(vectors: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al. 2021): pairs (i, i + half) rotated by an angle that grows with position."""
    cosine, sine = (part[:, None] for part in rope)
    first, second = vectors.chunk(2, dim=-1)
    return vectors * cosine + torch.cat([-second, first], dim=-1) * sine
