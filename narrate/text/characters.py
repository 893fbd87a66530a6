"""Characters by what they do in a text: marks that end a sentence, a clause or a line, and the letters of each script.

Marks are plain strings and sets. Names in the second half of this file are ranges to be written between [ and ] in a
regular expression: `re.compile(f"[{HAN}{KANA}]")`.
"""

from __future__ import annotations

import re

from narrate.text.brackets import CLOSING, OPENING

# --- marks ------------------------------------------------------------------------------------------------------------

# A sentence ends after each of these, wherever it stands.
WIDE_STOPS = "。｡！？‼⁇⁈⁉"
# These also stand inside numbers, names and abbreviations: 3.14, Yahoo!, Mr. Fox.
NARROW_STOPS = ".．!?"
STOPS = WIDE_STOPS + NARROW_STOPS
# The stops of a cry or a question. A row of them is said as one.
CRIES = "!?！？‼⁇⁈⁉"
# A voice trails off here. More of the sentence may follow.
ELLIPSES = "…‥"
# A voice breaks off here. The shorter – is left out, because it also stands between numbers: 1914–18.
DASHES = "—―─"
COLONS = ":："
SEMICOLONS = ";；"
WIDE_CLAUSE_MARKS = "、，；："
CLAUSE_MARKS = WIDE_CLAUSE_MARKS + ",;:"
# Quotation marks and brackets that only ever close. (“ is left out: it closes in German and opens in English.)
CLOSERS = "".join(sorted(CLOSING - OPENING))
# Marks that close a quotation at the end of a text. There “ cannot open one.
QUOTE_ENDS = CLOSING | {"'"}
# Marks that close speech in Chinese and Japanese, which often has no full stop before them.
SPEECH_ENDS = "」』”〟"

_SENTENCE_ENDS = frozenset(STOPS + ELLIPSES + DASHES) | QUOTE_ENDS
# A line of prose also ends with a colon before speech, or with a flourish: "La la la ♪", "そうだね～".
_LINE_ENDS = _SENTENCE_ENDS | set(COLONS + "~～♪*")


# Characters that steer a terminal instead of being shown in it: the controls of ASCII and of ISO 6429, and those that
# turn the direction of writing around. Line ends and tabs are not among them.
STEERING = "".join(
    map(chr, (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_WITHOUT_STEERING = dict.fromkeys(map(ord, STEERING))


def harmless(text: str) -> str:
    """Return the text without the characters that steer a terminal."""
    return text if text.isprintable() else text.translate(_WITHOUT_STEERING)


def one_line(text: str) -> str:
    """Return a title or a name as it can be shown: in one line, and without the characters that steer a terminal."""
    return " ".join(harmless(" ".join(text.split())).split())


def with_capital(words: str) -> str:
    """Return the words as a sentence begins, the rest as it is."""
    return words[:1].upper() + words[1:]


def well_formed(text: str) -> str:
    """Return a file name or an argument as text: bytes of it that were no UTF-8 become marks of what is missing."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def ends_sentence(text: str) -> bool:
    """Return True if a sentence stops at the end of the text. It may be whole, broken off or quoted."""
    return text[-1:] in _SENTENCE_ENDS


def ends_line(text: str) -> bool:
    """Return True if a paragraph of prose may stop at the end of the line.

    Most lines of a poem, and most lines that an editor broke at a column, stop elsewhere.
    """
    return text[-1:] in _LINE_ENDS


# --- ranges -----------------------------------------------------------------------------------------------------------

# Chinese characters: 々 〆 〇, the common ones, the compatibility forms, and two planes of Unicode kept for rare ones.
HAN = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HAN_DIGITS = "〇一二三四五六七八九"
# Numerals that may be a whole heading. 千 and 万 are left out, because they also stand in names.
HAN_COUNT = "一二三四五六七八九十百"
HAN_NUMERALS = HAN_DIGITS + "十百千万"
HIRAGANA = "\u3041-\u3096ゝゞ"
KATAKANA = "\u30a1-\u30faーヽヾ"
# ぁ to ヺ: these tell Japanese from Chinese. ・ does not, because Chinese writes it in foreign names.
KANA_LETTERS = "\u3041-\u30fa"
# All that a word or a reading in kana consists of: also ・ and ー, and the small ㇰ to ㇿ.
KANA = KANA_LETTERS + "\u30fb-\u30ff\u31f0-\u31ff"
HALFWIDTH_KANA = "\uff66-\uff9f"
BOPOMOFO = "\u3105-\u312f\u31a0-\u31bf"
HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3\uffa0-\uffdc"
# Letters that each stand for a syllable or a word.
WIDE_LETTERS = HAN + KANA + HALFWIDTH_KANA + BOPOMOFO + HANGUL
FULLWIDTH_DIGITS = "\uff10-\uff19"
FULLWIDTH_LETTERS = "\uff21-\uff3a\uff41-\uff5a"
# 〈 to 】 and 〔 to 〟.
WIDE_BRACKETS = "\u3008-\u3011\u3014-\u301f"
# Letters and marks of writing without spaces between words. A line that was broken after one of them is joined
# without a space. Korean is left out, because it has spaces.
UNSPACED = "\u2e80-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\ufe30-\ufe4f\uff01-\uff9f\uffe0-\uffe6" + HAN
# Letters of the languages that put spaces between words.
LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
CYRILLIC = "\u0400-\u052f"
# Nearly all East Asian letters stand at or after this character, and no letter of other languages does.
FIRST_EAST_ASIAN = "\u2e80"
