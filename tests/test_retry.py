"""What becomes of a bad take: the whole table."""

from __future__ import annotations

import pytest

from narrate.errors import EngineError
from narrate.synthesis.retry import RAISED_AT_MOST, Again, FailureLimit, GiveUp, Split, Step, next_step


@pytest.mark.parametrize(
    ("attempt", "raised", "divisible", "deterministic", "step"),
    [
        # A bad take is taken again twice, then its text is cut in two, then it is given up.
        (0, False, True, False, Again(1)),
        (1, False, True, False, Again(2)),
        (2, False, True, False, Split()),
        (2, False, False, False, GiveUp()),
        (0, False, False, False, Again(1)),
        (1, False, False, False, Again(2)),
        # An engine that raised gets one more attempt, alone, and its halves one each.
        (0, True, True, False, Again(2, alone=True)),
        (1, True, True, False, Again(2, alone=True)),
        (2, True, True, False, Split(2, alone=True)),
        (2, True, False, False, GiveUp()),
        # One that would say the same again is not asked for the same again.
        (0, False, True, True, Split()),
        (0, False, False, True, GiveUp()),
        (0, True, True, True, Split(2, alone=True)),
        (2, True, False, True, GiveUp()),
    ],
)
def test_the_next_step(attempt: int, raised: bool, divisible: bool, deterministic: bool, step: Step) -> None:
    assert next_step(attempt, raised=raised, divisible=divisible, deterministic=deterministic) == step


def test_an_engine_may_raise_over_so_many_chunks_and_no_more() -> None:
    limit = FailureLimit()
    for index in range(RAISED_AT_MOST):
        limit.count(index, "why")
        limit.count(index, "why")  # the same chunk again is no further one
    with pytest.raises(EngineError, match=r"again and again \(why\)"):
        limit.count(RAISED_AT_MOST, "why")


def test_what_an_engine_has_made_forgives_what_it_raised_before() -> None:
    limit = FailureLimit()
    for index in range(10 * RAISED_AT_MOST):
        limit.count(index, "why")
        if index % RAISED_AT_MOST == RAISED_AT_MOST - 1:
            limit.forget()
