"""Which language a text is in, by its script alone: enough for the languages that do not share one."""

from __future__ import annotations

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


def detect_language(text: str, otherwise: str = "en") -> str:
    """Kana → ja, Hangul → ko, Han without kana → zh, Cyrillic → ru; Latin letters and everything else → `otherwise`.

    A script decides when it is a noticeable part of the letters, so that one foreign name does not turn the book.
    """
    kana = han = hangul = cyrillic = total = 0
    for character in text[:20_000]:
        code = ord(character)
        if code < 0x250:
            total += character.isalpha()
        elif 0x3041 <= code <= 0x30FA or 0xFF66 <= code <= 0xFF9D:
            kana += 1
        elif 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x323AF:
            han += 1
        elif 0xAC00 <= code <= 0xD7A3 or 0x1100 <= code <= 0x11FF or 0x3130 <= code <= 0x318F:
            hangul += 1
        elif 0x400 <= code <= 0x52F:
            cyrillic += 1
        elif character.isalpha():
            total += 1
    total += kana + han + hangul + cyrillic
    if kana > 0.05 * (kana + han) and kana + han > 0.15 * total:
        return "ja"
    if hangul > 0.15 * total:
        return "ko"
    if han > 0.15 * total:
        return "zh"
    if cyrillic > 0.3 * total:
        return "ru"
    return otherwise
