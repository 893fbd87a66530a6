"""Products of the rows with a weight: by torch on a GPU, by code of our own on a CPU, whichever is quicker there."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.engines.qwen import kernels
from narrate.engines.qwen.processor import this_processor

_KINDS: dict[torch.dtype, kernels.Number] = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.int8: "int8",
}
_WORTH_THREADS = 2**16  # weights: fewer are read before a second thread has woken up
_NEVER = 2**30
_PAIRS_AT_ONCE = 32
_TRIED_ROWS = (4, 8, 16, 32)
_TRIED_SECONDS = 0.1


class Product(Protocol):
    """A weight [outputs, inputs] to multiply rows with."""

    def __call__(self, rows: Tensor) -> Tensor:
        """[rows, inputs] → [rows, outputs], in the type of `rows`."""
        ...

    def added(self, sums: Tensor, rows: Tensor) -> Tensor:
        """`sums` [rows, outputs] and the product. May be written over `sums`."""
        ...


def product(*modules: Any) -> Product:
    """The weights of some linear modules without biases, one above the other.

    The modules' weights become parts of the whole: they still work, and no memory is used twice.
    """
    weight = joined([module.weight for module in modules])
    if weight.device.type != "cpu" or not fits(weight):
        return _ByTorch(weight)
    scale = joined([module.scale for module in modules]) if weight.dtype == torch.int8 else None
    return _OnProcessor(weight, scale)


def fits(weight: Tensor) -> bool:
    """Whether our own code can multiply with it: its lines are whole registers, and LLVM and OpenMP are at hand."""
    outputs, inputs = weight.shape
    kind = _KINDS.get(weight.dtype)
    if kind is None or kernels.product_of(kind) is None:
        return False
    return bool(outputs % kernels.OUTPUTS_AT_ONCE == 0 and inputs % kernels.lanes(kind) == 0)


def joined(parameters: Sequence[Any]) -> Tensor:
    """One tensor of several along their rows. The parameters become views of it: no memory is used twice."""
    if len(parameters) == 1:
        return parameters[0].detach()  # type: ignore[no-any-return]
    whole = torch.cat([parameter.detach() for parameter in parameters])
    for parameter, part in zip(parameters, whole.split([len(parameter) for parameter in parameters]), strict=True):
        parameter.data = part
    return whole


class _ByTorch:
    def __init__(self, weight: Tensor) -> None:
        self._weight, self._turned = weight, weight.t()

    def __call__(self, rows: Tensor) -> Tensor:
        return F.linear(rows, self._weight)

    def added(self, sums: Tensor, rows: Tensor) -> Tensor:
        return sums.addmm_(rows, self._turned)


class _OnProcessor:
    """Our own code, but torch's for so many rows that it is quicker (on processors that multiply bfloat16), and where
    `rows` only stand for some, as when `torch.compile` looks on: what they hold has no address."""

    def __init__(self, weight: Tensor, scale: Tensor | None) -> None:
        kind = _KINDS[weight.dtype]
        run = kernels.product_of(kind)
        assert run is not None
        self._run, self._weight, self._scale = run, weight, scale
        self._outputs, self._inputs = weight.shape
        self._threaded = weight.numel() >= _WORTH_THREADS
        self._work = kernels.Work(
            weight=weight.data_ptr(),
            scale=0 if scale is None else scale.data_ptr(),
            out_step=self._outputs,
            outputs=self._outputs,
            inputs=self._inputs,
        )
        self._reference = ctypes.byref(self._work)
        in_pairs = weight.dtype == torch.bfloat16 and self._inputs % _PAIRS_AT_ONCE == 0
        self._run_pairs = kernels.product_of("pairs") if in_pairs and pairs_are_right() else None

    def __call__(self, rows: Tensor) -> Tensor:
        if self._left_to_torch(rows):
            return F.linear(rows, self._wide(rows.dtype))
        return self.multiplied(rows)

    def multiplied(self, rows: Tensor) -> Tensor:
        """The product by our own code."""
        sums = torch.empty(len(rows), self._outputs)
        self._multiply(rows, sums, add=False)
        return sums.to(rows.dtype)

    def added(self, sums: Tensor, rows: Tensor) -> Tensor:
        if self._left_to_torch(rows):
            return torch.addmm(sums, rows, self._wide(rows.dtype).t())
        whole = sums.float().contiguous()
        self._multiply(rows, whole, add=True)
        return whole.to(sums.dtype)

    def _multiply(self, rows: Tensor, sums: Tensor, *, add: bool) -> None:
        run = self._run_pairs
        if run is None or rows.dtype != torch.bfloat16:
            rows, run = rows.float(), self._run
        if rows.stride(1) != 1:
            rows = rows.contiguous()
        work = self._work
        work.x, work.out, work.x_step = rows.data_ptr(), sums.data_ptr(), rows.stride(0)
        work.rows, work.add = len(rows), add
        run(self._reference, torch.get_num_threads() if self._threaded else 1)

    def _left_to_torch(self, rows: Tensor) -> bool:
        if torch.compiler.is_compiling() or type(rows) is not Tensor:
            return True
        return rows.dtype == self._weight.dtype == torch.bfloat16 and len(rows) >= rows_for_torch()

    def _wide(self, dtype: torch.dtype) -> Tensor:
        weight = self._weight.to(dtype)
        return weight if self._scale is None else weight * self._scale[:, None].to(dtype)


@cache
def pairs_are_right() -> bool:
    """Whether this processor multiplies pairs of bfloat16, and a product of them is what torch computes."""
    run = kernels.product_of("pairs")
    if run is None:
        return False
    weight, rows = torch.randn(68, 96).bfloat16(), torch.randn(7, 96).bfloat16()
    sums = torch.ones(7, 68)
    work = kernels.Work(
        *(rows.data_ptr(), weight.data_ptr(), 0, sums.data_ptr()), *(96, 68, 7, 68, 96), add=1
    )  # fmt: skip
    run(ctypes.byref(work), 2)
    return torch.allclose(sums - 1, rows.float() @ weight.float().t(), rtol=1e-3, atol=1e-3)  # type: ignore[no-any-return]


@cache
def rows_for_torch() -> int:
    """From how many rows on torch is quicker with weights and rows in bfloat16; measured once, in half a second.

    Without instructions for bfloat16 it never is: it was five times slower.
    """
    if this_processor().bfloat16 is None:
        return _NEVER
    weights = torch.randn(16, 1024, 2048).bfloat16()  # more than a cache holds
    ours = [_OnProcessor(weight, None) for weight in weights]
    for count in _TRIED_ROWS:
        rows = torch.randn(count, 2048).bfloat16()
        theirs = _seconds(lambda rows=rows: [F.linear(rows, weight) for weight in weights])
        if theirs < _seconds(lambda rows=rows: [one.multiplied(rows) for one in ours]):
            return count
    return _NEVER


def _seconds(work: Any) -> float:
    spent: list[float] = []
    end = time.perf_counter() + _TRIED_SECONDS
    while len(spent) < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent[1:])
