"""Finds what makes a voice stumble, and what to say for it. One pattern finds all kinds; each kind has a function.

Every kind begins with a character that is rare in prose. Searching for these characters first (FIRST) is fast.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from narrate.text.characters import (
    CLAUSE_MARKS,
    CLOSERS,
    CRIES,
    DASHES,
    ELLIPSES,
    FULLWIDTH_DIGITS,
    FULLWIDTH_LETTERS,
    HALFWIDTH_KANA,
    HAN_DIGITS,
    STOPS,
)
from narrate.text.formats.notation import repeated
from narrate.text.structure.headings import LABEL, ROMAN
from narrate.text.structure.numbering import roman_value

Found = tuple[int, int, str]
Say = Callable[[re.Match[str], str], str | None]

DOT = {"ja": "ドット", "zh": "点", "ko": " 닷 ", "de": " Punkt ", "fr": " point ", "es": " punto ", "it": " punto "}
DOT |= {"pt": " ponto ", "ru": " точка ", "en": " dot "}
AT = {"ja": "アット", "ko": " 골뱅이 ", "fr": " arobase ", "es": " arroba ", "it": " chiocciola ", "pt": " arroba "}
AT |= {"ru": " собака "}
COMMA = {"ja": "、", "zh": "，"}
SHAPES = {"○": "まる", "◯": "まる", "〇": "まる", "×": "ばつ", "△": "さんかく", "□": "しかく", "◎": "にじゅうまる"}
SQUARES = {"㈱": "株式会社", "㈲": "有限会社"}
NUMBER = {"en": "number", "de": "Nummer", "fr": "numéro", "es": "número", "it": "numero", "pt": "número", "ru": "номер"}
DEGREES = {"ja": "度", "zh": "摄氏度"}
IN_YEARS = HAN_DIGITS + "十百千年月日"

# Bullets, arrows, boxes, dingbats, emoji, variation selectors, private characters, signs for missing ones.
SYMBOLS = (
    "\u2022\u2023\u2043\u203b\u2190-\u21ff\u2300-\u23ff\u2500-\u25ff\u2600-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3004\u3012\u3013\u3020\u303d"
    "\ufe00-\ufe0f\ufffc\ufffd\ue000-\uf8ff\u200c\u200d\u20e3™®©\U0001f000-\U0001faff\U000e0000-\U000e01ef"
)
LINK = re.compile(
    r"(?P<url>(?:https?://|www\.)[\w./%?&=#~:+@,;!*$'-]*[\w/])"
    r"|(?P<mail>(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)",
    re.ASCII,
)
TROUBLE = re.compile(
    r"(?P<rule>[-=_*~＝＊＿#＃]{4,}|[─━═]{4,}|\*+|`+|^(?:#{1,6}|>+)\s)"
    rf"|(?P<pause>[{ELLIPSES}]+|[{DASHES}]+|・{{2,}}|。{{2,}}|、{{2,}}|-{{2,}}|\.(?: ?\.){{2,}}|–{{2,}})"
    rf"|(?P<cries>[{CRIES}]{{2,}}|[‼⁇⁈⁉])"
    r"|(?P<tilde>[~～〜]{2,}|ー{3,})"
    rf"|(?P<kana>[{HALFWIDTH_KANA}]+)"
    rf"|(?P<wide>[{FULLWIDTH_LETTERS}{FULLWIDTH_DIGITS}]+(?:[．，：][{FULLWIDTH_DIGITS}]+)*)"
    r"|(?P<again>[ゝゞヽヾ〻]|[〳〴]〵?)"
    r"|(?P<shapes>[○◯〇×△□◎]{2,})"
    r"|(?P<roman>[Ⅰ-ⅿ]+)"
    r"|(?P<ring>[①-⑳㉑-㉟㊱-㊿❶-❿])"
    r"|(?P<square>[㈠-㉃㊀-㊰㌀-㏿℃№])"
    r"|(?P<note>[\[［〔]\d{1,3}[\]］〕]|[（(]注\s?\d*[）)])"
    r"|(?P<power>[¹²³⁰-⁹]+)"
    r"|(?P<empty>[（(]\s*[）)])"
    rf"|(?P<symbol>[{SYMBOLS}]+)"
)
FIRST = re.compile(
    rf"[\-.~*=_#`>\[(・。、–～〜ー{CRIES}{ELLIPSES}{DASHES}{HALFWIDTH_KANA}{FULLWIDTH_LETTERS}{FULLWIDTH_DIGITS}"
    rf"ゝゞヽヾ〻〳〴○◯〇×△□◎Ⅰ-ⅿ①-⑳㉑-㉟㊱-㊿❶-❿"
    rf"㈠-㉃㊀-㊰㌀-㏿℃№〔［（¹²³⁰-⁹＝＊＿＃{SYMBOLS}]"
)
HEAD_NUMBER = re.compile(rf"\b(?i:{LABEL})\.?\s+({ROMAN})\b|^\W*({ROMAN})(?=[.:]|\s*$|\s+[—–-])")
# Cries of one letter. Eight of it or more make some voices scream for minutes.
DRAWN_OUT = tuple(
    8 * letter
    for letter in "あいうえおぁぃぅぇぉんっーアイウエオァィゥェォンッ啊哈呵呜嗷哇아하흐ㅋㅎㅠAaEeHhIiMmOoRrSsUuWwZz"
)
CRY = re.compile(r"(\w)\1{7,}")
CRY_LENGTH = 5


def stumbling(text: str, language: str) -> list[Found]:
    """Return (start, end, what to say) wherever a voice should not say the text as it is, in order and disjoint."""
    found = list(_troubles(text, language))
    if "://" in text or "www." in text or "@" in text:
        links = [(*match.span(), _link(match, language)) for match in LINK.finditer(text)]
        found = [one for one in found if not any(start <= one[0] < end for start, end, _ in links)] + links
    if any(map(text.__contains__, DRAWN_OUT)):
        found += ((*match.span(), CRY_LENGTH * match[1]) for match in CRY.finditer(text))
    return sorted(found)


def in_heading(text: str, language: str) -> list[Found]:
    """Return (start, end, what to say) for what only headings have: Roman numerals, and wide spaces as pauses."""
    found = []
    for match in HEAD_NUMBER.finditer(text):
        group = 1 if match[1] else 2
        found.append((*match.span(group), str(roman_value(match[group]))))
    if language in COMMA:
        found += ((*match.span(), COMMA[language]) for match in re.finditer("(?<=\\w)\u3000+(?=\\w)", text))
    return sorted(found)


def _troubles(text: str, language: str) -> Iterator[Found]:
    at = 0
    while hit := FIRST.search(text, at):
        match = TROUBLE.match(text, hit.start())
        at = match.end() if match else hit.end()
        if match:
            said = SAY[match.lastgroup or ""](match, language)
            if said is not None:
                yield match.start(), at, said


def _link(match: re.Match[str], language: str) -> str:
    """Say only the host of an address: example dot com. A mail address is said whole."""
    dot = DOT.get(language, DOT["en"])
    if match["mail"]:
        return match[0].replace("@", AT.get(language, " at ")).replace(".", dot)
    host = re.sub(r"^(?:https?://)?(?:[^/@]*@)?(?:www\.)?", "", match[0])
    return re.split("[/:?#]", host)[0].replace(".", dot)


def _around(match: re.Match[str]) -> tuple[str, str]:
    """Return the characters before and after a match, "" at the ends of the text."""
    start, end = match.span()
    return match.string[max(0, start - 1) : start], match.string[end : end + 1]


def _pause(match: re.Match[str], language: str) -> str | None:
    """Say …… and ―― as a comma between words, and as a full stop before a closing mark, in Chinese and Japanese.

    Beside another mark nothing is said for them. In other languages one sign replaces a row of them.
    """
    before, after = _around(match)
    if language in COMMA:
        if not before or not before.isalnum():
            return ""
        if after and after in STOPS + CLAUSE_MARKS:
            return ""
        return "。" if not after or after in CLOSERS + "\"'" else COMMA[language]
    said = "..." if match[0][0] in "." + ELLIPSES else "—" if match[0][0] in "-–" + DASHES else match[0][0]
    return said if said != match[0] else None


def _cries(match: re.Match[str], language: str) -> str:
    asks = any(sign in "?？⁇⁈⁉" for sign in match[0])
    wide = match[0][0] in "！？" or (language in COMMA and match[0][0] in "‼⁇⁈⁉")
    return ("？" if asks else "！") if wide else "?" if asks else "!"


def _again(match: re.Match[str], language: str) -> str | None:
    """Say marks of iteration: こころ for こゝろ, いろいろ for いろ〳〵, 益々 for 益〻."""
    if match[0] == "〻":
        return "々"
    text = match.string[max(0, match.start() - 12) : match.start()]
    return repeated(text[-1:] if match[0] in "ゝゞヽヾ" else text, voiced=match[0][0] in "ゞヾ〴")


def _shapes(match: re.Match[str], language: str) -> str:
    """Say blanks for letters: まるまるさん for ○○さん. In years, circles are zeros: 二○○八年."""
    before, after = _around(match)
    if set(match[0]) <= set("〇○◯") and ((before and before in IN_YEARS) or (after and after in IN_YEARS)):
        return len(match[0]) * "〇"
    if language == "ja":
        return "".join(SHAPES[sign] for sign in match[0][:4])
    return len(match[0][:2]) * "某" if language == "zh" else ""


def _roman(match: re.Match[str], language: str) -> str:
    letters = unicodedata.normalize("NFKC", match[0]).upper()
    return str(roman_value(letters)) if re.fullmatch("[IVXLC]+", letters) else letters


def _square(match: re.Match[str], language: str) -> str:
    if match[0] == "℃" and language in DEGREES:
        return DEGREES[language]
    if match[0] == "№":
        return NUMBER.get(language, "No.")
    return SQUARES.get(match[0]) or unicodedata.normalize("NFKC", match[0])


def _power(match: re.Match[str], language: str) -> str | None:
    """Leave out a raised number, which belongs to a footnote, unless it follows a unit (m², x³)."""
    word = re.search(r"[^\W\d_]+$", match.string[: match.start()])
    return None if word and len(word[0]) <= 2 else ""


def _symbol(match: re.Match[str], language: str) -> str:
    before, after = _around(match)
    return " " if before.isalnum() and after.isalnum() and before.isascii() else ""


def _silent(match: re.Match[str], language: str) -> str:
    return ""


def _narrow(match: re.Match[str], language: str) -> str:
    return unicodedata.normalize("NFKC", match[0])


SAY: dict[str, Say] = {
    "rule": _silent,
    "pause": _pause,
    "cries": _cries,
    "tilde": lambda match, language: "ーー" if match[0][0] == "ー" else match[0][0],
    "kana": _narrow,
    "wide": _narrow,
    "again": _again,
    "shapes": _shapes,
    "roman": _roman,
    "ring": lambda match, language: str(int(unicodedata.numeric(match[0]))),
    "square": _square,
    "note": _silent,
    "power": _power,
    "empty": _silent,
    "symbol": _symbol,
}
