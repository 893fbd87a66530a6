"""What lies between the products of a layer, and the bends of the vocoder: each in one pass, where code of ours fits.

On a CPU torch computes an RMS norm in ten operations, and a call of one costs more than a row's numbers do. What is not
on a CPU, or not in float32, torch computes here as well.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.engines.qwen import kernels
from narrate.engines.qwen.vectors import VectorCode

_WORTH_THREADS = 2**14  # numbers


class _Work(ctypes.Structure):
    """`x` and `out` hold lines of `width` float32, `in_row` lines to a row; `a` and `b` are parameters.

    Steps of `x` are from one row, and one line of a row, to the next; `b_step` is from one row to the next. `out` has
    no gaps.
    """

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "a", "b", "out")),
        *((name, ctypes.c_int64) for name in ("lines", "in_row", "width", "row_step", "line_step", "b_step", "next")),
    ]


def norm(hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """RMS norm (Zhang and Sennrich 2019) of `hidden` [rows, channels], times `weight` [channels].

    It is computed in float32 and rounded before the weight, as in the package.
    """
    if not _fits(hidden, hidden.shape[1]):
        return F.rms_norm(hidden, hidden.shape[-1:], None, epsilon) * weight
    rows, channels = hidden.shape
    out = torch.empty(rows, channels)
    work = _Work(hidden.data_ptr(), weight.data_ptr(), 0, out.data_ptr(), rows, 1, channels, hidden.stride(0))
    return _done(_norm(epsilon), work, out)


def heads(split: Tensor, weight: Tensor, rope: Tensor, epsilon: float) -> Tensor:
    """RMS norm of each of the first heads of `split` [rows, heads and more, head], times `weight` [heads, head], and
    rotated by `rope` [rows or 1, 2, 1, head] (see `Layers.rope`) → [rows, heads, head]."""
    rows, (count, head) = len(split), weight.shape
    if not _fits(split, head // 2):
        # What is left of the heads is normalized along: to leave it out first would be a copy.
        normed = F.rms_norm(split, split.shape[-1:], None, epsilon)[:, :count] * weight
        cosine, sine = rope.unbind(1)
        return torch.addcmul(normed * cosine, normed.roll(head // 2, -1), sine)
    out = torch.empty(rows, count, head)
    work = _Work(
        *(split.data_ptr(), weight.data_ptr(), rope.data_ptr(), out.data_ptr()),
        *(rows * count, count, head, split.stride(0), split.stride(1), rope.stride(0) if len(rope) > 1 else 0),
    )
    return _done(_heads(epsilon, head), work, out)


def gated(gate_up: Tensor) -> Tensor:
    """[rows, 2 × channels] → silu(first half) × second half (Shazeer 2020), [rows, channels]."""
    rows, channels = len(gate_up), gate_up.shape[1] // 2
    if not _fits(gate_up, channels):
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate) * up
    out = torch.empty(rows, channels)
    work = _Work(gate_up.data_ptr(), 0, 0, out.data_ptr(), rows, 1, channels, gate_up.stride(0))
    return _done(_gated(), work, out)


def snake(hidden: Tensor, alpha: Tensor, share: Tensor) -> Tensor:
    """x + sin²(αx) · share (Ziyin et al. 2020); `hidden` [rows, channels, samples], the others [channels, 1]."""
    rows, channels, samples = hidden.shape
    if not _fits(hidden, samples):
        return torch.addcmul(hidden, share, (hidden * alpha).sin_().square_())
    out = torch.empty(rows, channels, samples)
    work = _Work(
        *(hidden.data_ptr(), alpha.data_ptr(), share.data_ptr(), out.data_ptr()),
        *(rows * channels, channels, samples, hidden.stride(0), hidden.stride(1)),
    )
    return _done(_snake(), work, out)


def _fits(tensor: Tensor, width: int) -> bool:
    """Whether it is a real float32 tensor on a CPU whose lines have no gaps and are whole vectors."""
    if type(tensor) is not Tensor or tensor.dtype != torch.float32 or tensor.device.type != "cpu":
        return False
    if tensor.stride(-1) != 1:
        return False
    return not torch.compiler.is_compiling() and (lanes := _lanes()) is not None and width % lanes == 0


@cache
def _lanes() -> int | None:
    return kernels.lanes("float32") if kernels.host() is not None else None


def _done(run: kernels.Run, work: _Work, out: Tensor) -> Tensor:
    run(ctypes.byref(work), torch.get_num_threads() if out.numel() >= _WORTH_THREADS else 1)
    return out


class _Lines(VectorCode):
    """A line is a turn: `write` is given where it, its parameters and its answer are."""

    def __init__(self, write: Callable[[_Lines, _Line], None]) -> None:
        super().__init__(kernels.lanes("float32"))
        self.root = self.outside("llvm.sqrt.f32", self.float, self.float)
        self.size = self.outside(f"llvm.fabs.v{self.lanes}f32", self.floats, self.floats)
        self._write = write

    def text(self) -> str:
        types = [*[self.float.as_pointer()] * 4, *[self.int64] * 7]
        x, a, b, out, lines, in_row, width, row_step, line_step, b_step = self.begin(types)
        builder = self.builder
        with self.turns(lines) as number:
            row, place = builder.sdiv(number, in_row), builder.srem(number, in_row)
            offset = builder.add(builder.mul(row, row_step), builder.mul(place, line_step))
            answer = builder.gep(out, [builder.mul(number, width)])
            of_row = builder.gep(b, [builder.mul(row, b_step)])
            self._write(self, _Line(builder.gep(x, [offset]), answer, a, of_row, place, width))
        kernels.run_in_threads(self.module, self.function, len(types) - 1)
        return str(self.module)

    def norm_share(self, line: _Line, epsilon: float) -> Any:
        """1/√(mean of the squares + ε), in every place of a vector."""
        builder = self.builder
        squares = self.register()
        builder.store(self.all(0.0), squares)
        with self.loop(line.width, self.lanes) as at:
            value = self.vector(line.x, at)
            builder.store(builder.call(self.multiply_add, [value, value, builder.load(squares)]), squares)
        mean = builder.fdiv(self.sum(builder.load(squares)), builder.sitofp(line.width, self.float))
        root = builder.call(self.root, [builder.fadd(mean, self.float(epsilon))])
        return self.spread(builder.fdiv(self.float(1.0), root))


@dataclass(frozen=True, slots=True)
class _Line:
    """Pointers to the line, its answer and the parameters, of `b` those of the row; which line of the row it is, and
    how wide."""

    x: Any
    out: Any
    a: Any
    b: Any
    place: Any
    width: Any


@cache
def _norm(epsilon: float) -> kernels.Run:
    def write(code: _Lines, line: _Line) -> None:
        share = code.norm_share(line, epsilon)
        with code.loop(line.width, code.lanes) as at:
            normed = code.builder.fmul(code.vector(line.x, at), share)
            code.store(code.builder.fmul(normed, code.vector(line.a, at)), line.out, at)

    return kernels.compiled(_Lines(write).text())


@cache
def _heads(epsilon: float, head: int) -> kernels.Run:
    def write(code: _Lines, line: _Line) -> None:
        builder, half = code.builder, head // 2
        share = code.norm_share(line, epsilon)
        weight = builder.gep(line.a, [builder.mul(line.place, line.width)])

        def normed(at: int) -> Any:
            return builder.fmul(builder.fmul(code.vector(line.x, at), share), code.vector(weight, at))

        for at in range(0, half, code.lanes):
            pair = normed(at), normed(at + half)
            for own, other, place in ((*pair, at), (*reversed(pair), at + half)):
                turned = builder.fmul(own, code.vector(line.b, place))
                sine = code.vector(line.b, head + place)
                code.store(builder.call(code.multiply_add, [other, sine, turned]), line.out, place)

    return kernels.compiled(_Lines(write).text())


@cache
def _gated() -> kernels.Run:
    def write(code: _Lines, line: _Line) -> None:
        builder = code.builder
        up = builder.gep(line.x, [line.width])
        with code.loop(line.width, code.lanes) as at:
            gate = code.vector(line.x, at)
            # Of the logistic function's two forms the one whose exponential cannot overflow.
            shrunk = code.exponential(builder.fneg(builder.call(code.size, [gate])))
            top = builder.select(builder.fcmp_ordered(">=", gate, code.all(0.0)), code.all(1.0), shrunk)
            share = builder.fdiv(top, builder.fadd(code.all(1.0), shrunk))
            code.store(builder.fmul(builder.fmul(gate, share), code.vector(up, at)), line.out, at)

    return kernels.compiled(_Lines(write).text())


@cache
def _snake() -> kernels.Run:
    def write(code: _Lines, line: _Line) -> None:
        builder = code.builder
        alpha, share = (code.spread(builder.load(builder.gep(values, [line.place]))) for values in (line.a, line.b))
        with code.loop(line.width, code.lanes) as at:
            value = code.vector(line.x, at)
            bent = code.squared_sine(builder.fmul(value, alpha))
            code.store(builder.call(code.multiply_add, [bent, share, value]), line.out, at)

    return kernels.compiled(_Lines(write).text())
