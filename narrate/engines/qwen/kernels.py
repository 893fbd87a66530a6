"""Machine code for products of a few rows with a large weight, written with LLVM when a model is loaded.

A frame of speech reads every weight for one to thirty rows. Libraries for matrices are made for hundreds: they lay the
weight out anew for each call, or read it more slowly than memory gives it. Here a weight stays as it is in the
checkpoint, [outputs, inputs], in float32, bfloat16 or int8; it is read once, in order and ahead of time, turned into
float32 in registers, and multiplied with all rows. A sum takes the same steps whatever the number of rows, so a row's
numbers do not depend on its company.

LLVM comes with `llvmlite`, which the `qwen-tts` package needs (by way of librosa and numba). The threads are those of
torch: the code is run by the OpenMP library that torch has loaded. Where one of both is missing, so is this.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

# The weight's type; "pairs" is bfloat16 for rows that are bfloat16 as well, which some processors multiply in pairs.
Number = Literal["float32", "bfloat16", "int8", "pairs"]
BYTES: dict[Number, int] = {"float32": 4, "bfloat16": 2, "int8": 1, "pairs": 2}

OUTPUTS_AT_ONCE = 4
_OUTPUTS_IN_A_TURN = 64  # what a thread takes at a time: quick ones, or those left alone, take more turns


class Work(ctypes.Structure):
    """One product: `out` [rows, outputs] = (`add` is 1: `out` +) `x` [rows, inputs] · `weight`ᵀ · `scale` [outputs].

    `x` and `out` are float32, but for "pairs" `x` is bfloat16. `x_step` and `out_step`: numbers from one row to the
    next. `scale` is for int8 only. `next` is the code's own.
    """

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "weight", "scale", "out")),
        *((name, ctypes.c_int64) for name in ("x_step", "out_step", "rows", "outputs", "inputs", "add", "next")),
    ]


Run = Callable[[Any, int], None]  # a Work by reference, and threads


@cache
def product_of(kind: Number) -> Run | None:
    """The code for weights of that kind; None where it cannot be had. Made once, in a tenth of a second."""
    if (features := host()) is None or (kind == "pairs" and not features.get("avx512bf16")):
        return None
    return compiled(code(kind, features))


@cache
def host() -> Mapping[str, bool] | None:
    """What this processor can, in LLVM's names; None where LLVM or torch's threads are not to be had."""
    try:
        import llvmlite.binding as llvm
    except ImportError:
        return None
    library = _openmp()
    if library is None:
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.load_library_permanently(str(library))
    return dict(llvm.get_host_cpu_features()) if llvm.address_of_symbol("GOMP_parallel") else None


def compiled(text: str) -> Run:
    """The function `run` of some code in LLVM's language, as machine code for this processor."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    run: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)(engine.get_function_address("run"))
    run.engine = engine  # owns the code
    return run  # type: ignore[no-any-return]


def code(kind: Number, features: Mapping[str, bool]) -> str:
    """The code in LLVM's language, for a processor with those features (LLVM's names)."""
    return _Code(kind, _lanes(kind, features)).text()


def lanes(kind: Number) -> int:
    """Weights that are multiplied at a time here; inputs must be a multiple of it."""
    return _lanes(kind, host() or {})


def _lanes(kind: Number, features: Mapping[str, bool]) -> int:
    if features.get("avx512f"):
        return 32 if kind == "pairs" else 16
    return 8 if features.get("avx2") and features.get("fma") else 4


def _openmp() -> Path | None:
    """The library whose threads torch computes with."""
    import torch

    folder = Path(torch.__file__).parent
    for pattern in ("lib/libgomp*.so*", "lib/libomp.dylib", "lib/libiomp5.*", "../torch.libs/libgomp*.so*"):
        if found := sorted(folder.glob(pattern)):
            return found[0]
    return None


def run_in_threads(module: Any, turns: Any, counter: int) -> None:
    """Add the function `run`(work, threads): the work's field `counter` becomes 0, and threads do `turns`(work)."""
    from llvmlite import ir

    int32, int64 = ir.IntType(32), ir.IntType(64)
    (work_type,) = turns.function_type.args
    taken = ir.FunctionType(ir.VoidType(), [turns.type, work_type, int32, int32])
    parallel = ir.Function(module, taken, "GOMP_parallel")
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [work_type, int32]), "run")
    work, threads = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    builder.store(int64(0), builder.gep(work, [int32(0), int32(counter)], inbounds=True))
    with builder.if_else(builder.icmp_signed("<", threads, int32(2))) as (alone, together):
        with alone:
            builder.call(turns, [work])
        with together:
            builder.call(parallel, [turns, work, threads, int32(0)])
    builder.ret_void()


def _bfloat() -> Any:
    """LLVM's type bfloat, which llvmlite has no name for."""
    from llvmlite import ir

    class Bfloat(ir.Type):  # type: ignore[misc]
        def _to_string(self) -> str:
            return "bfloat"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Bfloat)

        def __hash__(self) -> int:
            return hash(Bfloat)

    return Bfloat()


class _Code:
    """The product in LLVM's language.

    `run` starts the threads on `turns`; each takes some outputs at a time until none is left. Of these it computes
    `OUTPUTS_AT_ONCE` for all rows, a few rows at a time (`block`), as many as registers hold sums for; the weights
    stay in the nearest cache for the next rows. While it computes for the first of them, it asks for the weights of
    the next outputs: memory is read in one long line.
    """

    def __init__(self, kind: Number, lanes: int) -> None:
        from llvmlite import ir

        self.ir, self.kind, self.lanes = ir, kind, lanes
        self.rows_at_once = 6 if lanes >= 16 or platform.machine().lower() in ("arm64", "aarch64") else 3
        self.int32, self.int64, self.float = ir.IntType(32), ir.IntType(64), ir.FloatType()
        sums = lanes // 2 if kind == "pairs" else lanes
        self.floats = ir.VectorType(self.float, sums)
        half = ir.IntType(16)
        self.number = {"float32": self.float, "bfloat16": half, "int8": ir.IntType(8), "pairs": half}[kind]
        self.row_number = half if kind == "pairs" else self.float
        floats, weights, rows = (number.as_pointer() for number in (self.float, self.number, self.row_number))
        self.work = ir.LiteralStructType([rows, weights, floats, floats, *[self.int64] * 7])
        self.module = ir.Module()
        if kind == "pairs":
            self.pairs = ir.VectorType(_bfloat(), lanes)
            name = "llvm.x86.avx512bf16.dpbf16ps.512"
            self._multiply_add = self._outside(name, self.floats, self.floats, self.pairs, self.pairs)
        else:
            self._multiply_add = self._outside(f"llvm.fma.v{sums}f32", self.floats, *[self.floats] * 3)
        self._sum = self._outside(f"llvm.vector.reduce.fadd.v{sums}f32", self.float, self.float, self.floats)
        self._prefetch = self._outside("llvm.prefetch.p0", ir.VoidType(), ir.IntType(8).as_pointer(), *[self.int32] * 3)

    def text(self) -> str:
        blocks = [[self._block(rows, ahead) for ahead in (False, True)] for rows in range(1, self.rows_at_once + 1)]
        run_in_threads(self.module, self._turns(blocks), 10)
        return str(self.module)

    def _outside(self, name: str, gives: Any, *takes: Any) -> Any:
        return self.ir.Function(self.module, self.ir.FunctionType(gives, takes), name)

    def _fields(self, builder: Any, work: Any) -> list[Any]:
        zero = self.int32(0)
        return [builder.gep(work, [zero, self.int32(number)], inbounds=True) for number in range(11)]

    def _turns(self, blocks: list[list[Any]]) -> Any:
        """What a thread does: take outputs, compute them, until none is left."""
        ir, int64 = self.ir, self.int64
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [self.work.as_pointer()]), "turns")
        function.linkage = "internal"
        work = function.args[0]
        builder = ir.IRBuilder(function.append_basic_block())
        fields = self._fields(builder, work)
        rows, outputs = builder.load(fields[6]), builder.load(fields[7])
        count = int64(self.rows_at_once)
        groups = builder.sdiv(builder.add(rows, int64(self.rows_at_once - 1)), count)

        take, turn, finish = (function.append_basic_block(name) for name in ("take", "turn", "finish"))
        builder.branch(take)
        builder.position_at_end(take)
        first = builder.atomic_rmw("add", fields[10], int64(_OUTPUTS_IN_A_TURN), "monotonic")
        more = builder.and_(builder.icmp_signed("<", first, outputs), builder.icmp_signed(">", rows, int64(0)))
        builder.cbranch(more, turn, finish)
        ir.IRBuilder(finish).ret_void()
        builder.position_at_end(turn)
        last = builder.add(first, int64(_OUTPUTS_IN_A_TURN))
        last = builder.select(builder.icmp_signed("<", last, outputs), last, outputs)

        output_loop, row_loop, row_next = (function.append_basic_block(name) for name in ("outputs", "rows", "next"))
        output_next = function.append_basic_block("on")
        builder.branch(output_loop)
        builder.position_at_end(output_loop)
        output = builder.phi(int64, "output")
        output.add_incoming(first, turn)
        builder.branch(row_loop)
        builder.position_at_end(row_loop)
        row, left = builder.phi(int64, "row"), builder.phi(int64, "groups_left")
        row.add_incoming(int64(0), output_loop)
        left.add_incoming(groups, output_loop)
        # As even as possible: four rows are two and two, not three and one.
        size = builder.sdiv(builder.sub(builder.add(builder.sub(rows, row), left), int64(1)), left)
        ahead = builder.icmp_signed("==", row, int64(0))
        switch_default = function.append_basic_block("never")
        ir.IRBuilder(switch_default).unreachable()
        key = builder.add(builder.mul(size, int64(2)), builder.zext(ahead, int64))
        switch = builder.switch(key, switch_default)
        for number, pair in enumerate(blocks, start=1):
            for reads_ahead, block in enumerate(pair):
                case = function.append_basic_block()
                switch.add_case(int64(2 * number + reads_ahead), case)
                builder.position_at_end(case)
                builder.call(block, [work, row, output])
                builder.branch(row_next)
        builder.position_at_end(row_next)
        following, fewer = builder.add(row, size), builder.sub(left, int64(1))
        row.add_incoming(following, row_next)
        left.add_incoming(fewer, row_next)
        builder.cbranch(builder.icmp_signed("<", following, rows), row_loop, output_next)
        builder.position_at_end(output_next)
        after = builder.add(output, int64(OUTPUTS_AT_ONCE))
        output.add_incoming(after, output_next)
        builder.cbranch(builder.icmp_signed("<", after, last), output_loop, take)
        return function

    def _block(self, rows: int, ahead: bool) -> Any:
        """`rows` rows × `OUTPUTS_AT_ONCE` outputs; `ahead`: asks for the weights of the next outputs."""
        ir, int64 = self.ir, self.int64
        taken = [self.work.as_pointer(), int64, int64]
        name = f"block_{rows}{'_ahead' if ahead else ''}"
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), taken), name)
        function.linkage = "internal"
        work, row, output = function.args
        builder = ir.IRBuilder(start := function.append_basic_block())
        fields = self._fields(builder, work)
        x, weight, scale, out = (builder.load(field) for field in fields[:4])
        x_step, out_step, inputs, add = (builder.load(fields[number]) for number in (4, 5, 8, 9))

        def place(base: Any, line: Any, step: Any, column: Any = None) -> Any:
            offset = builder.mul(line, step)
            return builder.gep(base, [offset if column is None else builder.add(offset, column)], inbounds=True)

        lines = [place(x, builder.add(row, int64(one)), x_step) for one in range(rows)]
        weights = [place(weight, builder.add(output, int64(one)), inputs) for one in range(OUTPUTS_AT_ONCE)]
        loop, done = function.append_basic_block("inputs"), function.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(int64, "input")
        at.add_incoming(int64(0), start)
        zeros = ir.Constant(self.floats, [0.0] * self.floats.count)
        sums = [[builder.phi(self.floats) for _ in weights] for _ in lines]
        for sum_ in (one for line in sums for one in line):
            sum_.add_incoming(zeros, start)
        if ahead:
            self._ask_ahead(builder, weights[0], inputs, at)
        values = [self._loaded(builder, line, at, self.row_number) for line in lines]
        following: list[list[Any]] = [[] for _ in lines]
        for column, one in enumerate(weights):
            wide = self._widened(builder, self._loaded(builder, one, at, self.number))
            for number, value in enumerate(values):
                sum_ = sums[number][column]
                taken = [sum_, value, wide] if self.kind == "pairs" else [value, wide, sum_]
                following[number].append(builder.call(self._multiply_add, taken))
        on = builder.add(at, int64(self.lanes))
        at.add_incoming(on, loop)
        for line, new in zip(sums, following, strict=True):
            for sum_, one in zip(line, new, strict=True):
                sum_.add_incoming(one, loop)
        builder.cbranch(builder.icmp_signed("<", on, inputs), loop, done)

        builder.position_at_end(done)
        adds = builder.icmp_signed("!=", add, int64(0))
        for column in range(OUTPUTS_AT_ONCE):
            here = builder.add(output, int64(column))
            for number, found in enumerate(following):
                total = builder.call(self._sum, [self.float(0.0), found[column]], fastmath=("reassoc",))
                if self.kind == "int8":
                    total = builder.fmul(total, builder.load(builder.gep(scale, [here])))
                target = place(out, builder.add(row, int64(number)), out_step, here)
                before = builder.select(adds, builder.load(target), self.float(0.0))
                builder.store(builder.fadd(before, total), target)
        builder.ret_void()
        return function

    def _ask_ahead(self, builder: Any, weights: Any, inputs: Any, at: Any) -> None:
        """The weights of the next outputs lie right behind those of these, and are asked for at the same pace."""
        size = BYTES[self.kind]
        offset = builder.mul(builder.add(inputs, at), self.int64(OUTPUTS_AT_ONCE))
        for line in range(0, OUTPUTS_AT_ONCE * self.lanes * size, 64):
            place = builder.gep(weights, [builder.add(offset, self.int64(line // size))])
            place = builder.bitcast(place, self.ir.IntType(8).as_pointer())
            builder.call(self._prefetch, [place, self.int32(0), self.int32(2), self.int32(1)])

    def _loaded(self, builder: Any, base: Any, at: Any, number: Any) -> Any:
        place = builder.gep(base, [at], inbounds=True)
        vector = self.ir.VectorType(number, self.lanes)
        size = 4 if number == self.float else BYTES[self.kind]
        loaded = builder.load(builder.bitcast(place, vector.as_pointer()), align=size)
        return builder.bitcast(loaded, self.pairs) if self.kind == "pairs" else loaded

    def _widened(self, builder: Any, vector: Any) -> Any:
        """Weights as float32; bfloat16 is its upper half."""
        wide = self.ir.VectorType(self.int32, self.lanes)
        if self.kind == "bfloat16":
            shift = self.ir.Constant(wide, [16] * self.lanes)
            return builder.bitcast(builder.shl(builder.zext(vector, wide), shift), self.floats)
        if self.kind == "int8":
            return builder.sitofp(builder.sext(vector, wide), self.floats)
        return vector
