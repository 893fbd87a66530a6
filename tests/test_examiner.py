"""What a recogniser heard and what was measured become a verdict; a recogniser that fails costs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import numpy as np
import pytest

from narrate.checking.examiner import FIRST_HEARD, Case, Examiner, Measured
from narrate.checking.recogniser import RecogniserError, Sound
from narrate.checking.verdict import Verdict
from narrate.clip import Samples
from narrate.text.document import Chunk
from tests.speech import a_chunk
from tests.test_recogniser import a_recogniser

TEXT = "The quick brown fox jumps over the lazy dog near the old mill."


class Hears:
    """A recogniser that hears what it is told to hear."""

    name, batch = "it", 3

    def __init__(self, *texts: str | None, error: str = "") -> None:
        self.texts, self.error = list(texts), error
        self.asked: list[Sound] = []
        self.calls = 0

    def prepare(self) -> None: ...

    def hear(self, sounds: Sequence[Sound]) -> list[str | None]:
        self.calls += 1
        self.asked += sounds
        if self.error:
            raise RecogniserError(self.error)
        return [self.texts.pop(0) for _ in sounds]

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def a_case(seconds: float = 0.5, text: str = TEXT) -> Case:
    return Case(a_chunk(0, text), np.full(round(seconds * 8000), 0.1, np.float32), 8000)


def loud(samples: Samples, sample_rate: int, chunk: Chunk) -> Measured:
    level = float(samples[0])
    return {"level": level}, "it is too loud" if level > 0.5 else ""


def test_what_is_heard_is_compared_with_what_is_spoken() -> None:
    ears = Hears(TEXT, "the quick brown fox")
    good, bad = Examiner(ears).examine([a_case(), a_case()])
    assert good == Verdict("", TEXT, "it", 0.0)
    assert bad is not None
    assert bad.why.endswith("is missing at the end")
    assert bad.heard == "the quick brown fox"
    assert bad.rate is not None
    assert bad.rate > 0.5
    assert [(sound.sample_rate, sound.language) for sound in ears.asked] == [(8000, "en")] * 2


def test_a_name_that_is_heard_otherwise_in_three_sentences_is_a_habit_then_and_in_hindsight() -> None:
    from tests.test_habits import HEARD, NAME, SENTENCES

    examiner = Examiner(Hears(*[sentence.replace(NAME, HEARD) for sentence in SENTENCES]))
    verdicts = [examiner.examine([a_case(text=sentence)])[0] for sentence in SENTENCES]
    assert [verdict is not None and verdict.good for verdict in verdicts] == [False, False, True, True]
    first, third = verdicts[0], verdicts[2]
    assert first is not None
    assert third is not None
    assert examiner.reconsider(a_chunk(0, SENTENCES[0]), first) == Verdict("", first.heard, "it", 0.0)
    assert examiner.reconsider(a_chunk(2, SENTENCES[2]), third) == third
    loud_one = Verdict("it is too loud", first.heard, "it", 0.3)  # not by what was heard
    assert examiner.reconsider(a_chunk(0, SENTENCES[0]), loud_one) == loud_one


def test_a_take_that_says_the_right_words_may_sound_odd() -> None:
    case = a_case()
    case.samples[:] = 0.9
    (verdict,) = Examiner(Hears(TEXT), loud).examine([case])
    assert verdict is not None
    assert (verdict.why, verdict.rate, verdict.measures) == ("it is too loud", 0.0, {"level": pytest.approx(0.9)})


def test_without_a_recogniser_takes_are_measured() -> None:
    examiner = Examiner(None, loud)
    assert not examiner.hears
    assert examiner.examine([a_case()]) == [Verdict("", measures={"level": pytest.approx(0.1)})]
    assert Examiner(None).examine([a_case()]) == [None]


def test_a_take_that_could_not_be_heard_has_no_verdict() -> None:
    assert Examiner(Hears(None)).examine([a_case()]) == [None]


def test_a_recogniser_that_gives_up_is_told_of_once() -> None:
    said: list[str] = []
    ears = Hears(error="It is gone.")
    examiner = Examiner(ears, say=said.append)
    assert examiner.hears
    for _ in range(3):
        assert examiner.examine([a_case()]) == [None]
    assert ears.calls == 1
    assert not examiner.hears
    assert said == ["It is gone. Takes are not checked by hearing any more."]


def test_a_recogniser_that_does_not_understand_the_voice_is_not_believed() -> None:
    """Otherwise every take of a book would be taken again and again."""
    said: list[str] = []
    examiner = Examiner(Hears(*["entirely other words"] * 40), say=said.append)
    for number in range(FIRST_HEARD + 5):
        (verdict,) = examiner.examine([a_case()])
        assert (verdict is None) == (number >= FIRST_HEARD)
    assert said == [
        "it hears 100% of what this voice says otherwise than it is written. Takes are not checked by hearing any more."
    ]


@pytest.mark.parametrize("bad", [FIRST_HEARD // 2 - 1, 0])
def test_a_recogniser_that_understands_most_is_believed(bad: int) -> None:
    said: list[str] = []
    texts = ["entirely other words"] * bad + [TEXT] * (FIRST_HEARD - bad) + ["other words"] * 10
    examiner = Examiner(Hears(*texts), say=said.append)
    for _ in texts:
        (verdict,) = examiner.examine([a_case()])
        assert verdict is not None
    assert said == []


def test_a_recogniser_that_was_cancelled_has_not_given_up() -> None:
    said: list[str] = []
    examiner = Examiner(Hears(error="It was stopped."), say=said.append)

    hear = examiner.recogniser.hear  # type: ignore[union-attr]

    def hear_and_cancel(sounds: Sequence[Sound]) -> list[str | None]:
        examiner.cancel()
        return hear(sounds)

    examiner.recogniser.hear = hear_and_cancel  # type: ignore[union-attr, method-assign]
    assert examiner.examine([a_case()]) == [None]
    assert said == []
    assert examiner.hears


def test_with_a_process() -> None:
    with closing(a_recogniser("hear")) as recogniser:
        examiner = Examiner(recogniser)
        (verdict,) = examiner.examine([a_case(0.5, "five tenths")])
        assert verdict is not None
        assert (verdict.heard, verdict.recogniser, verdict.good) == ("5 tenths", "stand-in hear", True)
        assert examiner.batch == 4
