"""Characters by what they do in a text: marks that end a sentence, a clause or a line, and the letters of each script.

Marks are plain strings and sets. Names in the second half of this file are ranges to be written between [ and ] in a
regular expression: `re.compile(f"[{HAN}{KANA}]")`.
"""

from __future__ import annotations

from narrate.text.brackets import CLOSING, OPENING

# --- marks ------------------------------------------------------------------------------------------------------------

# A sentence ends after each of these, wherever it stands.
WIDE_STOPS = "。｡！？‼⁇⁈⁉"
# These also stand inside numbers, names and abbreviations: 3.14, Yahoo!, Mr. Fox.
NARROW_STOPS = ".．!?"
STOPS = WIDE_STOPS + NARROW_STOPS
# The stops that cry or ask; several of them are said as one.
CRIES = "!?！？‼⁇⁈⁉"
# A voice trails off here. More of the sentence may follow.
ELLIPSES = "…‥"
# A voice breaks off here. The shorter – is no part of this: it also stands between numbers, as in 1914–18.
DASHES = "—―─"
COLONS = ":："
SEMICOLONS = ";；"
WIDE_CLAUSE_MARKS = "、，；："
CLAUSE_MARKS = WIDE_CLAUSE_MARKS + ",;:"
# Quotation marks and brackets that close in every language. (“ closes a quotation in German and opens one in English.)
CLOSERS = "".join(sorted(CLOSING - OPENING))
# Marks that close a quotation at the end of a text, where nothing can be opened any more.
QUOTE_ENDS = CLOSING | {"'"}
# Corner brackets and their like: what they close may be speech without a full stop.
SPEECH_ENDS = "」』”〟"

_SENTENCE_ENDS = frozenset(STOPS + ELLIPSES + DASHES) | QUOTE_ENDS
# A line of prose also ends with a colon before speech, or with a flourish: "La la la ♪", "そうだね～".
_LINE_ENDS = _SENTENCE_ENDS | set(COLONS + "~～♪*")


def ends_sentence(text: str) -> bool:
    """True if the text stops where a sentence stops, be it whole, broken off or quoted."""
    return text[-1:] in _SENTENCE_ENDS


def ends_line(text: str) -> bool:
    """True if a line of prose may stop here. Most lines of verse, and lines broken at a column, stop elsewhere."""
    return text[-1:] in _LINE_ENDS


# --- ranges -----------------------------------------------------------------------------------------------------------

# Chinese characters, with 々 〆 〇, the compatibility forms, and both planes of Unicode that hold nothing else.
HAN = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HAN_DIGITS = "〇一二三四五六七八九"
# What counts chapters and verses. Larger numbers need 千 and 万, which also stand in names.
HAN_COUNT = "一二三四五六七八九十百"
HAN_NUMERALS = HAN_DIGITS + "十百千万"
HIRAGANA = "\u3041-\u3096ゝゞ"
KATAKANA = "\u30a1-\u30faーヽヾ"
# ぁ to ヺ. Tells Japanese from Chinese, where ・ stands in foreign names.
KANA_LETTERS = "\u3041-\u30fa"
# With ・ and ー, which belong to a word and its reading, and the small ㇰ to ㇿ.
KANA = KANA_LETTERS + "\u30fb-\u30ff\u31f0-\u31ff"
HALFWIDTH_KANA = "\uff66-\uff9f"
BOPOMOFO = "\u3105-\u312f\u31a0-\u31bf"
HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3\uffa0-\uffdc"
# Letters that stand for a syllable or a word each.
WIDE_LETTERS = HAN + KANA + HALFWIDTH_KANA + BOPOMOFO + HANGUL
FULLWIDTH_DIGITS = "\uff10-\uff19"
FULLWIDTH_LETTERS = "\uff21-\uff3a\uff41-\uff5a"
# 〈 to 】 and 〔 to 〟.
WIDE_BRACKETS = "\u3008-\u3011\u3014-\u301f"
# Everything printed without a space between words, marks as well: a line broken here is joined without a space. Korean
# has spaces and is not in it.
UNSPACED = "\u2e80-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\ufe30-\ufe4f\uff01-\uff9f\uffe0-\uffe6" + HAN
# Letters of the languages that put spaces between words.
LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
CYRILLIC = "\u0400-\u052f"
# No letter of these languages stands at or after this character; nearly all East Asian ones do.
FIRST_EAST_ASIAN = "\u2e80"
