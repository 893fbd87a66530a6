"""The shapes the fast runtime computes: few, and known before a book begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the qwen extra is not installed")

from narrate.engines.qwen.cache import step_for  # noqa: E402
from narrate.engines.qwen.scheduler import rows_at_once  # noqa: E402
from narrate.engines.qwen.shapes import of_a_book, prompt_shape, widths  # noqa: E402

BLOCK = 4


def test_a_drain_computes_no_more_than_it_must() -> None:
    assert widths(256, graphs=True) == [1, 8, 32, 64, 128, 256]
    assert widths(64, graphs=True) == [1, 8, 32, 64]
    assert widths(100, graphs=True) == [1, 8, 32, 64, 100]
    assert widths(10, graphs=False) == [1, 2, 4, 8, 10]
    assert widths(1, graphs=True) == [1]


@given(st.integers(1, 64), st.integers(1, 5000))
def test_a_page_holds_its_prompts(rows: int, tokens: int) -> None:
    page_rows, page_tokens = prompt_shape(rows, tokens)
    assert rows <= page_rows < 2 * rows
    assert tokens <= page_tokens <= max(64, 2 * tokens)
    assert prompt_shape(page_rows, page_tokens) == (page_rows, page_tokens)


@given(st.integers(1, 256), st.integers(1, 900))
def test_what_is_recorded_beforehand_is_what_is_met(slots: int, tokens: int) -> None:
    """By chunks whose prompts have about as many tokens, and rows that end within the first slots' capacity."""
    shapes = list(of_a_book(slots, rows_at_once(slots), tokens, BLOCK))
    first, size = step_for(tokens + BLOCK), prompt_shape(1, tokens)[1]
    assert shapes[:3] == [("prompts", 1, size), ("frame", 1, first), ("sound", 1)]
    met = set(shapes)
    lengths = {step_for(length) for length in range(tokens + BLOCK, 513)} or {first}
    for width in widths(slots, graphs=True):
        assert {("frame", width, length) for length in lengths} | {("sound", width)} <= met
    for rows in range(1, min(slots, rows_at_once(slots)) + 1):
        assert ("prompts", *prompt_shape(rows, tokens)) in met
