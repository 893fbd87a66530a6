"""How long speech takes: seconds for a text, by its writing. Rough: to plan, to cap and to judge takes."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache

from narrate.text.characters import (
    BOPOMOFO,
    CLAUSE_MARKS,
    DASHES,
    ELLIPSES,
    HALFWIDTH_KANA,
    HAN,
    HANGUL,
    KANA,
    STOPS,
)
from narrate.text.document import Chunk

# Seconds a character takes, fitted to chunks of real books in the embedded voices. Japanese reads a Han character as
# two syllables, Chinese as one. A mark is a pause, be it a comma's or a full stop's.
SECONDS = {"kana": 0.115, "hangul": 0.16, "letter": 0.063, "digit": 0.27, "mark": 0.22, "silent": 0.0}
HAN_SECONDS = {"ja": 0.21}
OTHER_HAN_SECONDS = 0.25
LONGEST = 3.5  # times the expected length, plus a few seconds: slow, dramatic speech passes, murmur does not
LONGEST_EXTRA = 4.0
MARKS = frozenset(STOPS + CLAUSE_MARKS + ELLIPSES + DASHES)
SCRIPTS = {
    "han": re.compile(f"[{HAN}{BOPOMOFO}]"),
    "kana": re.compile(f"[{KANA}{HALFWIDTH_KANA}]"),
    "hangul": re.compile(f"[{HANGUL}]"),
}


def letters(text: str) -> int:
    """How many letters and digits of any script `text` holds: what a voice can say."""
    return sum(character.isalnum() for character in text)


@lru_cache(maxsize=8192)  # engines weigh what waits many times in a second
def expected_seconds(spoken: str, language: str) -> float:
    """Seconds a calm reader needs for `spoken`, never below 0.3.

    Of chunks of four novels in the embedded voices, nine in ten come within a fifth of it, all within a third.
    """
    seconds = {**SECONDS, "han": HAN_SECONDS.get(language, OTHER_HAN_SECONDS)}
    kinds = Counter(map(_kind, spoken))
    return max(0.3, sum(count * seconds[kind] for kind, count in kinds.items()))


def longest_seconds(spoken: str, language: str) -> float:
    """No good take of `spoken` is longer than this."""
    return LONGEST * expected_seconds(spoken, language) + LONGEST_EXTRA


@cache
def _kind(character: str) -> str:
    if not character.isalnum():
        return "mark" if character in MARKS else "silent"
    if character.isdigit():
        return "digit"
    return next((kind for kind, script in SCRIPTS.items() if script.match(character)), "letter")


def chunk_seconds(chunk: Chunk) -> float:
    """How long the chunk's sound will be, about."""
    return expected_seconds(chunk.spoken, chunk.language)
