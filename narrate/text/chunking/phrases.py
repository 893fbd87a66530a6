"""Finds where a sentence that is too long for a chunk may be cut."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from narrate.text.characters import (
    CLAUSE_MARKS,
    CLOSERS,
    COLONS,
    DASHES,
    ELLIPSES,
    FULLWIDTH_DIGITS,
    HAN,
    HAN_NUMERALS,
    KANA,
    KANA_LETTERS,
    SEMICOLONS,
    STOPS,
    WIDE_LETTERS,
)
from narrate.text.chunking.abbreviations import is_abbreviation, is_initial, last_word

_NUMERAL = "0-9" + FULLWIDTH_DIGITS + HAN_NUMERALS
_CLAUSE_END = re.compile(
    rf"(?:[{SEMICOLONS}]|(?<!\d)[{COLONS}]|[{COLONS}](?!\d)|[–{DASHES}{ELLIPSES}]+(?!\d)|[,，](?!\d)"
    rf"|(?<![{_NUMERAL}])、|、(?![{_NUMERAL}])|[{STOPS}](?=\s|[^\W\d_a-zA-Z]))[{re.escape(CLOSERS)}]*"
)
# Printers let no line begin with one of these.
_NOT_FIRST = frozenset(
    STOPS + ELLIPSES + CLAUSE_MARKS + CLOSERS + "ー～々ゝゞヽヾ・%％ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ"
)
_CONTEXT = 12  # budoux sees so many characters on both sides of a window
_HAN_OR_KANA = re.compile(f"[{HAN}{KANA}]")
_KANA = re.compile(f"[{KANA_LETTERS}]")
_WIDE_LETTER = re.compile(f"[{WIDE_LETTERS}]")


def cut_points(
    text: str, low: int, high: int, language: str, brackets: Sequence[tuple[int, int]] = ()
) -> Iterator[list[int]]:
    """Yield lists of offsets from `low` to `high` where `text` may be cut, the best list first. A list may be empty.

    First come clause marks, then phrases (found by budoux in Chinese and Japanese) or words, both outside `brackets`
    (see brackets.enclosed). Then come those inside brackets, and at last every offset that splits no character.
    """
    clauses = _without_abbreviations(text, _clauses(text, low, high), language)
    yield [at for at in clauses if not _within(at, brackets)]
    phrases = _without_abbreviations(text, _phrases(text, low, high, language), language)
    yield [at for at in phrases if not _within(at, brackets)]
    yield clauses
    yield phrases
    singles = [at for at in range(low, high + 1) if splits_nothing(text, at)]
    yield [at for at in singles if not _splits_word(text, at) and text[at] not in _NOT_FIRST]
    yield [at for at in singles if not _splits_word(text, at)]
    yield singles


def _without_abbreviations(text: str, found: list[int], language: str) -> list[int]:
    """Return the offsets without those after an abbreviation."""
    if not found or text.find(".", max(0, found[0] - 2), found[-1]) < 0:
        return found
    return [at for at in found if not _after_abbreviation(text, at, language)]


def _after_abbreviation(text: str, at: int, language: str) -> bool:
    """Return True after "Mr. " and "J. ", where no voice would breathe."""
    word = last_word(text, at) if text[max(0, at - 2) : at].rstrip().endswith(".") else ""
    return bool(word) and (is_abbreviation(word, language) or is_initial(word, language))


def _within(at: int, brackets: Sequence[tuple[int, int]]) -> bool:
    index = bisect_right(brackets, (at, 0)) - 1
    return index >= 0 and brackets[index][0] < at < brackets[index][1]


def _clauses(text: str, low: int, high: int) -> list[int]:
    found = []
    for match in _CLAUSE_END.finditer(text, max(0, low - 4), high):
        at = _after_space(text, match.end(), high)
        if low <= at <= high and splits_nothing(text, at):
            found.append(at)
    return found


def _phrases(text: str, low: int, high: int, language: str) -> list[int]:
    begin = max(0, low - _CONTEXT)
    window = text[begin : high + _CONTEXT]
    if not _HAN_OR_KANA.search(window):
        cuts = [match.end() for match in re.finditer(r"\s+", window)]
    else:
        script = "ja" if language == "ja" or _KANA.search(window) else "zh"
        cuts = list(accumulate(map(len, _parser(script).parse(window))))[:-1]
    found = (_after_space(text, begin + cut, high) for cut in cuts)
    found = (at for at in found if low <= at <= high and splits_nothing(text, at))
    return [at for at in found if not _splits_word(text, at) and text[at] not in _NOT_FIRST]


def _after_space(text: str, at: int, high: int) -> int:
    while at <= high and at < len(text) and text[at].isspace():
        at += 1
    return at


def _splits_word(text: str, at: int) -> bool:
    """Return True between two digits and inside a word of an alphabetic script."""
    left, right = text[at - 1], text[at : at + 1]
    if not right or not (left.isalnum() and right.isalnum()):
        return False
    if left.isnumeric() and right.isnumeric():
        return True
    return not (_WIDE_LETTER.match(left) or _WIDE_LETTER.match(right))


def splits_nothing(text: str, at: int) -> bool:
    """Return False where a cut would split a character: before a combining mark, and at a zero-width joiner."""
    if not 0 < at < len(text):
        return False
    if text[at].isascii():
        return text[at - 1] != "\u200d"
    return unicodedata.category(text[at])[0] != "M" and "\u200d" not in text[at - 1 : at + 1]


@cache
def _parser(script: str) -> Any:
    import budoux

    return budoux.load_default_japanese_parser() if script == "ja" else budoux.load_default_simplified_chinese_parser()
