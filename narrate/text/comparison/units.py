"""A text as the sounds that are compared."""

from __future__ import annotations

from narrate.text.comparison import chinese, japanese, words

Units = tuple[str, ...]


def units(text: str, language: str) -> list[Units]:
    """The ways in which the text may sound, each a row of kana (ja), of syllables (zh) or of words."""
    if language == "ja":
        return [tuple(reading) for reading in japanese.readings(text)]
    if language == "zh":
        return [tuple(each) for each in chinese.readings(text)]
    return [tuple(each) for each in words.spellings(text, language)]
