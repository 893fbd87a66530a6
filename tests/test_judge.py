"""Judging and trimming takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Samples, join, silence
from narrate.synthesis.judge import LEAD, TAIL, first_fault, flaw, halves, judges, longest_seconds, trim
from narrate.text.document import Chunk
from tests.speech import a_chunk, speech_like

RATE = 24_000
LONG = a_chunk(
    0, "It was a bright cold day in April, and the clocks of the whole town were striking, one after another."
)


def verdict(samples: Samples, sample_rate: int, chunk: Chunk) -> str | None:
    """What the first judge says that finds something wrong."""
    return first_fault(judges(deterministic=False), samples, sample_rate, chunk)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.5, 2.5])
def test_fast_and_slow_speech_is_good(factor: float) -> None:
    assert verdict(speech_like(LONG, factor=factor), RATE, LONG) is None


def test_a_runaway_is_bad() -> None:
    runaway = speech_like(LONG, factor=20)
    assert "expected" in (verdict(runaway, RATE, LONG) or "")
    assert len(runaway) / RATE > longest_seconds(LONG.spoken, LONG.language)


def test_a_swallowed_sentence_is_bad() -> None:
    assert "only" in (verdict(speech_like(LONG, factor=0.1), RATE, LONG) or "")


def test_speech_that_ends_in_murmured_silence_is_bad() -> None:
    short = a_chunk(0, "Once.")
    faint = silence(3.9, RATE) + np.float32(1e-3)
    assert "silence" in (verdict(join([speech_like(short), faint]), RATE, short) or "")


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (np.zeros(0, np.float32), "no sound"),
        (np.zeros(RATE, np.float32), "silence"),
        (np.full(RATE, np.nan, np.float32), "broken"),
        (np.full(RATE, np.inf, np.float32), "broken"),
    ],
)
def test_what_is_no_speech_at_all(samples: np.ndarray, word: str) -> None:
    assert word in (flaw(samples, RATE, LONG) or "")
    assert verdict(samples, RATE, LONG) == flaw(samples, RATE, LONG)


def test_the_length_of_a_take_that_would_be_the_same_again_is_not_judged() -> None:
    assert judges(deterministic=True) == (flaw,)


@given(st.floats(0, 2), st.floats(0, 2))
def test_trim_keeps_the_speech_and_a_natural_pause(lead: float, tail: float) -> None:
    speech = speech_like(LONG)
    trimmed = trim(join([silence(lead, RATE), speech, silence(tail, RATE)]), RATE)
    seconds = len(trimmed) / RATE
    spoken = len(speech) / RATE
    assert spoken - 0.03 <= seconds <= spoken + min(lead, LEAD) + min(tail, TAIL) + 0.03


def test_trim_leaves_silence_alone() -> None:
    quiet = silence(1, RATE)
    assert trim(quiet, RATE) is quiet


@given(st.text(alphabet="abc あ漢。、,. !?…」”", min_size=0, max_size=200))
def test_halves_hold_every_letter_in_order(text: str) -> None:
    cut = halves(a_chunk(3, text or "x"))
    if cut is None:
        return
    first, second = cut
    assert (first.spoken + second.spoken).replace(" ", "") == text.replace(" ", "")
    assert {first.index, second.index} == {3}


def test_halves_cut_at_a_mark_near_the_middle() -> None:
    first, second = halves(LONG) or pytest.fail("long enough to cut")
    assert first.spoken.endswith("April,")
    assert second.spoken.startswith("and")


def test_what_is_too_short_is_not_cut() -> None:
    assert halves(a_chunk(0, "Oh!")) is None
