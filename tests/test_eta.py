"""How long a file still takes: known after the first batch, and not growing while a large one is in hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.playback.eta import LEAST_SHARE, Eta


def test_nothing_is_known_before_the_first_sound() -> None:
    eta = Eta()
    eta.tell(3.0, 0.0)
    assert eta.pace(2.0) is None
    assert eta.left_seconds(3.0, 100.0, 2.0) is None


def test_after_the_first_batch_the_engine_tells_and_then_time_passes() -> None:
    eta = Eta()
    eta.tell(10.0, 6.0)  # of which most was loading a model
    assert eta.left_seconds(10.0, 130.0, 2.0) == pytest.approx(65.0)
    assert eta.left_seconds(40.0, 130.0, 2.0) == pytest.approx(35.0)
    assert eta.left_seconds(400.0, 130.0, 2.0) == pytest.approx(LEAST_SHARE * 65.0), "it is not over yet"


def test_later_the_batches_tell() -> None:
    eta = Eta()
    for now, made in ((10.0, 6.0), (20.0, 36.0), (30.0, 66.0)):
        eta.tell(now, made)
    assert eta.pace(99.0) == pytest.approx(3.0)
    assert eta.left_seconds(30.0, 90.0, None) == pytest.approx(30.0)


def test_what_was_long_ago_does_not_count() -> None:
    """Takes that were there came at once; those that are made come slowly."""
    eta = Eta()
    for step in range(20):
        eta.tell(0.1 * step, 100.0 * step)
    for step in range(40):
        eta.tell(10.0 + 10 * step, 2000.0 + 5 * step)
    assert eta.pace(None) == pytest.approx(0.5)


@given(st.floats(0.1, 50.0), st.lists(st.floats(0.5, 30.0), min_size=3, max_size=20))
def test_a_steady_pace_is_foreseen_rightly(pace: float, batches: list[float]) -> None:
    eta, now = Eta(), 0.0
    for seconds in batches:
        now += seconds
        eta.tell(now, pace * now)
    if now - batches[0] > 5:
        assert eta.left_seconds(now, 100.0, None) == pytest.approx(100.0 / pace)
