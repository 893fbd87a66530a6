"""`narrate review`: what is in doubt is heard, kept, taken again, and words get their readings."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.checking.verdict import Verdict, read_verdict, written
from narrate.clip import Clip
from narrate.engines.table import engine_lengths
from narrate.errors import InputError, SinkError
from narrate.sinks import Sink
from narrate.store.key import take_key
from narrate.store.store import Store
from narrate.terminal import review
from narrate.terminal.listen import ReadingOptions, Run
from narrate.text.book import TextOptions, open_book
from narrate.text.document import Chunk
from narrate.text.spoken.dictionary import Rule, add_rule, load_dictionary
from narrate.voice import Voice
from tests.trials import STEP, Takes

BOOK = "The lamp stood by the window. Mr Leigh cried over the harbour. Nobody had seen the lantern.\n"
BAD = Verdict("“harbour” is missing at the end", "mr lay cried over", "it", 0.4)


class Heard(Sink):
    """What the listener hears in place of a loudspeaker."""

    tape: list[bytes] = []  # noqa: RUF012

    def __init__(self, sample_rate: int, device: str | None = None) -> None:
        if device == "broken":
            raise SinkError("There is no such device.")

    def write(self, clip: Clip) -> None:
        self.tape.append(clip.samples.tobytes())


class Place:
    """A book of which one sentence, or none, is in doubt, and what a listener types."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.book, self.store, self.dictionary = folder / "book.txt", folder / "store", folder / "words.txt"
        self.book.write_text(BOOK)
        self.dictionary.touch()
        self.engine = Takes()
        self.engine.name = "tone"  # whose lengths of chunks it has
        Heard.tape = []
        monkeypatch.setattr(review, "Speaker", Heard)
        monkeypatch.setattr(Run, "engine", lambda *_: (self.engine, None))
        opened = open_book(str(self.book), TextOptions(max_chars=40))
        self.chunks = [chunk for chunk in opened.script(engine_lengths("tone")).since(0) if chunk is not None]
        self.content = opened.identity.content
        for number, chunk in enumerate(self.chunks):
            self.put(chunk, number, BAD if number == 1 else Verdict(heard=chunk.spoken, rate=0.0))

    def key(self, chunk: Chunk) -> str:
        return take_key(self.engine.fingerprint, Voice(language="en"), chunk)

    def put(self, chunk: Chunk, number: int, verdict: Verdict) -> None:
        samples = np.full(4000, (number + 1) * STEP, np.float32)
        with Store(self.store) as store, store.for_book(self.content) as takes:
            takes.put(self.key(chunk), samples, 8000)
            takes.put_verdict(self.key(chunk), samples, written(verdict))

    def stored(self, number: int) -> tuple[bytes, Verdict | None]:
        with Store(self.store) as store, store.for_book(self.content) as takes:
            take, key = takes.get(self.key(self.chunks[number])), self.key(self.chunks[number])
            assert take is not None
            return take.samples.tobytes(), read_verdict(takes.verdict(key))

    def review(self, *typed: str, **options: Any) -> str:
        lines, said = iter(typed), io.StringIO()

        def ask(prompt: str) -> str:
            said.write(prompt)
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        chosen = {"dictionary": self.dictionary, **options}
        text = TextOptions(max_chars=40, dictionary=chosen.pop("dictionary"))
        reading = ReadingOptions(source=str(self.book), text=text, store=self.store, **chosen)
        review.review_book(reading, ask=ask, stdout=said, stderr=io.StringIO())
        assert list(lines) == []
        return said.getvalue()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_only_what_is_in_doubt_is_shown_and_heard(place: Place) -> None:
    before, _ = place.stored(1)
    said = place.review("n")
    assert "1 of 1" in said
    assert BAD.why in said
    assert "“Mr Leigh cried over the harbour.”" in said
    assert "heard: “mr lay cried over”" in said
    assert "Kept: 0 sentences." in said
    assert Heard.tape == [before]
    assert place.stored(1) == (before, BAD)


def test_what_is_kept_is_in_doubt_no_longer(place: Place) -> None:
    before, _ = place.stored(1)
    assert "Kept: 1 sentence." in place.review("h", "k")
    assert len(Heard.tape) == 2
    samples, verdict = place.stored(1)
    assert samples == before
    assert verdict is not None
    assert verdict.good
    assert verdict.heard == BAD.heard
    assert "No sentence of the book is in doubt." in place.review()


def test_another_take_is_stored_once_it_is_kept(place: Place) -> None:
    before, _ = place.stored(1)
    place.review("a", "n")
    assert place.stored(1) == (before, BAD)
    place.review("a", "a", "k")
    assert [attempt for _, attempt, _ in place.engine.asked] == [1, 1, 2]
    samples, verdict = place.stored(1)
    assert samples == Heard.tape[-1] != before
    assert verdict is not None
    assert (verdict.good, verdict.tries) == (True, 3)


def test_a_voice_that_says_everything_the_same_way_is_not_asked_again(place: Place) -> None:
    place.engine.deterministic = True
    assert "the same way every time" in place.review("a", "n")
    assert place.engine.asked == []


def test_a_take_that_is_of_no_use_leaves_what_there_is(place: Place) -> None:
    place.engine.spoil = lambda request, clip: request.failed("it broke", 8000)
    before, _ = place.stored(1)
    said = place.review("a", "k")
    assert "of no use (it broke)" in said
    assert place.stored(1)[0] == before


def test_a_reading_is_written_to_the_dictionary(place: Place) -> None:
    place.dictionary.write_text("[ja]\n一 = いち")
    assert "--dict FILE" in place.review("r", "q", dictionary=None)
    assert "cannot be written as a rule" in place.review("r", "a = b", "c", "r", "Leigh", "lee", "q")
    assert load_dictionary(place.dictionary) == (Rule("一", "いち", "ja"), Rule("Leigh", "lee", "en"))
    assert "No sentence of the book is in doubt." in place.review()  # it is said otherwise from now on


def test_it_ends_with_what_is_typed(place: Place) -> None:
    assert "Type one of these letters." in place.review("x", "q")
    place.review()


def test_without_a_loudspeaker_one_can_still_decide(place: Place) -> None:
    said = place.review("k", device="broken")
    assert "There is no such device." in said
    assert "Kept: 1 sentence." in said


@pytest.mark.parametrize(
    ("word", "reading"),
    [("", "x"), ("#a", "x"), ("a=b", "x"), ("/a/", "x"), ("a\nb", "x"), ("a", "x\ny")],
)
def test_what_is_no_rule_is_not_written(tmp_path: Path, word: str, reading: str) -> None:
    with pytest.raises(InputError, match="cannot be written as a rule"):
        add_rule(tmp_path / "words.txt", word, reading, "en")
    assert not (tmp_path / "words.txt").exists()


def test_a_dictionary_in_another_encoding_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("髪 = かみ\n".encode("shift_jis"))
    with pytest.raises(InputError, match="UTF-8"):
        add_rule(path, "a", "b", "en")
    assert path.read_bytes() == "髪 = かみ\n".encode("shift_jis")
