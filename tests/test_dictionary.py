from __future__ import annotations

from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.text.spoken.dictionary import Dictionary, Rule, load_dictionary


def test_a_dictionary_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text(
        "# names\n苦沙弥 = くしゃみ\n\n[ja]\n市場\tいちば\n東京 → とうきょう\n/(\\d+)km/ = \\1キロ\n"
        "[*]\nNaN =\nA=B -> c\n",
        "utf-8",
    )
    assert load_dictionary(path) == (
        Rule("苦沙弥", "くしゃみ"),
        Rule("市場", "いちば", "ja"),
        Rule("東京", "とうきょう", "ja"),
        Rule(r"(\d+)km", r"\1キロ", "ja", regex=True),
        Rule("NaN", ""),
        Rule("A", "B -> c"),
    )


def test_any_encoding_and_no_rules_will_do(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("吾輩 = わがはい\n我儘 = わがまま\n".encode("cp932"))
    assert len(load_dictionary(path)) == 2
    path.write_bytes(b"")
    assert load_dictionary(path) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("word\n", "line 1: 'word' is not a rule"),
        ("a = b\n= c\n", "line 2"),
        ("[xx]\n", "line 1: no such language: xx"),
        ("/(/ = x\n", "not a valid regular expression"),
        ("/a/ = \\2\n", "not a valid regular expression"),
        ("/a*/ = x\n", "where there is no text"),
    ],
)
def test_what_is_no_rule_is_named_by_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        load_dictionary(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_dictionary(tmp_path / "none.txt")


def test_the_longest_word_is_found_and_the_first_rule_wins() -> None:
    rules = (Rule("東", "1"), Rule("東京", "2"), Rule("東京", "3"), Rule("京都", "4"), Rule("x", "5", "en"))
    found = Dictionary(rules, "ja").find("東京都x")
    assert [(start, end, said) for start, end, said, _ in found] == [(0, 2, "2")]
    assert not Dictionary((Rule("x", "5", "en"),), "ja")
