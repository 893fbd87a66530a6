"""The language of a text by its script and its common words, and of quotations in another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.text.language import LANGUAGES, detect_language, is_wide, runs

TEXTS = {
    "ja": "吾輩は猫である。名前はまだ無い。",
    "zh": "话说天下大势，分久必合，合久必分。",
    "ko": "그는 아무 말도 하지 않고 바다를 바라보았다.",
    "ru": "Он ничего не сказал и посмотрел на море.",
    "en": "He said nothing, and looked at the sea, for it was the last evening that he had with her; and she knew it.",
    "de": "Er sagte nichts und sah auf das Meer; es war der letzte Abend, den er mit ihr hatte, und sie wusste es. "
    "Nicht ein Wort fiel zwischen den beiden, und der Wind legte sich.",
    "fr": "Il ne dit rien et regarda la mer ; le soir était tombé sur les toits du village, et dans une des maisons "
    "une lampe était allumée, qui ne brûlait pas pour lui.",
    "es": "No dijo nada y miró el mar; había caído la tarde sobre los tejados del pueblo, y en una de las casas una "
    "luz, como por descuido, ardía con el viento.",
    "it": "Non disse nulla e guardò il mare; la sera era scesa sui tetti del paese, e nel buio della casa una luce non "
    "si spegneva, che era più di un segno con i suoi occhi.",
    "pt": "Não disse nada e olhou o mar; a tarde tinha caído sobre os telhados da vila, e em uma das casas uma luz "
    "ardia, mas não era a do seu quarto, nem dos outros.",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_known_by_a_sentence_or_two(language: str) -> None:
    assert detect_language(TEXTS[language]) == language


def test_what_tells_nothing_is_what_it_was_said_to_be() -> None:
    assert detect_language("") == "en"
    assert detect_language("Lorem ipsum.", "fr") == "fr"
    assert detect_language("1234 ... !", "ja") == "ja"


def test_a_foreign_name_does_not_turn_a_book() -> None:
    assert detect_language("The word 猫 is read neko. " * 20) == "en"
    assert detect_language("彼はWashingtonとNew Yorkへ行ったことがある。" * 5) == "ja"
    assert detect_language(TEXTS["zh"] * 20 + "の") == "zh"


def test_real_books_are_known(books: Path) -> None:
    assert detect_language((books / "alice.txt").read_text("utf-8-sig")) == "en"
    assert detect_language((books / "sanguo.txt").read_text("utf-8")) == "zh"
    assert detect_language((books / "wagahai.sjis.txt").read_text("cp932")) == "ja"


def test_wide_writing_is_chinese_japanese_and_korean() -> None:
    assert all(is_wide(text) == (language in ("ja", "zh", "ko")) for language, text in TEXTS.items())
    assert not is_wide("")
    assert not is_wide("“No…” — he said")


def test_quotations_have_their_own_language() -> None:
    novel = "彼は『Call me Ishmael, said he.』と読んだ。それは“OK”だ。"
    assert [(language, novel[begin:end]) for begin, end, language in runs(novel, "ja")] == [
        ("ja", "彼は"),
        ("en", "『Call me Ishmael, said he.』"),
        ("ja", "と読んだ。それは“OK”だ。"),
    ]
    assert runs("東京都庁", "ja") == [(0, 4, "ja")]
    assert runs("「你好吗？」 he asked. “Good,” said I.", "en")[0][2] == "zh"
    assert runs("…", "ru") == [(0, 1, "ru")]


@given(st.text(st.sampled_from("abc 。あいう漢字「」『』“”яд한"), max_size=60), st.sampled_from(sorted(LANGUAGES)))
def test_runs_hold_the_text_once(text: str, home: str) -> None:
    found = runs(text, home)
    assert [begin for begin, _, _ in found] == [0, *(end for _, end, _ in found[:-1])]
    assert found[-1][1] == len(text)
    assert all(language in LANGUAGES for _, _, language in found)


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("— Смотрите, Annette, не jouez pas avec ce jouet, mon enfant, — сказал он.", ["ru"]),
        ("Он сказал: «Je ne suis pas content de vous», и ушёл.", ["ru", "fr", "ru"]),
        ("Он сказал: «Ну, здравствуйте, mon prince, здравствуйте», и ушёл.", ["ru"]),
        ("Eh bien, mon prince. Gênes et Lucques ne sont plus que des apanages.", ["fr"]),
    ],
)
def test_russian_stays_russian_and_french_is_french(text: str, languages: list[str]) -> None:
    assert [language for _, _, language in runs(text, "ru")] == languages
