"""Attention with code of our own: what torch computes over each row's own positions, and nothing beyond them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the qwen extra is not installed")
pytest.importorskip("llvmlite", reason="the qwen extra is not installed")

from narrate.engines.qwen.attention import attend, fits  # noqa: E402
from narrate.engines.qwen.cache import grouped  # noqa: E402

pytestmark = pytest.mark.skipif(
    not fits(torch.zeros(1, 2, 16), torch.zeros(1, 1, 1, 16)), reason="torch computes without OpenMP here"
)
lasts = st.lists(st.integers(0, 69), min_size=1, max_size=9)


@pytest.mark.parametrize(("dtype", "nearness"), [(torch.float32, 2e-4), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize(("key_heads", "group", "head"), [(8, 2, 128), (1, 2, 16), (2, 1, 32), (3, 4, 64)])
@given(last=lasts, loud=st.sampled_from([0.1, 1.0, 30.0]))
@settings(deadline=None, max_examples=15)
def test_it_is_torchs(
    dtype: torch.dtype, nearness: float, key_heads: int, group: int, head: int, last: list[int], loud: float
) -> None:
    """Query heads are part of a wider tensor; what lies beyond a row's positions is not even a number."""
    rows = len(last)
    query = loud * torch.randn(rows, (group + 1) * key_heads, head)
    keys, values = torch.randn(rows + 1, 80, key_heads, head), torch.randn(rows + 1, 80, key_heads, head)
    query, keys, values = query[:, : group * key_heads].to(dtype), keys.to(dtype), values.to(dtype)
    positions = torch.tensor(last)
    mask = torch.where(torch.arange(70) <= positions[:, None], 0.0, -float("inf"))[:, None, None]
    expected = grouped(query.float(), keys[:rows, :70].float(), values[:rows, :70].float(), mask)
    for row, end in enumerate(last):
        keys[row, end + 1 :] = values[row, end + 1 :] = float("nan")
    assert fits(query, keys)
    found = attend(query, keys[:, :70], values, positions)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=nearness, atol=nearness)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    query, keys, values = torch.randn(6, 16, 128), torch.randn(6, 256, 8, 128), torch.randn(6, 256, 8, 128)
    last = torch.tensor([3, 255, 100, 17, 0, 254])
    one = attend(query, keys, values, last)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert torch.equal(attend(query, keys, values, last), one)


def test_other_shapes_are_left_to_torch() -> None:
    assert not fits(torch.zeros(1, 2, 20), torch.zeros(1, 4, 1, 20))
    assert not fits(torch.zeros(1, 2, 16), torch.zeros(1, 4, 1, 16, dtype=torch.float16))
