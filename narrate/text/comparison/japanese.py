"""Japanese as kana: how it sounds, whatever characters it is written with.

One reading comes from Open JTalk and one from UniDic. They err in different places (the one reads old numerals, the
other rare verbs), so a text counts as what comes nearer. Folding of long vowels: ほうせい and ほーせー sound alike.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from narrate.text.characters import KATAKANA

_ROWS = {
    "ア": "アカサタナハマヤラワガザダバパャァヮ",
    "イ": "イキシチニヒミリギジヂビピィ",
    "ウ": "ウクスツヌフムユルグズヅブプュゥヴ",
    "エ": "エケセテネヘメレゲゼデベペェ",
    "オ": "オコソトノホモヨロヲゴゾドボポョォ",
}
_VOWEL = {kana: vowel for vowel, row in _ROWS.items() for kana in row}
_LONGER = {("エ", "イ"), ("オ", "ウ")}  # as in ケイ and コウ
_ALIKE = str.maketrans("ヲヅヂ", "オズジ")
_FROM_HIRAGANA = ord("ア") - ord("あ")  # to the katakana of the same sound
_KATAKANA = {code - _FROM_HIRAGANA: code for code in range(ord("ァ"), ord("ヶ") + 1)}
_OTHER = re.compile(f"[^{KATAKANA}]|[ヽヾ]")
_WRITTEN = re.compile(r"[\W_]+")


def readings(text: str) -> list[str]:
    """The text in folded katakana, by each dictionary that is here; each reading once."""
    plain = unicodedata.normalize("NFKC", text)
    found = [fold(reading) for reading in (_open_jtalk(plain), _unidic(plain)) if reading is not None]
    return list(dict.fromkeys(found)) or [fold(plain)]


def fold(kana: str) -> str:
    """Katakana that is equal where the sound is: long vowels as ー, ヲ as オ, ヅ as ズ, ヂ as ジ; nothing else left."""
    text = _OTHER.sub("", kana.translate(_KATAKANA).translate(_ALIKE))
    folded: list[str] = []
    before = ""
    for letter in text:
        vowel = _VOWEL.get(letter, "")
        if letter == "ー" or (letter in _ROWS and before and (letter == before or (before, letter) in _LONGER)):
            if folded and folded[-1] != "ー":
                folded.append("ー")
            continue
        folded.append(letter)
        before = vowel
    return "".join(folded)


def _open_jtalk(text: str) -> str | None:
    try:
        import pyopenjtalk
    except ImportError:
        return None
    return str(pyopenjtalk.g2p(text, kana=True))


def _unidic(text: str) -> str | None:
    tagger = _tagger()
    if tagger is None:
        return None
    return "".join(word.feature.pron or word.surface for word in tagger(_WRITTEN.sub(" ", text)))


@lru_cache(maxsize=1)
def _tagger() -> Any:
    try:
        import fugashi
        import unidic_lite  # noqa: F401

        return fugashi.Tagger()
    except (ImportError, RuntimeError):
        return None
