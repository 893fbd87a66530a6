"""Attention of one token per row over its own past on a CPU, with code of our own (see kernels.py).

Each row looks at exactly as many positions as it has, where a mask over the longest row's would have been computed; and
keys and values are read once, in order, for all the query heads that share them.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from narrate.engines.qwen import kernels
from narrate.engines.qwen.vectors import VectorCode

_KINDS: dict[torch.dtype, Literal["float32", "bfloat16"]] = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_AHEAD = 8  # positions: keys of one head are asked for so much earlier, since those of the others lie in between
_WORTH_THREADS = 2**16  # numbers read


class _Work(ctypes.Structure):
    """`query` and `out` [rows, heads, head], `keys` and `values` [slots, capacity, key heads, head], `last` [rows].

    Steps are numbers from one row, or one position, to the next; `capacity` is the highest number of positions.
    """

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("query", "keys", "values", "last", "out")),
        *(
            (name, ctypes.c_int64)
            for name in ("rows", "key_heads", "query_step", "row_step", "position_step", "capacity", "next")
        ),
    ]


def fits(query: Tensor, keys: Tensor) -> bool:
    """Whether `attend` can be asked: real tensors on a CPU, in a type and shape that it knows."""
    if type(query) is not Tensor or query.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    kind = _KINDS.get(keys.dtype)
    return kind is not None and _code_for(kind, query.shape[1] // keys.shape[2], query.shape[2]) is not None


def attend(query: Tensor, keys: Tensor, values: Tensor, last: Tensor) -> Tensor:
    """`query` [rows, heads, head] over `keys` and `values` [rows or more, capacity, key heads, head], of which a row
    sees positions 0 to `last` [rows] → [rows, heads × head]. The result is not defined where `fits` is false.
    """
    rows, heads, head = query.shape
    capacity, key_heads = keys.shape[1:3]
    run = _code_for(_KINDS[keys.dtype], heads // key_heads, head)
    assert run is not None
    wide = query.float()
    out = torch.empty(rows, heads * head)
    work = _Work(
        *(wide.data_ptr(), keys.data_ptr(), values.data_ptr(), last.data_ptr(), out.data_ptr()),
        *(rows, key_heads, wide.stride(0), keys.stride(0), keys.stride(1), capacity),
    )
    threads = torch.get_num_threads() if rows * capacity * key_heads * head >= _WORTH_THREADS else 1
    run(ctypes.byref(work), threads)
    return out.to(query.dtype)


@cache
def _code_for(kind: Literal["float32", "bfloat16"], group: int, head: int) -> kernels.Run | None:
    lanes = kernels.lanes(kind)
    if kernels.host() is None or head % lanes or head // lanes % _vectors(head, lanes):
        return None
    return kernels.compiled(_Code(kind, lanes, group, head).text())


def _vectors(head: int, lanes: int) -> int:
    """Of a value's vectors, how many are summed up at a time, for each query head: as registers allow."""
    return min(4, head // lanes)


class _Code(VectorCode):
    """One key head of one row is a turn: scores, their exponentials, and the mean of the values that these weigh."""

    def __init__(self, kind: Literal["float32", "bfloat16"], lanes: int, group: int, head: int) -> None:
        super().__init__(lanes)
        ir = self.ir
        self.kind, self.group, self.head = kind, group, head
        self.vectors = _vectors(head, lanes)
        self.number = self.float if kind == "float32" else ir.IntType(16)
        self.prefetch = self.outside("llvm.prefetch.p0", ir.VoidType(), ir.IntType(8).as_pointer(), *[self.int32] * 3)

    def text(self) -> str:
        floats, numbers = self.float.as_pointer(), self.number.as_pointer()
        types = [floats, numbers, numbers, self.int64.as_pointer(), floats, *[self.int64] * 7]
        query, keys, values, last, out, rows, key_heads, query_step, row_step, step, capacity = self.begin(types)
        builder, int64 = self.builder, self.int64
        # Scores of each query head, with room to fill the last vector up.
        stride = builder.add(capacity, int64(self.lanes))
        scores = builder.alloca(self.float, size=builder.mul(stride, int64(self.group)))
        with self.turns(builder.mul(rows, key_heads)) as number:
            row, key_head = builder.sdiv(number, key_heads), builder.srem(number, key_heads)
            seen = builder.add(builder.load(builder.gep(last, [row])), int64(1))
            wide = int64(self.group * self.head)
            past = builder.add(builder.mul(row, row_step), builder.mul(key_head, int64(self.head)))
            asked = builder.gep(query, [builder.add(builder.mul(row, query_step), builder.mul(key_head, wide))])
            answer = builder.gep(out, [builder.mul(number, wide)])
            lines = [builder.gep(scores, [builder.mul(stride, int64(one))]) for one in range(self.group)]
            self._score(builder.gep(keys, [past]), step, seen, asked, lines)
            shares = [self._exponentials(line, seen) for line in lines]
            self._mix(builder.gep(values, [past]), step, seen, answer, lines, shares)
        kernels.run_in_threads(self.module, self.function, len(types) - 1)
        return str(self.module)

    def _score(self, keys: Any, step: Any, seen: Any, query: Any, lines: list[Any]) -> None:
        """Each position's products with the queries, divided by √head."""
        builder, int64 = self.builder, self.int64
        scale = self.float(1 / math.sqrt(self.head))
        with self.loop(seen, 1) as place:
            here = builder.gep(keys, [builder.mul(place, step)])
            self._ask(builder.gep(keys, [builder.mul(builder.add(place, int64(_AHEAD)), step)]))
            sums = [self.all(0.0)] * self.group
            for at in range(0, self.head, self.lanes):
                key = self._loaded(here, at)
                for one in range(self.group):
                    value = self.vector(query, one * self.head + at)
                    sums[one] = builder.call(self.multiply_add, [key, value, sums[one]])
            for line, found in zip(lines, sums, strict=True):
                total = self.sum(found)
                builder.store(builder.fmul(total, scale), builder.gep(line, [place]))

    def _exponentials(self, line: Any, seen: Any) -> Any:
        """The scores become their exponentials, over the highest one; returns one divided by their sum."""
        builder, int64 = self.builder, self.int64
        lowest = self.float(-math.inf)
        with self.loop(int64(self.lanes), 1) as place:  # what fills the last vector up weighs nothing
            builder.store(lowest, builder.gep(line, [builder.add(seen, place)]))
        state = self.register()
        builder.store(self.all(-math.inf), state)
        with self.loop(seen, self.lanes) as place:
            found = self.vector(line, place)
            builder.store(builder.call(self.higher, [builder.load(state), found]), state)
        top = self.spread(builder.call(self.highest, [builder.load(state)]))
        builder.store(self.all(0.0), state)
        with self.loop(seen, self.lanes) as place:
            value = self.exponential(builder.fsub(self.vector(line, place), top))
            self.store(value, line, place)
            builder.store(builder.fadd(builder.load(state), value), state)
        total = self.sum(builder.load(state))
        return builder.fdiv(self.float(1.0), total)

    def _mix(self, values: Any, step: Any, seen: Any, out: Any, lines: list[Any], shares: list[Any]) -> None:
        """The mean of the values."""
        builder, int64 = self.builder, self.int64
        sums = [[self.register() for _ in range(self.vectors)] for _ in lines]
        part = self.lanes * self.vectors
        for start in range(0, self.head, part):
            for one in (one for group in sums for one in group):
                builder.store(self.all(0.0), one)
            with self.loop(seen, 1) as place:
                here = builder.gep(values, [builder.mul(place, step)])
                if start == 0:
                    self._ask(builder.gep(values, [builder.mul(builder.add(place, int64(_AHEAD)), step)]))
                vectors = [self._loaded(here, start + number * self.lanes) for number in range(self.vectors)]
                for line, group in zip(lines, sums, strict=True):
                    weight = self.spread(builder.load(builder.gep(line, [place])))
                    for vector, one in zip(vectors, group, strict=True):
                        builder.store(builder.call(self.multiply_add, [vector, weight, builder.load(one)]), one)
            for number, (group, share) in enumerate(zip(sums, shares, strict=True)):
                for place_in, one in enumerate(group):
                    offset = number * self.head + start + place_in * self.lanes
                    self.store(builder.fmul(builder.load(one), self.spread(share)), out, offset)

    def _ask(self, line: Any) -> None:
        size = kernels.BYTES[self.kind]
        for at in range(0, self.head, 64 // size):
            place = self.builder.bitcast(self.builder.gep(line, [self.int64(at)]), self.ir.IntType(8).as_pointer())
            self.builder.call(self.prefetch, [place, self.int32(0), self.int32(3), self.int32(1)])

    def _loaded(self, base: Any, at: int) -> Any:
        """Keys or values as float32."""
        if self.kind == "float32":
            return self.vector(base, at)
        place = self.builder.gep(base, [self.int64(at)])
        halves = self.ir.VectorType(self.number, self.lanes)
        found = self.builder.load(self.builder.bitcast(place, halves.as_pointer()), align=2)
        shift = self.ir.Constant(self.ints, [16] * self.lanes)
        return self.builder.bitcast(self.builder.shl(self.builder.zext(found, self.ints), shift), self.floats)
