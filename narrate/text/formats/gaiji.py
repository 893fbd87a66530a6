"""Knows letters that Aozora files only describe: ※［＃…］ (JIS X 0213, Unicode), accents 〔e'〕, ［＃mは上ドット付き］.

Aozora Bunko publishes the notation at https://www.aozora.gr.jp/annotation/.
"""

from __future__ import annotations

import re
import unicodedata

from narrate.text.characters import FULLWIDTH_DIGITS, HAN, KANA_LETTERS

# This sign stands for a letter without a code, as it does in print.
GETA = "〓"
ADDRESS = re.compile(r"(?:^|[、準\s])([12])-(\d{1,2})-(\d{1,2})(?!\d)")
UNICODE = re.compile(r"U\+([0-9A-Fa-f]{4,6})")
ROMAN = re.compile(f"ローマ数字([0-9{FULLWIDTH_DIGITS}]+)")
MARKED_KANA = re.compile(f"(半?濁点)付き(?:平仮名|片仮名|仮名)?「?([{KANA_LETTERS}])」?")
SMALL_KANA = re.compile(f"小書き(?:平仮名|片仮名)?の?「?([{KANA_LETTERS}])」?")
OTHER_FORM = re.compile(f"「([{HAN}])」の(?:正字|旧字|新字|異体字|俗字|略字|本字|別体|草書|古字|古形)")
BRACKETS = {"二重かっこ開く": "｟", "二重かっこ閉じる": "｠", "二重かっこ閉じ": "｠"}

# Accents in ASCII, as Aozora Bunko writes them: the letter, then its mark.
ACCENT = re.compile(r"AE&|ae&|OE&|oe&|[A-Za-z][`'^~:&_,/]|[!?]@")
MARKS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", ":": "\u0308", "&": "\u030a", "_": "\u0304"}
MARKS[","] = "\u0327"
WHOLE = {"AE&": "Æ", "ae&": "æ", "OE&": "Œ", "oe&": "œ", "s&": "ß", "!@": "¡", "?@": "¿"}
WHOLE |= {"O/": "Ø", "o/": "ø", "D/": "Đ", "d/": "đ", "H/": "Ħ", "h/": "ħ", "L/": "Ł", "l/": "ł", "i/": "ɨ", "I/": "Ɨ"}
# l'eau, d'or, qu'un: this is an apostrophe and no accent.
ELISION = re.compile(r"[cdjlmnstuCDJLMNSTU]'(?=[aeiouhyAEIOUHY])")

DOT = re.compile(rf"(?:(前|後)の|([0-9{FULLWIDTH_DIGITS}]+)つめの)?([A-Za-z]+)は(?:ともに)?([上下])ドット付き")
DOTS = {"上": "\u0307", "下": "\u0323"}


def jis(plane: int, row: int, cell: int) -> str | None:
    """Return the character at a position of JIS X 0213 (面-区-点), None if it is empty."""
    if not (1 <= row <= 94 and 1 <= cell <= 94):
        return None
    code = bytes([0xA0 + row, 0xA0 + cell])
    try:
        return (b"\x8f" * (plane - 1) + code).decode("euc_jis_2004")
    except UnicodeDecodeError:
        return None


def by_address(note: str) -> str | None:
    """Return the character whose position in JIS X 0213 or whose Unicode number a note gives, None if it gives none."""
    if (match := UNICODE.search(note)) and (code := int(match[1], 16)) < 0x110000 and not 0xD800 <= code < 0xE000:
        return chr(code)
    for match in ADDRESS.finditer(note):
        if found := jis(*map(int, match.groups())):
            return found
    return None


def resolve(note: str) -> tuple[str, str | None]:
    """Return what the inside of ※［＃…］ looks like, and what is said for it (None: what it looks like)."""
    if found := by_address(note) or BRACKETS.get(note):
        return found, None
    if match := ROMAN.search(note):
        return roman(int(match[1])), None
    if match := MARKED_KANA.search(note):
        mark = "\u309a" if match[1] == "半濁点" else "\u3099"
        return unicodedata.normalize("NFC", match[2] + mark), None
    if match := SMALL_KANA.search(note) or OTHER_FORM.search(note):
        return GETA, match[1]
    return GETA, ""


def roman(number: int) -> str:
    """Return a number in the Roman numerals of Unicode, one sign for each letter."""
    if not 0 < number < 4000:
        return str(number)
    signs = ((1000, "Ⅿ"), (900, "ⅭⅯ"), (500, "Ⅾ"), (400, "ⅭⅮ"), (100, "Ⅽ"), (90, "ⅩⅭ"), (50, "Ⅼ"), (40, "ⅩⅬ"))
    text = ""
    for value, sign in (*signs, (10, "Ⅹ"), (9, "ⅠⅩ"), (5, "Ⅴ"), (4, "ⅠⅤ"), (1, "Ⅰ")):
        text += sign * (number // value)
        number %= value
    return text


def accent(text: str, start: int) -> str | None:
    """Return the letter whose accent is spelled out at text[start:], None if there is none.

    The spelling is as long as the match of `ACCENT` there.
    """
    match = ACCENT.match(text, start)
    if not match or ELISION.match(text, start):
        return None
    if whole := WHOLE.get(match[0]):
        return whole
    letter, mark = match[0][0], MARKS.get(match[0][1:], "")
    composed = unicodedata.normalize("NFC", letter + mark)
    return composed if mark and len(composed) == 1 else None


def dotted(word: str, note: str) -> str | None:
    """Return `word` with the dots that a note such as "mは上ドット付き" describes, None for any other note."""
    letters = list(word)
    for clause in re.split("[、。]", note):
        match = DOT.fullmatch(clause)
        if not match:
            return None
        which, ordinal, wanted, side = match.groups()
        for letter in wanted:
            if ordinal:
                positions = [i for i, other in enumerate(word) if other.lower() == letter.lower()]
                positions = positions[int(ordinal) - 1 : int(ordinal)]
            else:
                positions = [i for i, other in enumerate(word) if other == letter]
            if not positions:
                return None
            position = positions[-1 if which == "後" else 0]
            letters[position] = unicodedata.normalize("NFC", word[position] + DOTS[side])
    return "".join(letters)
