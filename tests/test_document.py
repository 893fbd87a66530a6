"""Spans and paragraphs know what is seen, what is said, and where in the source both come from."""

from __future__ import annotations

import dataclasses

import pytest

from narrate.text.document import Paragraph, Span


def test_a_span_with_a_reading_is_said_by_it_and_not_cut() -> None:
    ruby, mark, plain = Span("吾輩", 0, 8, "わがはい"), Span("※", 8, 9, ""), Span("は猫", 9, 11)
    assert [span.sound for span in (ruby, mark, plain)] == ["わがはい", "", "は猫"]
    assert [span.whole for span in (ruby, mark, plain)] == [True, True, False]
    assert Span("言", 0, 12).whole, "its source is longer than its text"


def test_a_paragraph_reaches_from_its_first_span_to_its_last() -> None:
    paragraph = Paragraph((Span("吾輩", 3, 11, "わがはい"), Span("は猫", 12, 14)))
    assert (paragraph.text, paragraph.start, paragraph.end) == ("吾輩は猫", 3, 14)


def test_a_span_is_equal_to_no_tuple_and_never_changes() -> None:
    span = Span("a", 0, 1)
    assert span == Span("a", 0, 1)
    assert span != ("a", 0, 1, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        span.text = "b"  # type: ignore[misc]
