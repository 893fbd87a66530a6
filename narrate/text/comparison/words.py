"""Languages with spaces as words: no marks, no capitals, numbers spelled out as they may be said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_NUMBER = re.compile(r"\d+(?:[.,]\d{3})*(?:[.,]\d+)?")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)\b")
_PER_CENT = re.compile(r"(?<=\d)\s?%")
_ACCENTS = re.compile("[\u0300-\u036f]")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ё": "е"})
_GROUPS = re.compile(r"(?<=\d)[.,\u00a0 ](?=\d{3}\b)")
_APOSTROPHES = re.compile("['’ʼ`´]")
_MARKS = re.compile(r"[\W_]+")
_WAYS = ("cardinal", "year", "digits")
_SPELLINGS = {
    "en": {
        "mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "okay": "ok", "colour": "color", "grey": "gray",
        "honour": "honor", "favour": "favor", "labour": "labor", "neighbour": "neighbor", "towards": "toward",
        "travelling": "traveling", "centre": "center", "theatre": "theater", "realise": "realize",
        "alright": "allright", "waggon": "wagon", "gaol": "jail", "plough": "plow", "ploughed": "plowed",
        "hullo": "hello", "programme": "program",
    },
}  # fmt: skip
_OF_A_HUNDRED = {
    "en": "percent", "de": "prozent", "fr": "pour cent", "es": "por ciento", "it": "per cento", "pt": "por cento",
    "ru": "процентов", "ko": "퍼센트",
}  # fmt: skip
_WITHOUT_ACCENTS = {"en", "de", "fr", "es", "it", "pt"}
_JOINED = {"en": "and"}  # "one hundred and one" is "one hundred one", too


def spellings(text: str, language: str) -> Iterator[list[str]]:
    """The words, once for each way in which its numbers may be said. Hyphens part words; accents are left out."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = _APOSTROPHES.sub("", plain).translate(_LIGATURES)
    plain = _PER_CENT.sub(f" {_OF_A_HUNDRED.get(language, '')} ", plain)
    ways = _WAYS if _NUMBER.search(plain) else _WAYS[:1]
    for way in ways:
        said = _spelled(plain, language, way)
        if language in _WITHOUT_ACCENTS:  # of the numbers
            said = _ACCENTS.sub("", unicodedata.normalize("NFKD", said))
        words = _MARKS.sub(" ", said).split()
        known = _SPELLINGS.get(language, {})
        yield [known.get(word, word) for word in words]


def _spelled(text: str, language: str, way: str) -> str:
    if language == "en":
        text = _ORDINAL.sub(lambda match: f" {_ordinal(int(match[1]))} ", text)
    return _NUMBER.sub(lambda match: f" {_number(match[0], language, way)} ", text)


def _number(digits: str, language: str, way: str) -> str:
    from num2words import num2words

    plain = _GROUPS.sub("", digits).replace(",", ".")
    try:
        if way == "digits":
            return " ".join(num2words(int(digit), lang=language) for digit in plain if digit.isdigit())
        if way == "year" and plain.isdigit() and len(plain) == 4:
            return without_and(num2words(int(plain), lang=language, to="year"), language)
        return without_and(num2words(float(plain) if "." in plain else int(plain), lang=language), language)
    except (NotImplementedError, OverflowError, ValueError):
        return plain


def _ordinal(number: int) -> str:
    from num2words import num2words

    return str(num2words(number, lang="en", to="ordinal"))


def without_and(words: str, language: str) -> str:
    """A number without the word that some speakers put into it and others do not."""
    joined = _JOINED.get(language)
    return words if joined is None else re.sub(rf"\b{joined}\b", " ", words)
