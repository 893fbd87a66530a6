"""Products with code of our own: what torch computes, for any number of rows, and no row's numbers by its company."""

from __future__ import annotations

import platform
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the qwen extra is not installed")
pytest.importorskip("llvmlite", reason="the qwen extra is not installed")

from narrate.engines.qwen import kernels, products  # noqa: E402
from narrate.engines.qwen.products import fits, product  # noqa: E402
from narrate.engines.qwen.stored import StoredLinear, rounded  # noqa: E402

KINDS = ["float32", "bfloat16", "int8"]
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40).map(lambda n: 4 * n), st.integers(1, 12).map(lambda n: 16 * n))


def a_layer(kind: str, outputs: int, inputs: int) -> Any:
    weight = torch.randn(outputs, inputs)
    return StoredLinear(*rounded(weight)) if kind == "int8" else StoredLinear(weight.to(getattr(torch, kind)))


def its_weight(layer: Any) -> Any:
    return layer.weight.float() * (1.0 if layer.scale is None else layer.scale[:, None])


pytestmark = pytest.mark.skipif(not fits(torch.zeros(4, 16)), reason="torch computes without OpenMP here")


@pytest.mark.parametrize("kind", KINDS)
@given(size=sizes)
@settings(deadline=None, max_examples=40)
def test_products_are_torchs(kind: str, size: tuple[int, int, int]) -> None:
    rows, outputs, inputs = size
    layer = a_layer(kind, outputs, inputs)
    multiply, hidden, sums = product(layer), torch.randn(rows, inputs), torch.randn(rows, outputs)
    expected = hidden @ its_weight(layer).t()
    torch.testing.assert_close(multiply(hidden), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(multiply.added(sums.clone(), hidden), sums + expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer(hidden[None, :, None])[0, :, 0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rows_numbers_do_not_depend_on_its_company(kind: str) -> None:
    multiply, hidden = product(a_layer(kind, 64, 256)), torch.randn(40, 256)
    alone = torch.cat([multiply(row[None]) for row in hidden])
    for count in (2, 3, 4, 7, 13, 40):
        assert torch.equal(multiply(hidden[:count]), alone[:count])


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large enough for several threads, of which each takes what is left."""
    multiply, hidden = product(a_layer("bfloat16", 1028, 1024)), torch.randn(5, 1024)
    one = multiply(hidden)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert torch.equal(multiply(hidden), one)


def test_rows_in_bfloat16_are_rounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = a_layer("bfloat16", 64, 256), torch.randn(3, 256).bfloat16()
    exact = hidden.float() @ its_weight(layer).t()
    monkeypatch.setattr(products, "rows_for_torch", lambda: 100)
    assert product(layer)(hidden).dtype == torch.bfloat16
    torch.testing.assert_close(product(layer)(hidden).float(), exact, rtol=2**-8, atol=1e-4)
    monkeypatch.setattr(products, "rows_for_torch", lambda: 3)
    torch.testing.assert_close(product(layer)(hidden).float(), exact, rtol=2**-7, atol=1e-2)


def test_several_layers_become_one_and_keep_working() -> None:
    layers = [a_layer("int8", outputs, 64) for outputs in (8, 4, 12)]
    hidden = torch.randn(2, 64)
    expected = torch.cat([hidden @ its_weight(layer).t() for layer in layers], dim=1)
    torch.testing.assert_close(product(*layers)(hidden), expected, rtol=1e-4, atol=1e-4)
    places = {layer.weight.untyped_storage().data_ptr() for layer in layers}
    assert len(places) == 1
    torch.testing.assert_close(layers[2](hidden), expected[:, 12:], rtol=1e-4, atol=1e-4)


def test_rows_that_are_parts_of_wider_ones() -> None:
    layer, wide = a_layer("float32", 8, 32), torch.randn(5, 96)
    torch.testing.assert_close(product(layer)(wide[:, 32:64]), wide[:, 32:64] @ layer.weight.t())
    assert product(layer)(wide[:0, :32]).shape == (0, 8)


@pytest.mark.parametrize(("outputs", "inputs"), [(6, 32), (8, 30)])
def test_other_shapes_are_left_to_torch(outputs: int, inputs: int) -> None:
    layer, hidden = a_layer("float32", outputs, inputs), torch.randn(3, inputs)
    assert not fits(layer.weight)
    torch.testing.assert_close(product(layer)(hidden), hidden @ layer.weight.t())


def test_int8_is_half_a_step_away_at_most() -> None:
    weight = torch.randn(16, 64)
    weight[3] = 0
    whole, scale = rounded(weight)
    assert (whole.float() * scale[:, None] - weight).abs().max() <= scale.max() * 0.5001
    assert whole.abs().amax(1).tolist() == [127] * 3 + [0] + [127] * 12


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="the instruction is x86's")
def test_bfloat16_is_multiplied_in_pairs_where_a_processor_can() -> None:
    """Each pair of sums in a register: one instruction takes 32 weights, and no sum is put aside to make room."""
    import llvmlite.binding as llvm

    products.fits(torch.zeros(4, 16))  # LLVM is told of this machine
    module = llvm.parse_assembly(kernels.code("pairs", {"avx512f": True, "avx512bf16": True}))
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu="znver4", opt=3)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    assembly = machine.emit_assembly(module)
    assert assembly.count("vdpbf16ps") == 2 * kernels.OUTPUTS_AT_ONCE * sum(range(1, 7))
    assert not re.search(r"zmm\d+, -?\d*\(%rsp\)", assembly)
