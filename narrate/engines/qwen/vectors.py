"""What our machine code is written with: vectors of float32, loops over them, and functions that LLVM does not have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class VectorCode:
    """Code in LLVM's language that computes with `lanes` float32 at a time. `builder` stands where it goes on."""

    def __init__(self, lanes: int) -> None:
        from llvmlite import ir

        self.ir, self.lanes = ir, lanes
        self.int32, self.int64, self.float = ir.IntType(32), ir.IntType(64), ir.FloatType()
        self.floats, self.ints = ir.VectorType(self.float, lanes), ir.VectorType(self.int32, lanes)
        self.module = ir.Module()
        suffix = f"v{lanes}f32"
        self.multiply_add = self.outside(f"llvm.fma.{suffix}", self.floats, *[self.floats] * 3)
        self._sum = self.outside(f"llvm.vector.reduce.fadd.{suffix}", self.float, self.float, self.floats)
        self.highest = self.outside(f"llvm.vector.reduce.fmax.{suffix}", self.float, self.floats)
        self.higher = self.outside(f"llvm.maxnum.{suffix}", self.floats, self.floats, self.floats)
        self.round = self.outside(f"llvm.rint.{suffix}", self.floats, self.floats)
        self.builder: Any = None
        self.function: Any = None

    def begin(self, types: Sequence[Any]) -> list[Any]:
        """Begin the function `turns`(work), which threads run (see `kernels.run_in_threads`); `work` has fields of the
        `types`, the last of which counts turns. Returns what is in the others."""
        work_type = self.ir.LiteralStructType(types)
        function_type = self.ir.FunctionType(self.ir.VoidType(), [work_type.as_pointer()])
        self.function = self.ir.Function(self.module, function_type, "turns")
        self.builder = self.ir.IRBuilder(self.function.append_basic_block())
        work = self.function.args[0]
        places = [[self.int32(0), self.int32(number)] for number in range(len(types))]
        *fields, self._counter = (self.builder.gep(work, place, inbounds=True) for place in places)
        return [self.builder.load(field) for field in fields]

    @contextmanager
    def turns(self, count: Any) -> Iterator[Any]:
        """The code within is one turn, given its number; threads take turns until `count` are taken, and return."""
        builder = self.builder
        take, turn, finish = (self.function.append_basic_block(name) for name in ("take", "turn", "finish"))
        builder.branch(take)
        builder.position_at_end(take)
        number = builder.atomic_rmw("add", self._counter, self.int64(1), "monotonic")
        builder.cbranch(builder.icmp_signed("<", number, count), turn, finish)
        self.ir.IRBuilder(finish).ret_void()
        builder.position_at_end(turn)
        yield number
        builder.branch(take)

    def outside(self, name: str, gives: Any, *takes: Any) -> Any:
        return self.ir.Function(self.module, self.ir.FunctionType(gives, takes), name)

    def all(self, number: float) -> Any:
        return self.ir.Constant(self.floats, [number] * self.lanes)

    def sum(self, vector: Any) -> Any:
        return self.builder.call(self._sum, [self.float(0.0), vector], fastmath=("reassoc",))

    def register(self) -> Any:
        """Room for a vector. LLVM keeps it in a register, as long as it is claimed where the function begins."""
        with self.builder.goto_entry_block():
            return self.builder.alloca(self.floats)

    def spread(self, number: Any) -> Any:
        nothing = self.ir.Constant(self.floats, self.ir.Undefined)
        first = self.builder.insert_element(nothing, number, self.int32(0))
        return self.builder.shuffle_vector(first, nothing, self.ir.Constant(self.ints, [0] * self.lanes))

    def place(self, base: Any, at: Any) -> Any:
        """Where a vector of float32 begins, `at` numbers behind `base`."""
        at = self.int64(at) if isinstance(at, int) else at
        return self.builder.bitcast(self.builder.gep(base, [at]), self.floats.as_pointer())

    def vector(self, base: Any, at: Any) -> Any:
        return self.builder.load(self.place(base, at), align=4)

    def store(self, vector: Any, base: Any, at: Any) -> None:
        self.builder.store(vector, self.place(base, at), align=4)

    def loop(self, end: Any, step: int) -> _Loop:
        return _Loop(self.builder, end, self.int64(step))

    def exponential(self, value: Any) -> Any:
        """eˣ for x ≤ 0: 2ⁿ times a polynomial in what is left of x, in two parts of ln 2 (Cody and Waite 1980); below
        -87 it is e⁻⁸⁷."""
        builder = self.builder
        value = builder.call(self.higher, [value, self.all(-87.0)])
        whole = builder.call(self.round, [builder.fmul(value, self.all(1 / math.log(2)))])
        rest = builder.call(self.multiply_add, [whole, self.all(-0.693359375), value])
        rest = builder.call(self.multiply_add, [whole, self.all(0.693359375 - math.log(2)), rest])
        series = self.polynomial(rest, [1 / math.factorial(power) for power in range(8)])
        steps = builder.fptosi(whole, self.ints)
        shift, bias = (self.ir.Constant(self.ints, [number] * self.lanes) for number in (23, 127))
        return builder.fmul(series, builder.bitcast(builder.shl(builder.add(steps, bias), shift), self.floats))

    def squared_sine(self, value: Any) -> Any:
        """sin²x, which repeats after π: of what x is away from the nearest multiple of it, in three parts of π (Cody
        and Waite 1980), by the series of the sine."""
        builder = self.builder
        whole = builder.call(self.round, [builder.fmul(value, self.all(1 / math.pi))])
        for part in _PARTS_OF_PI:
            value = builder.call(self.multiply_add, [whole, self.all(-part), value])
        series = [(-1) ** number / math.factorial(2 * number + 1) for number in range(7)]
        sine = builder.fmul(value, self.polynomial(builder.fmul(value, value), series))
        return builder.fmul(sine, sine)

    def polynomial(self, value: Any, factors: list[float]) -> Any:
        """By Horner's rule, `factors` from the lowest power on."""
        total = self.all(factors[-1])
        for factor in reversed(factors[:-1]):
            total = self.builder.call(self.multiply_add, [total, value, self.all(factor)])
        return total


# The first two have few enough digits that a multiple of them is exact.
_PARTS_OF_PI = (201 / 2**6, 4058 / 2**22, math.pi - 201 / 2**6 - 4058 / 2**22)


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
