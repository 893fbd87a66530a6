"""What lies between products with code of our own: what torch computes, for every width and however the tensor lies."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the qwen extra is not installed")
pytest.importorskip("llvmlite", reason="the qwen extra is not installed")

from narrate.engines.qwen import passes  # noqa: E402

pytestmark = pytest.mark.skipif(passes._lanes() is None, reason="torch computes without OpenMP here")
rows = st.integers(1, 40)
loud = st.sampled_from([1e-6, 0.1, 1.0, 50.0])
EPSILON = 1e-6


def both(function: Callable[..., torch.Tensor], *given: object) -> tuple[torch.Tensor, torch.Tensor]:
    """What our code computes, and what torch does."""
    ours = function(*given)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passes, "_fits", lambda *_: False)
        return ours, function(*given)


@given(rows=rows, channels=st.sampled_from([16, 64, 1024]), loud=loud)
@settings(deadline=None, max_examples=30)
def test_norms(rows: int, channels: int, loud: float) -> None:
    hidden = (loud * torch.randn(rows, 2 * channels))[:, :channels]  # part of something wider
    weight = torch.randn(channels)
    ours, theirs = both(passes.norm, hidden, weight, EPSILON)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@given(
    rows=rows, heads=st.integers(1, 6), more=st.integers(0, 3), head=st.sampled_from([32, 64, 128]), alike=st.booleans()
)
@settings(deadline=None, max_examples=30)
def test_heads(rows: int, heads: int, more: int, head: int, alike: bool) -> None:
    """`alike`: all rows are at one position."""
    split, weight = torch.randn(rows, heads + more, head), torch.randn(heads, head)
    rope = torch.randn(1 if alike else rows, 2, 1, head)
    ours, theirs = both(passes.heads, split, weight, rope, EPSILON)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@given(rows=rows, channels=st.sampled_from([16, 64, 3072]), loud=st.sampled_from([0.1, 1.0, 300.0]))
@settings(deadline=None, max_examples=30)
def test_gates(rows: int, channels: int, loud: float) -> None:
    ours, theirs = both(passes.gated, loud * torch.randn(rows, 2 * channels))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@given(
    rows=st.integers(1, 3), channels=st.integers(1, 100), vectors=st.integers(1, 40), loud=st.sampled_from([1.0, 1e3])
)
@settings(deadline=None, max_examples=30)
def test_snakes(rows: int, channels: int, vectors: int, loud: float) -> None:
    """Against the truth in double precision; the argument of the sine alone is rounded to some 1e-7 of it."""
    hidden = (loud * torch.randn(rows, channels, 16 * vectors + 3))[:, :, 3:]
    alpha, share = torch.rand(channels, 1), torch.rand(channels, 1)
    exact = hidden.double() + (hidden * alpha).double().sin().square() * share.double()
    ours, theirs = both(passes.snake, hidden, alpha, share)
    assert (ours - exact).abs().max() <= 1.1 * (theirs - exact).abs().max() + 1e-6 * max(1.0, hidden.abs().max() / 100)


def test_numbers_that_are_none_stay_none() -> None:
    """A row whose numbers broke is found out by them; it must not break others."""
    hidden = torch.ones(3, 64)
    hidden[1, 5] = math.nan
    for found in (passes.norm(hidden, torch.ones(64), EPSILON), passes.gated(hidden)):
        assert found[1].isnan().any()
        assert found[[0, 2]].isfinite().all()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, alpha = torch.randn(4, 96, 1024), torch.rand(96, 1)
    one = passes.snake(hidden, alpha, alpha)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert torch.equal(passes.snake(hidden, alpha, alpha), one)


@pytest.mark.parametrize(
    "hidden",
    [torch.randn(2, 63), torch.randn(2, 64, dtype=torch.bfloat16), torch.randn(2, 64, dtype=torch.float64)],
)
def test_what_does_not_fit_is_left_to_torch(hidden: torch.Tensor) -> None:
    weight = torch.randn(hidden.shape[1], dtype=hidden.dtype)
    found = passes.norm(hidden, weight, EPSILON)
    assert found.dtype == hidden.dtype
    expected = torch.nn.functional.rms_norm(hidden, hidden.shape[1:], None, EPSILON) * weight
    assert torch.equal(found, expected)
