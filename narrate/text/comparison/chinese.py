"""Chinese as syllables: simplified or traditional, numbers in digits or written out, it sounds the same."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from narrate.text.characters import HAN

_PER_CENT = re.compile(r"(\d+(?:\.\d+)?)\s*[%％]")
_FRACTION = re.compile(r"(\d+)/(\d+)")
_YEAR = re.compile(r"(\d{4})(?=年)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DIGIT = re.compile("[0-9]")
_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
# A particle that is written in three ways, and two words for two and for zero.
_ALIKE = str.maketrans("地得两〇", "的的二零")
_KEPT = re.compile(f"[{HAN}a-z]")
_RUN = re.compile(r"[a-z]|[^a-z]+")  # a Latin letter, or Chinese that is read in its context


def readings(text: str) -> list[list[str]]:
    """The syllables, once with numbers as they are counted and once digit by digit; each reading once."""
    counted = syllables(text)
    one_by_one = syllables(_DIGIT.sub(lambda match: _DIGITS[match[0]], text)) if _DIGIT.search(text) else counted
    return [counted] if one_by_one == counted else [counted, one_by_one]


def syllables(text: str, *, tones: bool = False) -> list[str]:
    """The syllables in pinyin, without tones unless wanted; Latin letters one by one."""
    from pypinyin import Style, lazy_pinyin

    plain = _simplified().convert(unicodedata.normalize("NFKC", text).lower())
    plain = _written_out(plain).translate(_ALIKE)
    style = Style.TONE3 if tones else Style.NORMAL
    kept = "".join(_KEPT.findall(plain))
    return [str(each) for letter in _RUN.findall(kept) for each in lazy_pinyin(letter, style=style)]


@cache
def _simplified() -> Any:
    from opencc import OpenCC

    return OpenCC("tw2s")  # t2s would leave a 著 that is a particle


def _written_out(text: str) -> str:
    """Numbers in characters, as they are said."""
    text = _PER_CENT.sub(lambda match: f"百分之{match[1]}", text)
    text = _FRACTION.sub(r"\2分之\1", text)
    text = _YEAR.sub(lambda match: "".join(_DIGITS[digit] for digit in match[1]), text)
    return _NUMBER.sub(lambda match: _number(match[0]), text)


def _number(digits: str) -> str:
    from cn2an import an2cn

    try:
        return str(an2cn(digits, "low"))
    except ValueError:  # longer than numbers are said
        return "".join(_DIGITS.get(digit, "点") for digit in digits)
