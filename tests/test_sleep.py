"""The sleep timer: minutes of listening, or the end of the chapter; the next sentence is kept for the next time."""

from __future__ import annotations

import pytest

from narrate.errors import InputError
from narrate.playback.sleep import CHOICES, SleepTimer, parse_sleep
from tests.speech import chunks

SCRIPT = chunks(150)  # three chapters of fifty


def test_minutes_are_counted_from_the_moment_they_are_asked_for() -> None:
    timer = SleepTimer()
    timer.set(15.0, SCRIPT[3], 100.0)
    assert timer.left_seconds(160.0) == 840.0
    assert not timer.is_due(SCRIPT[60], 999.9)
    assert timer.is_due(SCRIPT[60], 1000.0)


def test_the_chapter_ends_at_the_first_sentence_of_the_next() -> None:
    timer = SleepTimer()
    timer.set("chapter", SCRIPT[10], 0.0)
    assert not timer.is_due(SCRIPT[49], 9999.0)
    assert timer.is_due(SCRIPT[50], 1.0)
    assert timer.left_seconds(5.0) is None


def test_a_timer_set_before_the_beginning_counts_the_chapter_that_begins() -> None:
    timer = SleepTimer()
    timer.set("chapter", None, 0.0)
    assert not timer.is_due(SCRIPT[60], 0.0)
    assert timer.is_due(SCRIPT[100], 0.0)


def test_it_never_ends_what_it_was_not_asked_to() -> None:
    assert not SleepTimer().is_due(SCRIPT[149], 1e9)


def test_a_key_goes_through_all_choices_and_ends_with_off() -> None:
    timer, seen = SleepTimer(), []
    for _ in CHOICES:
        timer.set(timer.following(), None, 0.0)
        seen.append(timer.choice)
    assert tuple(seen) == CHOICES
    assert timer.choice is None
    timer.set(20.0, None, 0.0)  # from the command line
    assert timer.following() == CHOICES[0]


@pytest.mark.parametrize(("text", "choice"), [("30", 30.0), (" 1.5", 1.5), ("Chapter", "chapter")])
def test_what_the_command_line_takes(text: str, choice: object) -> None:
    assert parse_sleep(text) == choice


@pytest.mark.parametrize("text", ["", "0", "-3", "soon", "nan", "1e9", "30m"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(InputError, match="such as 30"):
        parse_sleep(text)
