"""What a recogniser hears otherwise again and again is its habit, and no longer counts against a take."""

from __future__ import annotations

import pytest

pytest.importorskip("rapidfuzz", reason="the package rapidfuzz is not installed")
pytest.importorskip("num2words", reason="the package num2words is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.text.comparison.compare import compare, judged
from narrate.text.comparison.habits import OFTEN, Habits

SENTENCES = [
    "Then Featherstonehaugh opened the door of the boat house.",
    "Nobody had ever seen Featherstonehaugh without his green coat.",
    "In the evening Featherstonehaugh wrote a letter to the mayor.",
    "He gave Featherstonehaugh the key.",
]
NAME, HEARD = "Featherstonehaugh", "fan shore and his hall"


def learned(count: int) -> Habits:
    habits = Habits()
    for sentence in SENTENCES[:count]:
        habits.learn(sentence, compare(sentence, sentence.replace(NAME, HEARD), "en"))
    return habits


def test_what_is_heard_for_a_name_in_three_sentences_no_longer_counts() -> None:
    last = SENTENCES[-1]
    found = compare(last, last.replace(NAME, HEARD), "en")
    assert found.why
    assert learned(OFTEN - 1).without(found, "en") == found
    excused = learned(OFTEN).without(found, "en")
    assert (excused.why, excused.rate) == ("", 0.0)
    assert learned(OFTEN).known == [(("featherstonehaugh",), tuple(HEARD.split()), 3)]


def test_the_same_sentence_again_and_again_is_no_habit() -> None:
    habits = Habits()
    found = compare(SENTENCES[0], SENTENCES[0].replace(NAME, HEARD), "en")
    for _ in range(9):
        habits.learn(SENTENCES[0], found)
    assert habits.without(found, "en") == found
    assert habits.known == []


def test_what_is_missing_is_never_a_habit() -> None:
    habits = Habits()
    for sentence in SENTENCES:
        habits.learn(sentence, compare(sentence, sentence.replace(NAME, ""), "en"))
    found = compare(SENTENCES[0], SENTENCES[0].replace(NAME, ""), "en")
    assert found.why
    assert habits.without(found, "en").why == found.why


def test_another_fault_in_the_same_sentence_counts_as_before() -> None:
    sentence = SENTENCES[0] + " " + SENTENCES[1]
    heard = SENTENCES[0].replace(NAME, HEARD)
    excused = learned(OFTEN).without(compare(sentence, heard, "en"), "en")
    assert "missing" in excused.why
    assert excused.rate == compare(sentence, SENTENCES[0], "en").rate


UNITS = st.lists(st.sampled_from(["a", "b", "cc", "dd", "e"]), max_size=12).map(tuple)


@settings(deadline=None)
@given(UNITS, UNITS, st.lists(st.tuples(UNITS, UNITS), max_size=6))
def test_a_habit_never_adds_to_what_is_wrong(
    written: tuple[str, ...], said: tuple[str, ...], others: list[tuple[tuple[str, ...], tuple[str, ...]]]
) -> None:
    habits = Habits()
    for number, (one, other) in enumerate([*others, (written, said)] * OFTEN):
        habits.learn(str(number), judged(one, other, "en"))
    found = judged(written, said, "en")
    excused = habits.without(found, "en")
    assert excused.written == written
    assert excused.rate <= found.rate
    assert {edit.kind for edit in excused.edits} <= {"missing", "added", "doubled", "other"}
