"""Finds out which language a text is in, by its script. Languages in Latin script are told apart by common words."""

from __future__ import annotations

import re
from collections import Counter

from narrate.text.brackets import QUOTES, enclosed
from narrate.text.characters import CYRILLIC, HALFWIDTH_KANA, HAN, HANGUL, KANA_LETTERS, WIDE_LETTERS

LANGUAGES = {
    "ja": "Japanese",
    "en": "English",
    "zh": "Chinese",
    "ko": "Korean",
    "de": "German",
    "fr": "French",
    "ru": "Russian",
    "pt": "Portuguese",
    "es": "Spanish",
    "it": "Italian",
}
# Languages that no voice speaks, by the codes in which books name them.
UNSPOKEN = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "el": "Greek", "fa": "Persian",
    "fi": "Finnish", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "iw": "Hebrew", "nb": "Norwegian",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "ro": "Romanian", "sv": "Swedish", "ta": "Tamil", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
}  # fmt: skip
_UNSPOKEN_SCRIPTS = {
    "Arabic": re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff]"),
    "Greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "Hebrew": re.compile("[\u0590-\u05ff]"),
    "Hindi": re.compile("[\u0900-\u097f]"),
    "Thai": re.compile("[\u0e00-\u0e7f]"),
}

_WIDE = re.compile(f"[{WIDE_LETTERS}]+")
_SCRIPTS = [re.compile(f"[{letters}]") for letters in (KANA_LETTERS + HALFWIDTH_KANA, HAN, HANGUL, CYRILLIC)]
_WORD = re.compile(r"[^\W\d_]+")
_COMMON_WORDS = {
    "en": "the and of to was that with his had it is not you she they",
    "de": "der die und das nicht ist zu mit sich ein den er ich es war",
    "fr": "le les des et est dans une qui pas du au sur je vous était",
    "es": "el los las y del por con su una como lo pero más había no",
    "it": "il che di non della gli è nel sono un era più con i si",
    "pt": "o os não do da em uma com ao um mas dos na era à",
}
_LANGUAGES_OF = {
    word: [language for language, words in _COMMON_WORDS.items() if word in words.split()]
    for word in " ".join(_COMMON_WORDS.values()).split()
}
# Letters that tell a language if words do not. The first language that has one of the letters is taken.
_TELLING_LETTERS = {
    "de": frozenset("äöüß"), "es": frozenset("ñ¿¡"), "pt": frozenset("ãõ"), "fr": frozenset("éèêëàâçîïôœùû"),
    "it": frozenset("ìò"),
}  # fmt: skip
_ENOUGH_WORDS = 12  # with fewer common words, the vote means nothing
# A quotation with fewer letters has the language of the text around it. True: wide writing.
_QUOTED_LETTERS = {True: 4, False: 10}


def is_wide(text: str) -> bool:
    """Return True for Chinese, Japanese and Korean writing, whose letters are syllables or words."""
    return not text.isascii() and 8 * (len(text) - len(_WIDE.sub("", text))) > len(text)


def runs(text: str, home: str) -> list[tuple[int, int, str]]:
    """Cut a paragraph of a book in the language `home` into stretches (begin, end, language).

    Quotations in another language are stretches of their own.
    """
    main = _language_here(text, home)
    found: list[tuple[int, int, str]] = []
    at = 0
    for begin, end in enclosed(text):
        language = _language_here(text[begin:end], main)
        letters = sum(map(str.isalnum, text[begin:end]))
        if language == main or text[begin] not in QUOTES or letters < _QUOTED_LETTERS[is_wide(text[begin:end])]:
            continue
        if begin > at:
            found.append((at, begin, main))
        found.append((begin, end, language))
        at = end
    if at < len(text) or not found:
        found.append((at, len(text), main))
    return found


def _language_here(text: str, home: str) -> str:
    if not any(map(str.isalpha, text)):
        return home
    if home == "ru" and 4 * len(_SCRIPTS[3].findall(text)) >= sum(map(str.isalpha, text)):
        return home  # a Russian sentence with foreign words in it
    language = detect_language(text, home if home not in ("ja", "zh", "ko", "ru") else _by_letters(text))
    return home if (home, language) == ("ja", "zh") else language  # a Japanese line without kana


def unspoken_language(text: str, declared: str = "") -> str:
    """Return the name of the language of a text if no voice speaks it, "" otherwise.

    `declared` is the code that the book itself gives. Without one, most letters must be in a script of such a language.
    """
    if declared in UNSPOKEN:
        return UNSPOKEN[declared]
    if text[:20_000].isascii():
        return ""
    letters = "".join(filter(str.isalpha, text[:20_000]))
    found = (name for name, script in _UNSPOKEN_SCRIPTS.items() if 2 * len(script.findall(letters)) > len(letters))
    return next(found, "") if declared not in LANGUAGES else ""


def detect_language(text: str, otherwise: str = "en") -> str:
    """Return the code of the text's language, or `otherwise` if neither script nor common words decide.

    Kana means "ja", Hangul "ko", Han without kana "zh", Cyrillic "ru". A script decides if enough of the letters are
    in it: one foreign name does not change the language of a book.
    """
    letters = "".join(filter(str.isalpha, text[:20_000]))
    kana, han, hangul, cyrillic = (len(script.findall(letters)) for script in _SCRIPTS)
    total = len(letters)
    if kana > 0.05 * (kana + han) and kana + han > 0.15 * total:
        return "ja"
    if hangul > 0.15 * total:
        return "ko"
    if han > 0.15 * total:
        return "zh"
    if cyrillic > 0.3 * total:
        return "ru"
    return _by_words(text[:20_000]) or otherwise


def _by_letters(text: str) -> str:
    """Return the language of a few words in Latin script, by their common words, otherwise by their letters."""
    votes = Counter(of for word in _WORD.findall(text) for of in _LANGUAGES_OF.get(word.lower(), ()))
    (best, most), (_, second) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    if most > second:
        return best
    return next((language for language, letters in _TELLING_LETTERS.items() if letters & set(text.lower())), "en")


def _by_words(text: str) -> str | None:
    """Return the language whose common words are much more frequent than those of any other."""
    votes: Counter[str] = Counter()
    for word in _WORD.findall(text):
        votes.update(_LANGUAGES_OF.get(word.lower(), ()))
    ranking = [*votes.most_common(2), ("", 0), ("", 0)]
    (first, most), (_, second) = ranking[:2]
    return first if most >= _ENOUGH_WORDS and most > 1.5 * second else None
