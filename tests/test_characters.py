"""What ends a sentence and which script a letter is of: written once, in one module, and the same for every reader."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrate.text import characters
from narrate.text.chunking.phrases import cut_points
from narrate.text.document import Document
from narrate.text.formats import aozora, pages, plain
from narrate.text.spoken.sayable import stumbling

NARRATE = Path(__file__).parents[1] / "narrate"


def matching(script: str) -> set[str]:
    pattern = re.compile(f"[{script}]")
    return {chr(code) for code in range(0x110000) if pattern.match(chr(code))}


def named(*beginnings: str) -> set[str]:
    return {chr(code) for code in range(0x110000) if unicodedata.name(chr(code), "").startswith(beginnings)}


def test_every_chinese_character_of_unicode_is_one() -> None:
    han = matching(characters.HAN)
    assert named("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH") <= han
    assert {"々", "〆", "〇", "𠮷"} <= han
    assert not {"、", "「", "ー", "あ", "ア", "한", "Ａ", "○"} & han


def test_every_letter_of_the_other_east_asian_scripts_is_in_its_own_script() -> None:
    kana = matching(characters.KANA)
    assert matching(characters.KANA_LETTERS) < kana
    modern = {letter for letter in named("HIRAGANA LETTER", "KATAKANA LETTER") if letter < "\U00010000"}
    assert modern <= kana
    assert {"ゝ", "ヾ", "ー", "・", "ㇶ"} <= kana
    assert matching(characters.HIRAGANA) | matching(characters.KATAKANA) <= kana
    assert named("HANGUL SYLLABLE", "HANGUL LETTER", "HALFWIDTH HANGUL LETTER") <= matching(characters.HANGUL)
    assert named("HALFWIDTH KATAKANA LETTER") <= matching(characters.HALFWIDTH_KANA)
    assert named("BOPOMOFO LETTER") <= matching(characters.BOPOMOFO)


def test_scripts_do_not_overlap() -> None:
    scripts = ["HAN", "KANA", "HALFWIDTH_KANA", "BOPOMOFO", "HANGUL", "LATIN", "CYRILLIC", "FULLWIDTH_LETTERS"]
    sets = [matching(getattr(characters, script)) for script in scripts]
    assert sum(map(len, sets)) == len(set().union(*sets))


def test_unspaced_writing_has_the_marks_but_no_korean() -> None:
    unspaced = matching(characters.UNSPACED)
    assert matching(characters.HAN) | matching(characters.KANA) | matching(characters.BOPOMOFO) <= unspaced
    assert set("、。「」！？（）　〜") <= unspaced
    assert not matching(characters.HANGUL) & unspaced


@pytest.mark.parametrize(
    "text", ["It ended.", "「行く」", "そうして――", "he said—", "“No", "‘Oh!’", "wait…", "何‼", "»Ja.«"]
)
def test_where_a_sentence_may_stop(text: str) -> None:
    assert characters.ends_sentence(text) == (text != "“No")
    assert characters.ends_line(text) == (text != "“No")


@pytest.mark.parametrize(("text", "sentence", "line"), [
    ("He said:", False, True), ("彼は言った：", False, True), ("そうだね～", False, True), ("La la la ♪", False, True),
    ("He said,", False, False), ("彼は、", False, False), ("1914–", False, False), ("well-", False, False),
    ("", False, False),
])  # fmt: skip
def test_a_line_may_stop_where_no_sentence_does(text: str, sentence: bool, line: bool) -> None:
    assert (characters.ends_sentence(text), characters.ends_line(text)) == (sentence, line)


# --- the same answer everywhere ---------------------------------------------------------------------------------------


def kinds(document: Document) -> list[str]:
    return [paragraph.kind for chapter in document.chapters for paragraph in chapter.paragraphs]


@pytest.mark.parametrize("mark", ["――", "—", "。", "……", "」", "：", "～", "♪", "*", "", "の"])
def test_the_same_lines_are_verse_or_prose_in_every_format(mark: str) -> None:
    lines = [words + mark for words in ("そうして", "それから彼は", "私はまた", "その夜の雨")]
    text = "\n".join(lines)
    kind = "verse" if mark in ("", "の") else "prose"
    assert kinds(plain.read(text)) == [kind] * 4
    assert kinds(aozora.read(text + "［＃改ページ］")) == [kind] * 4
    assert kinds(pages.read_html(f"<p>{'<br/>'.join(lines)}</p>")) == [kind] * 4


def test_rare_chinese_characters_are_cut_between_words_like_others() -> None:
    for text in ("森々森々森々", "𠮷々𠮷々𠮷々"):
        _, phrases, *_ = cut_points(text, 1, 5, "ja")
        assert phrases == [2, 4]


def test_halfwidth_kana_are_single_letters_and_fullwidth_latin_ones_are_a_word() -> None:
    *_, between_words, singles = cut_points("ｱｲｳｴ", 1, 3, "ja")
    assert between_words == singles == [1, 2, 3]
    *_, between_words, singles = cut_points("ＡＢＣＤ", 1, 3, "ja")
    assert (between_words, singles) == ([], [1, 2, 3])


@pytest.mark.parametrize("closer", [*characters.CLOSERS, "'", '"'])
def test_a_voice_that_trails_off_before_a_closing_mark_comes_to_an_end(closer: str) -> None:
    assert stumbling(f"「どうして……{closer}", "ja") == [(5, 7, "。")]


# --- no other module spells these out -----------------------------------------------------------------------------


def literals(path: Path) -> Iterator[str]:
    """The string literals of a module, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


MODULES = [path for path in (NARRATE / "text").rglob("*.py") if path.stem not in ("characters", "brackets")]


@pytest.mark.parametrize("path", [*MODULES, NARRATE / "pace.py"], ids=lambda path: path.stem)
def test_ranges_of_letters_and_sets_of_stops_are_written_in_one_module(path: Path) -> None:
    for literal in literals(path):
        for first, last in re.findall("([\u1100-\U0003ffff])-([\u1100-\U0003ffff])", literal):
            assert not (first.isalpha() and last.isalpha()), f"{first}-{last} belongs into text/characters.py"
        assert not ("。" in literal and "！" in literal), f"{literal!r}: compose the sets of text/characters.py"
    assert not re.search("0x3[0-9A-Fa-f]{3}", path.read_text(encoding="utf-8"))
