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


class _Code:
    """One key head of one row is a turn: scores, their exponentials, and the mean of the values that these weigh."""

    def __init__(self, kind: Literal["float32", "bfloat16"], lanes: int, group: int, head: int) -> None:
        from llvmlite import ir

        self.ir, self.kind, self.lanes, self.group, self.head = ir, kind, lanes, group, head
        self.vectors = _vectors(head, lanes)
        self.int32, self.int64, self.float = ir.IntType(32), ir.IntType(64), ir.FloatType()
        self.floats, self.ints = ir.VectorType(self.float, lanes), ir.VectorType(self.int32, lanes)
        self.number = self.float if kind == "float32" else ir.IntType(16)
        floats, numbers = self.float.as_pointer(), self.number.as_pointer()
        self.work = ir.LiteralStructType([floats, numbers, numbers, self.int64.as_pointer(), floats, *[self.int64] * 7])
        self.module = ir.Module()
        suffix = f"v{lanes}f32"
        self.multiply_add = self._outside(f"llvm.fma.{suffix}", self.floats, *[self.floats] * 3)
        self.sum = self._outside(f"llvm.vector.reduce.fadd.{suffix}", self.float, self.float, self.floats)
        self.highest = self._outside(f"llvm.vector.reduce.fmax.{suffix}", self.float, self.floats)
        self.higher = self._outside(f"llvm.maxnum.{suffix}", self.floats, self.floats, self.floats)
        self.round = self._outside(f"llvm.rint.{suffix}", self.floats, self.floats)
        self.prefetch = self._outside("llvm.prefetch.p0", ir.VoidType(), ir.IntType(8).as_pointer(), *[self.int32] * 3)

    def text(self) -> str:
        kernels.run_in_threads(self.module, self._turns(), 11)
        return str(self.module)

    def _outside(self, name: str, gives: Any, *takes: Any) -> Any:
        return self.ir.Function(self.module, self.ir.FunctionType(gives, takes), name)

    def _all(self, number: float) -> Any:
        return self.ir.Constant(self.floats, [number] * self.lanes)

    def _turns(self) -> Any:
        ir, int64 = self.ir, self.int64
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [self.work.as_pointer()]), "turns")
        work = function.args[0]
        self.builder = builder = ir.IRBuilder(function.append_basic_block())
        fields = [builder.gep(work, [self.int32(0), self.int32(n)], inbounds=True) for n in range(12)]
        query, keys, values, last, out, rows, key_heads, query_step, row_step, step, capacity = (
            builder.load(field) for field in fields[:11]
        )
        # Scores of each query head, with room to fill the last vector up.
        stride = builder.add(capacity, int64(self.lanes))
        scores = builder.alloca(self.float, size=builder.mul(stride, int64(self.group)))
        count = builder.mul(rows, key_heads)
        take, turn, finish = (function.append_basic_block(name) for name in ("take", "turn", "finish"))
        builder.branch(take)
        builder.position_at_end(take)
        number = builder.atomic_rmw("add", fields[11], int64(1), "monotonic")
        builder.cbranch(builder.icmp_signed("<", number, count), turn, finish)
        ir.IRBuilder(finish).ret_void()
        builder.position_at_end(turn)
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
        builder.branch(take)
        return function

    def _score(self, keys: Any, step: Any, seen: Any, query: Any, lines: list[Any]) -> None:
        """Each position's products with the queries, divided by √head."""
        builder, int64 = self.builder, self.int64
        scale = self.float(1 / math.sqrt(self.head))
        with self._loop(seen, 1) as place:
            here = builder.gep(keys, [builder.mul(place, step)])
            self._ask(builder.gep(keys, [builder.mul(builder.add(place, int64(_AHEAD)), step)]))
            sums = [self._all(0.0)] * self.group
            for at in range(0, self.head, self.lanes):
                key = self._loaded(here, at)
                for one in range(self.group):
                    value = self._vector(query, one * self.head + at)
                    sums[one] = builder.call(self.multiply_add, [key, value, sums[one]])
            for line, found in zip(lines, sums, strict=True):
                total = builder.call(self.sum, [self.float(0.0), found], fastmath=("reassoc",))
                builder.store(builder.fmul(total, scale), builder.gep(line, [place]))

    def _exponentials(self, line: Any, seen: Any) -> Any:
        """The scores become their exponentials, over the highest one; returns one divided by their sum."""
        builder, int64 = self.builder, self.int64
        lowest = self.float(-math.inf)
        with self._loop(int64(self.lanes), 1) as place:  # what fills the last vector up weighs nothing
            builder.store(lowest, builder.gep(line, [builder.add(seen, place)]))
        state = self._register()
        builder.store(self._all(-math.inf), state)
        with self._loop(seen, self.lanes) as place:
            found = self._vector(builder.gep(line, [place]), 0)
            builder.store(builder.call(self.higher, [builder.load(state), found]), state)
        top = self._spread(builder.call(self.highest, [builder.load(state)]))
        builder.store(self._all(0.0), state)
        with self._loop(seen, self.lanes) as place:
            there = builder.bitcast(builder.gep(line, [place]), self.floats.as_pointer())
            value = self._exponential(builder.fsub(builder.load(there, align=4), top))
            builder.store(value, there, align=4)
            builder.store(builder.fadd(builder.load(state), value), state)
        total = builder.call(self.sum, [self.float(0.0), builder.load(state)], fastmath=("reassoc",))
        return builder.fdiv(self.float(1.0), total)

    def _exponential(self, value: Any) -> Any:
        """eˣ for x ≤ 0: 2ⁿ times a polynomial in what is left of x, in two parts of ln 2 (Cody and Waite 1980); below
        -87 it is e⁻⁸⁷, which is nothing beside the highest score's 1."""
        builder = self.builder
        value = builder.call(self.higher, [value, self._all(-87.0)])
        whole = builder.call(self.round, [builder.fmul(value, self._all(1 / math.log(2)))])
        rest = builder.call(self.multiply_add, [whole, self._all(-0.693359375), value])
        rest = builder.call(self.multiply_add, [whole, self._all(0.693359375 - math.log(2)), rest])
        series = self._all(1 / math.factorial(7))
        for power in range(6, -1, -1):
            series = builder.call(self.multiply_add, [series, rest, self._all(1 / math.factorial(power))])
        steps = builder.fptosi(whole, self.ints)
        shift, bias = (self.ir.Constant(self.ints, [number] * self.lanes) for number in (23, 127))
        return builder.fmul(series, builder.bitcast(builder.shl(builder.add(steps, bias), shift), self.floats))

    def _mix(self, values: Any, step: Any, seen: Any, out: Any, lines: list[Any], shares: list[Any]) -> None:
        """The mean of the values."""
        builder, int64 = self.builder, self.int64
        sums = [[self._register() for _ in range(self.vectors)] for _ in lines]
        part = self.lanes * self.vectors
        for start in range(0, self.head, part):
            for one in (one for group in sums for one in group):
                builder.store(self._all(0.0), one)
            with self._loop(seen, 1) as place:
                here = builder.gep(values, [builder.mul(place, step)])
                if start == 0:
                    self._ask(builder.gep(values, [builder.mul(builder.add(place, int64(_AHEAD)), step)]))
                vectors = [self._loaded(here, start + number * self.lanes) for number in range(self.vectors)]
                for line, group in zip(lines, sums, strict=True):
                    weight = self._spread(builder.load(builder.gep(line, [place])))
                    for vector, one in zip(vectors, group, strict=True):
                        builder.store(builder.call(self.multiply_add, [vector, weight, builder.load(one)]), one)
            for number, (group, share) in enumerate(zip(sums, shares, strict=True)):
                for place_in, one in enumerate(group):
                    offset = number * self.head + start + place_in * self.lanes
                    target = builder.bitcast(builder.gep(out, [int64(offset)]), self.floats.as_pointer())
                    builder.store(builder.fmul(builder.load(one), self._spread(share)), target, align=4)

    def _register(self) -> Any:
        """Room for a vector. LLVM keeps it in a register, as long as it is claimed where the function begins."""
        with self.builder.goto_entry_block():
            return self.builder.alloca(self.floats)

    def _ask(self, line: Any) -> None:
        size = kernels.BYTES[self.kind]
        for at in range(0, self.head, 64 // size):
            place = self.builder.bitcast(self.builder.gep(line, [self.int64(at)]), self.ir.IntType(8).as_pointer())
            self.builder.call(self.prefetch, [place, self.int32(0), self.int32(3), self.int32(1)])

    def _vector(self, base: Any, at: int) -> Any:
        place = self.builder.gep(base, [self.int64(at)])
        return self.builder.load(self.builder.bitcast(place, self.floats.as_pointer()), align=4)

    def _loaded(self, base: Any, at: int) -> Any:
        """Keys or values as float32."""
        if self.kind == "float32":
            return self._vector(base, at)
        place = self.builder.gep(base, [self.int64(at)])
        halves = self.ir.VectorType(self.number, self.lanes)
        found = self.builder.load(self.builder.bitcast(place, halves.as_pointer()), align=2)
        shift = self.ir.Constant(self.ints, [16] * self.lanes)
        return self.builder.bitcast(self.builder.shl(self.builder.zext(found, self.ints), shift), self.floats)

    def _spread(self, number: Any) -> Any:
        nothing = self.ir.Constant(self.floats, self.ir.Undefined)
        first = self.builder.insert_element(nothing, number, self.int32(0))
        return self.builder.shuffle_vector(first, nothing, self.ir.Constant(self.ints, [0] * self.lanes))

    def _loop(self, end: Any, step: int) -> _Loop:
        return _Loop(self.builder, end, self.int64(step))


class _Loop:
    """`with` it: the code within is repeated for 0, `step` … below `end`, which is more than 0."""

    def __init__(self, builder: Any, end: Any, step: Any) -> None:
        self._builder, self._end, self._step = builder, end, step

    def __enter__(self) -> Any:
        builder = self._builder
        before = builder.block
        self._body = builder.append_basic_block()
        builder.branch(self._body)
        builder.position_at_end(self._body)
        self._place = builder.phi(self._step.type)
        self._place.add_incoming(self._step.type(0), before)
        return self._place

    def __exit__(self, *_: object) -> None:
        builder = self._builder
        following = builder.add(self._place, self._step)
        self._place.add_incoming(following, builder.block)
        after = builder.append_basic_block()
        builder.cbranch(builder.icmp_signed("<", following, self._end), self._body, after)
        builder.position_at_end(after)
