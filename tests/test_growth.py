"""Hostile texts take time in proportion to their length: four times as much takes less than ten times as long."""

from __future__ import annotations

import pytest

from tests.growth import ALL_READ, HOSTILE, growth

pytestmark = pytest.mark.slow

BOUND = 10.0  # four is in proportion; a reader that looks at everything again for each part of it takes sixteen times


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_as_much_takes_about_four_times_as_long(name: str) -> None:
    assert any(growth(name) < BOUND for _ in range(3)), "not even in the best of three runs"


@pytest.mark.parametrize("name", [name for name, (file, _) in HOSTILE.items() if file.endswith(("html", "md"))])
def test_it_does_so_if_notes_code_and_pictures_are_read(name: str) -> None:
    assert any(growth(name, ALL_READ) < BOUND for _ in range(3)), "not even in the best of three runs"
