"""Faults in real takes of a real book are found, good takes are let pass (a part of benchmarks/check_faults.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rapidfuzz", reason="the check extra is not installed")

from tests.checked import OTHER_VOICE, Checked, check
from tests.test_comparison import needs

GOOD, FAULTY = 60, 10
# Of FAULTY takes with each fault, so many are found at least. The murmur and the replaced words are the hardest.
FOUND = {
    "words cut out": 7, "words doubled": 8, "words added": 9, "words swapped": 9, "words replaced": 5, "+6 dB": 10,
    "-6 dB": 10, "pitch +2 semitones": 9, "half speed": 10, "a click": 6, "babble appended": 6, "the end cut": 10,
    OTHER_VOICE: 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def checked(books: Path) -> Checked:
    needs("en")
    return check(books / "alice.txt", "espeak", "en-us", "en-us+f1", good=GOOD, faulty=FAULTY, seed=1)


@pytest.mark.parametrize("fault", FOUND)
def test_faults_are_found(checked: Checked, fault: str) -> None:
    assert checked.faults[fault].takes == FAULTY
    assert checked.faults[fault].by_either >= FOUND[fault]


def test_every_kind_of_fault_is_tried(checked: Checked) -> None:
    assert checked.faults.keys() == FOUND.keys()


def test_good_takes_are_let_pass_though_the_recogniser_errs(checked: Checked) -> None:
    assert checked.good.takes == GOOD
    assert 0.03 < checked.error_rate < 0.08
    assert checked.good.by_sound <= 1, checked.reasons
    assert checked.good.by_either <= 4, checked.reasons
