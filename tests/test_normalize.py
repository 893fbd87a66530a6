from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.text.document import Document, Paragraph, Span
from narrate.text.formats import plain
from narrate.text.readers import ReadOptions, read_bytes, read_file
from narrate.text.spoken.normalize import Rule, SayOptions, normalize, recut


def read(text: str, language: str) -> Document:
    return read_bytes(text.encode(), "text.txt", ReadOptions(language=language))


def sound(document: Document) -> str:
    return "\n".join("".join(p.sound for p in row.spans) for c in document.chapters for row in c.paragraphs)


def said(text: str, language: str = "en", *rules: Rule) -> str:
    return sound(normalize(read(text, language), SayOptions(rules)))


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("See https://www.example.com/a/b?c=1, please.", "See example dot com, please."),
        ("Mail jane.doe@example.org now.", "Mail jane dot doe at example dot org now."),
        ("Yes 😀👍🏽 and 🇯🇵 no 👩‍👩‍👧.", "Yes  and  no ."),
        ("Well…… I -- no!", "Well... I — no!"),
        ("Well . . . . no.", "Well ... no."),
        ("Really?!! No!!!", "Really? No!"),
        ("It is *very* good.[12] End.² m² too.", "It is very good. End. m² too."),
        ("AAAAAAAAAAAAAAAH!", "AAAAAH!"),
        ("## A title with `code`", "A title with code"),
        ("> It is 5 > 3 and #7.", "It is 5 > 3 and #7."),
        ("• One point", " One point"),
        ("Prices: 10% & 5-7, e.g. this.", "Prices: 10% & 5-7, e.g. this."),
    ],
)
def test_english(text: str, heard: str) -> None:
    assert said(text) == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("「でも……」と彼は――静かに――言った。", "「でも。」と彼は、静かに、言った。"),
        ("……そうか……。", "そうか。"),
        ("え！？　本当！！", "え？　本当！"),
        ("ＡＢＣと１２３、３．１４。", "ABCと123、3.14。"),
        ("ﾊﾝｶｸｶﾞﾅだ。", "ハンカクガナだ。"),
        ("こゝろ、いすゞ、いろ〳〵、それ〴〵、益〻。", "こころ、いすず、いろいろ、それぞれ、益々。"),
        ("○○さんと××町、二〇〇八年。", "まるまるさんとばつばつ町、二〇〇八年。"),
        ("①と㈱甲、第Ⅻ章、25℃、3㌔。", "1と株式会社甲、第12章、25度、3キロ。"),
        ("ああああああああああああ。", "あああああ。"),
        ("あー、ねえーーーー。", "あー、ねえーー。"),
        ("※印と★星（注1）。", "印と星。"),
        ("example@example.jpへ。", "exampleアットexampleドットjpへ。"),
    ],
)
def test_japanese(text: str, heard: str) -> None:
    assert said(text, "ja") == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("他说——“是的……”，然后走了。", "他说，“是的。”，然后走了。"),
        ("二○○八年，××公司（）。", "二〇〇八年，某某公司。"),
        ("第一回　宴桃园　斩黄巾\n　　他走了。", "第一回，宴桃园，斩黄巾\n他走了。"),
    ],
)
def test_chinese(text: str, heard: str) -> None:
    assert said(text, "zh") == heard


@pytest.mark.parametrize("line", ["* * *", "──────", "……", "「――」", "◇　◇　◇", "-----", "？！"])
def test_a_line_without_words_is_seen_and_not_said(line: str) -> None:
    document = normalize(read(f"前の文。\n\n{line}\n\n後の文。\n", "ja"))
    assert sound(document) == "前の文。\n\n後の文。"
    assert document.chapters[0].paragraphs[1].text == line


def test_roman_numerals_are_numbers_in_headings_and_of_kings() -> None:
    assert (
        said("CHAPTER IV. Henry VIII\n\nHenry VIII and I.\n") == "CHAPTER 4. Henry the Eighth\nHenry the Eighth and I."
    )
    assert said("Kapitel XII\n\nText.\n", "de") == "Kapitel 12\nText."


def test_a_piece_with_a_reading_keeps_it() -> None:
    text = "｜ＡＢＣ《エービーシー》と｜……《てんてん》。［＃改ページ］"
    assert said(text, "ja") == "エービーシーとてんてん。"


def test_the_dictionary_has_the_last_word_and_is_counted() -> None:
    rules = (
        Rule("Ａ子", "えいこ"),
        Rule("市場", "いちば"),
        Rule("吾輩", "ワガハイ"),
        Rule(r"(\d+)km", r"\1キロ", "ja", regex=True),
        Rule("市場", "shijo", "en"),
        Rule("東", "ひがし"),
        Rule("東京", "とうきょう"),
    )
    tally: Counter[Rule] = Counter()
    document = read("吾輩《わがはい》とＡ子は東京の市場と市場を12km歩いた。", "ja")
    assert (
        sound(normalize(document, SayOptions(rules), tally))
        == "ワガハイとえいこはとうきょうのいちばといちばを12キロ歩いた。"
    )
    assert {rule.word: count for rule, count in tally.items()} == {
        "吾輩": 1,
        "Ａ子": 1,
        "東京": 1,
        "市場": 2,
        r"(\d+)km": 1,
    }


def test_a_rule_that_would_cut_a_reading_is_not_applied() -> None:
    assert said("東京都《とうきょうと》へ。", "ja", Rule("京都", "きょうと")) == "とうきょうとへ。"


def test_latin_words_are_matched_whole() -> None:
    assert said("Read a lead pipe; reading leads.", "en", Rule("lead", "led")) == "Read a led pipe; reading leads."


CHARACTERS = st.sampled_from("abAZ1。、！？!?…―—-.*○〇×ｱＡ１ゝ①Ⅳ㈱※[]（）【】/:@ \n　あ漢😀")


@given(st.text(CHARACTERS, max_size=80), st.sampled_from(["ja", "zh", "en"]))
@settings(max_examples=300)
def test_what_is_seen_never_changes(text: str, language: str) -> None:
    before = plain.read(text)
    document = Document("", "", language, before.chapters, text)
    after = normalize(document)
    for old, new in zip(document.chapters, after.chapters, strict=True):
        for row, same in zip(old.paragraphs, new.paragraphs, strict=True):
            assert same.text == row.text
            assert [span.start for span in same.spans] == sorted(span.start for span in same.spans)
            assert (same.spans[0].start, same.spans[-1].end) == (row.spans[0].start, row.spans[-1].end)
            for left, right in zip(same.spans, same.spans[1:], strict=False):
                assert left.end <= right.start


def test_recut_across_pieces_keeps_the_places_of_the_source() -> None:
    row = Paragraph(
        (Span("ab", 0, 2), Span(" ", 2, 5), Span("cd", 5, 7), Span("漢", 7, 12, "かん"), Span("ef", 12, 14))
    )
    edits = [(1, 4, "X", Rule("b c", "X")), (5, 7, "Y", None)]
    assert list(recut(row.spans, edits)) == [
        Span("a", 0, 1),
        Span("b c", 1, 6, "X"),
        Span("d", 6, 7),
        Span("漢", 7, 12, "かん"),
        Span("ef", 12, 14),
    ]


def test_numbers_are_spelled_out_on_request() -> None:
    pytest.importorskip("wetext")
    document = normalize(read("It cost $3.14. That was all.", "en"), SayOptions(wetext=True))
    assert sound(document) == "It cost three point one four dollars. That was all."


def test_nothing_in_the_books_sounds_of_signs(books: Path) -> None:
    for name in ("alice.txt", "sanguo.txt", "wagahai.sjis.txt"):
        heard = sound(normalize(read_file(books / name)))
        assert not set(heard) & (set("｜［＃］※*_…―★●｢ﾊＡ１") | (set("《》") if "sjis" in name else set()))


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("百合　ええ。", "百合、ええ。"),
        ("晃　（立つ）水だ。", "晃、（立つ）水だ。"),
        ("彼は長い道を歩いて行ったのだ　と思う。", "彼は長い道を歩いて行ったのだ　と思う。"),
    ],
)
def test_a_wide_space_after_the_name_of_a_speaker_is_a_pause(text: str, heard: str) -> None:
    assert said(text, "ja") == heard
