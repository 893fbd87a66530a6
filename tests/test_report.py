"""The report of a book: one page with everything in it, whatever the book says; and drift as lines of a terminal."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.checking.drift import drift_lines, drifts
from narrate.checking.report import _CONTROLS, WORST, Reported, report, worst_of
from narrate.checking.verdict import Verdict
from narrate.text.document import Chunk
from tests.speech import a_chunk
from tests.test_course import EVEN

EVIL = "<script>alert('1')</script>\"&amp;' onerror=x <img src=http://example.org/x>"


def taken(
    index: int,
    verdict: Verdict | None = None,
    *,
    chunk: Chunk | None = None,
    sound: bytes | None = b"OggS",
    **changed: float,
) -> Reported:
    verdict = verdict or Verdict(measures={**EVEN, **changed})
    return Reported(chunk or a_chunk(index), verdict, 8.0, sound=None if sound is None else lambda: sound)


class Page(HTMLParser):
    """Tags with their attributes, and the text in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_worst_sentences_can_be_heard_with_what_differs_marked() -> None:
    wrong = Verdict("“bell” is missing at the end", "The lamp went out, and nobody herd the", "tiny", 0.3, EVEN, 3)
    takes = [taken(index) for index in range(20)]
    takes[7] = taken(7, wrong, chunk=a_chunk(7, "The lamp went out, and nobody heard the bell."))
    text = report("A Book", "Somebody", "en-us", takes)
    assert "The lamp went out, and nobody <del>heard</del> the <del>bell</del>." in text
    assert "nobody <ins>herd</ins> the" in text
    assert "“bell” is missing at the end. 3 takes were made." in text
    assert "data:audio/ogg;base64,T2dnUw==" in text
    assert "Heard by tiny." in text
    assert len(Page(text).named("audio")) == 1


def test_no_more_than_ten_are_heard_and_doubtful_ones_come_first() -> None:
    takes = [
        Reported(
            a_chunk(index),
            Verdict("a click" if index % 3 == 0 else "", "", "", index / 100, EVEN),
            8.0,
            0.5,
            lambda: b"x",
        )
        for index in range(60)
    ]
    found = worst_of(takes)
    assert [take.chunk.index for take in found] == [3 * n for n in range(19, 19 - WORST, -1)]
    assert len(Page(report("", "", "", takes)).named("audio")) == WORST


def test_chapters_have_their_own_error_rates() -> None:
    takes = [taken(index, Verdict("", "x", "tiny", 0.0 if index < 50 else 0.2, EVEN)) for index in range(100)]
    text = report("A Book", "", "", takes)
    assert re.search(r"<td>Chapter 1<td>6:40<td>50<td>.*?<td>.*?<td><span class=bar style='width:0'></span>0\.0%", text)
    assert re.search(r"<td>Chapter 2<td>6:40<td>50.*?width:4.0rem'></span>20\.0%", text)
    assert "<th>WER" in text
    japanese = [taken(0, Verdict("", "x", "tiny", 0.1, EVEN), chunk=a_chunk(0, "猫が走る。", language="ja"))]
    assert "<th>CER" in report("", "", "", japanese)


def test_without_a_recogniser_it_says_so_and_has_no_error_rates() -> None:
    text = report("A Book", "", "", [taken(index) for index in range(5)])
    assert "No recogniser of speech has listened." in text
    assert "WER" not in text
    assert "No take had to be made again" in text


@pytest.mark.parametrize("takes", [[], [taken(0, Verdict())], [taken(0, Verdict("a click"), sound=None)]])
def test_a_book_of_nothing_has_a_report(takes: list[Reported]) -> None:
    assert report("", "", "", takes).endswith("</html>\n")


def test_nothing_from_the_book_is_taken_for_html() -> None:
    chunk = a_chunk(1, EVIL)
    verdict = Verdict(EVIL, EVIL, EVIL, 0.5, EVEN, 2)
    text = report(EVIL, EVIL, EVIL, [taken(0), taken(1, verdict, chunk=chunk)])
    page = Page(text)
    assert not page.named("script")
    assert not page.named("img")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "".join(page.words).count("<script>") >= 5


def test_the_page_loads_nothing() -> None:
    text = report("A Book", "", "", [taken(index, loudness_lufs=-20.0 + index) for index in range(50)])
    page = Page(text)
    policy = next(each["content"] for each in page.named("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"
    assert all(str(each.get("src", "data:")).startswith("data:") for _, each in page.tags)
    assert not page.named("link")
    assert "url(" not in text
    assert "@import" not in text


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["en", "ja", "zh"]))
def test_both_texts_stand_there_whatever_differs(written: str, heard: str, language: str) -> None:
    chunk = a_chunk(0, f"a{written}", language=language)
    text = report("", "", "", [taken(0, Verdict("x", f"a{heard}", "r", 1.0, EVEN), chunk=chunk)])
    texts = re.search(
        r"<dl class=texts><dt>written<dd lang=\"..\">(.*)<dt>heard<dd lang=\"..\">(.*?)</dl>", text, re.DOTALL
    )
    assert texts is not None
    shown = ["".join(Page(side).words) for side in texts.groups()]
    assert shown == [_CONTROLS.sub("", " ".join(f"a{side}".split())) for side in (written, heard)]


def verdicts(*loudness: float, why: str = "") -> list[Verdict]:
    return [Verdict(why, measures={**EVEN, "loudness_lufs": level}) for level in loudness]


def test_drift_is_drawn_in_blocks_and_what_is_odd_is_marked() -> None:
    calm = verdicts(*[-20.0] * 40)
    lines = drift_lines([*calm, *verdicts(*[-8.0] * 4, why="12 dB louder"), *calm])
    assert [line.split()[0] for line in lines] == ["Loudness", "Pitch", "Pace", "Odd"]
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].endswith("-20.0 LUFS")
    blocks = lines[0][10:]
    assert (blocks[0], blocks[-len("  -20.0 LUFS") - 1]) == ("▄", "▄")
    marked = [place for place, mark in enumerate(lines[3]) if mark == "^"]
    high = [10 + place for place, block in enumerate(blocks) if block == "▇"]
    assert marked
    assert set(high) <= set(marked) <= {high[0] - 1, *high, high[-1] + 1}


def test_natural_variation_looks_even() -> None:
    lines = drift_lines(verdicts(*[-20.0 + 0.3 * (index % 3) for index in range(200)]))
    assert set(lines[0][10:].split(" ")[0]) == {"▄"}
    assert len(lines) == 3


def test_two_takes_are_needed_and_silence_has_no_pitch() -> None:
    assert drift_lines([]) == drift_lines(verdicts(-20.0)) == drift_lines([Verdict()] * 5) == []
    whispered = [Verdict(measures={**EVEN, "pitch_hz": 0.0})] * 3
    assert [drift.quantity.label for drift in drifts(whispered, 10)] == ["Loudness", "Pace"]


@given(
    st.lists(st.tuples(st.floats(0.1, 30), st.floats(-60, 0), st.floats(0, 500), st.booleans()), max_size=60),
    st.integers(1, 90),
)
def test_every_take_lies_within_the_plot(takes: list[tuple[float, float, float, bool]], steps: int) -> None:
    found = [
        Verdict("odd" if odd else "", measures={**EVEN, "seconds": seconds, "loudness_lufs": level, "pitch_hz": hz})
        for seconds, level, hz, odd in takes
    ]
    for drift in drifts(found, steps):
        assert len(drift.steps) == steps
        for step in drift.steps:
            if step is not None:
                assert -1e-9 <= step.low <= step.middle <= step.high <= 1 + 1e-9
    assert all(len(line) <= 100 for line in drift_lines(found, 100))
    if len(found) >= 2:
        loudness = drifts(found, steps)[0]
        assert sum(len(step.odd) for step in loudness.steps if step) == sum(odd for *_, odd in takes)
