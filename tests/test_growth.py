"""Hostile texts take time in proportion to their length: four times as much takes less than ten times as long."""

from __future__ import annotations

import pytest

from tests.growth import HOSTILE, growth

pytestmark = pytest.mark.slow

BOUND = 10.0  # four is in proportion; a reader that looks at everything again for each part of it takes sixteen times


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_as_much_takes_about_four_times_as_long(name: str) -> None:
    assert any(growth(name) < BOUND for _ in range(3)), "not even in the best of three runs"
