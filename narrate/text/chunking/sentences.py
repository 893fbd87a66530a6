"""Where a paragraph's sentences end: Chinese and Japanese by their marks, other languages by sentencex, repaired."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from narrate.text.brackets import CLOSING, MARKS, OPENING, QUOTES, enclosed
from narrate.text.characters import ELLIPSES, HALFWIDTH_KANA, HAN, KANA, QUOTE_ENDS, SPEECH_ENDS, STOPS, WIDE_STOPS
from narrate.text.chunking.phrases import splits_nothing


class Rank(IntEnum):
    """How much of a stop a place is. SENTENCE: a sentence ends. INNER: one ends within a quotation, or between a
    quotation and the "she said" that belongs to it. LINE: a line of verse ends. CLAUSE: none of these."""

    SENTENCE = 0
    INNER = 1
    LINE = 2
    CLAUSE = 3


class Break(NamedTuple):
    """The next sentence begins at `at`."""

    at: int
    rank: Rank


HAN_OR_KANA = re.compile(f"[{HAN}{KANA}{HALFWIDTH_KANA}]+")
_MAY_END = re.compile(f"[{STOPS}{ELLIPSES}{SPEECH_ENDS}]")
_TAIL = "".join(CLOSING) + STOPS + ELLIPSES + " \u3000\n\r\t"
_SPACE = re.compile(r"\s*")


def sentence_breaks(text: str, language: str) -> list[Break]:
    """Where each sentence of one paragraph ends, in order, each with the white space after it; the last is its end.

    `language` matters for texts that are not in Chinese or Japanese writing, whatever the book is in.
    """
    end = Break(len(text), Rank.SENTENCE)
    if not _MAY_END.search(text.rstrip(_TAIL)):
        return [end]  # half of a novel's dialogue
    letters = len(text) - len(HAN_OR_KANA.sub("", text))
    if 8 * letters > len(text) or "。" in text:
        find = _wide_breaks(text)
    else:
        find = _narrow_breaks(text, "en" if language in ("ja", "zh") else language)
    return [*(each for each in find if splits_nothing(text, each.at)), end]


# --- Chinese and Japanese ---------------------------------------------------------------------------------------------

_WIDE_MARKS = re.compile(f"[{STOPS}{ELLIPSES}]+|[{SPEECH_ENDS}]")
_SURE_STOP = re.compile(f"[{WIDE_STOPS}]")
_LATIN_WORD = re.compile(r"[a-z]{2}$")
_LATIN_TITLE = re.compile(r"\b(?:[MDS][rst]|Mrs|Prof)$")
_GOES_ON = re.compile(r"って|[とはがをにもでへのやか、，,；;：:]")  # after a quotation or !?: the sentence goes on
_AFTER_CRY = re.compile(r"って|[と、，,；;]")


def _wide_breaks(text: str) -> Iterator[Break]:
    spans = enclosed(text)
    starts = {start for start, _ in spans}
    turn = begin = 0
    for match in _WIDE_MARKS.finditer(text):
        if match.start() < begin or not _may_end(text, match.start(), match.end()):
            continue
        after = match.end()
        while text[after : after + 1] in CLOSING and after not in starts:
            after += 1
        while turn < len(spans) and spans[turn][1] < after:
            turn += 1
        at = _SPACE.match(text, after).end()  # type: ignore[union-attr]
        inside = turn < len(spans) and spans[turn][0] < after < spans[turn][1]
        closed = turn < len(spans) and spans[turn][1] == after
        opened = spans[turn][0] if closed else 0
        if match[0] in SPEECH_ENDS and not (closed and opened <= begin and text[opened] in QUOTES):
            continue  # the name of a book, a word in quotation marks: no speech
        rank = Rank.INNER if inside else Rank.SENTENCE
        if closed and at == after and text[at : at + 1] not in OPENING:
            if _GOES_ON.match(text, at) or (opened > begin and not _introduced(text, opened)):
                continue
            rank = Rank.SENTENCE if opened > begin else Rank.INNER
        elif not inside and "。" not in match[0] and _AFTER_CRY.match(text, at):
            continue
        yield Break(at, rank)
        if rank is Rank.SENTENCE:
            begin = at


def _may_end(text: str, start: int, end: int) -> bool:
    """True if the marks text[start:end] are such as end a sentence where they stand."""
    marks, before, after = text[start:end], text[start - 1 : start], text[end : end + 1]
    if _SURE_STOP.search(marks):
        return True
    if marks in SPEECH_ENDS:  # speech without a full stop: then comes white space or another speech
        return after.isspace() or after in QUOTES
    if "!" in marks or "?" in marks:
        return not (before.isascii() and before.isalpha() and after.isalnum())  # Yahoo!ニュース
    if len(marks) > 1 or marks in ELLIPSES:  # trailing off
        return after.isspace() or after in CLOSING
    if HAN_OR_KANA.match(before):
        return not after.isalnum()
    word = text[max(0, start - 5) : start]
    return not after.isalnum() and bool(_LATIN_WORD.search(word)) and not _LATIN_TITLE.search(word)


def _introduced(text: str, opened: int) -> bool:
    """True if the words before a quotation say who speaks: then none follow it."""
    return text[max(0, opened - 3) : opened].rstrip()[-1:] in tuple("：:，,、")


# --- every other language: sentencex, and what it gets wrong ----------------------------------------------------------

# Abbreviations that sentencex 1.0 takes for the end of a sentence, by language.
_TITLES = {
    "de": "Hrn Frl Dipl Bd Jh geb Hrsg Kap Abb Abg",
    "en": "Dr",
    "es": "Sras Dña Cnel Pbro Mons Hno",
    "fr": "Mme Mmes Mlle Mlles Dr Pr Mgr St Ste MM",
    "it": "Mons Cav Comm",
    "pt": "Srta Profa Exa Exma Cel Cap Des Pe Fr",
    "ru": "им рис ср ген Св св кн",
}
_BEFORE_NUMBERS = set(
    "No Nos no nos Nr Bd Vol vol Ch ch Chap chap Fig fig Bk Pt Sect p pp n núm Cap cap pág гл рис стр Jan Sept".split()
)
_NUMBER = re.compile(r"\d|(?:[VXLC]|[IVXLC]{2,})\b|I\.")  # a lone I is a word: "No. I know."
_COINS = re.compile(r"\d+[ls]")  # pounds and shillings: more may follow
_LAST_WORD = re.compile(r"([^\W_]+)\.\s*$")
_ORDINAL = re.compile(r"(?:^|\s)(?:\d{1,2}|[IVXL]+)\.\s*$")
_LABEL = re.compile(r"\W*(?:\d{1,3}|[IVXLC]{1,6})\.\s*")  # of what it stands before, in a list
_LEAD_IN = re.compile(r"[\s—–―‒\-\"'“”‘’„«»(\[…]*")
_QUOTE_END = re.compile(r"[\"'”’“»«]\s*$")
_LONG = 100  # characters: what is longer may have to be cut within
_TAG = 60  # characters: what is longer than that is no "she said"
_OVER = f"[{STOPS}{ELLIPSES}][{re.escape(''.join(QUOTE_ENDS))}]*"
_ANSWER = re.compile(rf"(?:^|{_OVER} |[\"'“‘«(\[])No\. (?=I )")  # sentencex takes this I for a number
_BY_MARKS = re.compile(rf"(?s:.)+?(?:{_OVER}\s+|\Z)")
_ODD_SPACE = re.compile(r"[^\S ]")


def _narrow_breaks(text: str, language: str) -> Iterator[Break]:
    ends = [_SPACE.match(text, at).end() for at in _segmented(text, language)]  # type: ignore[union-attr]
    spans = enclosed(text) if len(ends) > 1 else []
    turn = begin = 0
    for number, at in enumerate(ends):
        if at - begin > _LONG:
            yield from (Break(each, Rank.INNER) for each in _quoted_ends(text, begin, at, language))
        label = _LABEL.fullmatch(text, begin, at)
        begin = at
        if label or at == len(text) or _runs_on(text, at, language):
            continue
        while turn < len(spans) and spans[turn][1] <= at:
            turn += 1
        inside = turn < len(spans) and spans[turn][0] < at
        quoted = _QUOTE_END.search(text, max(0, at - 8), at)
        tagged = quoted and text[at] not in OPENING and ends[number + 1] - at <= _TAG
        tagged = tagged and not (turn and _introduced(text, spans[turn - 1][0]))
        yield Break(at, Rank.INNER if inside or tagged else Rank.SENTENCE)


def _quoted_ends(text: str, begin: int, end: int, language: str) -> Iterator[int]:
    """The ends within a speech, which sentencex takes for one sentence: found by it with the marks left out."""
    plain = MARKS.sub(" ", text[begin:end])
    for end_of_plain in _segmented(plain, language)[:-1] if plain != text[begin:end] else ():
        at = begin + end_of_plain
        while at > begin + 1 and text[at - 1] in OPENING and text[at - 2].isspace():
            at -= 1
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if begin < at < end and not _runs_on(text, at, language):
            yield at


def _segmented(text: str, language: str) -> list[int]:
    """Ends by sentencex. With U+3000 it can panic (which is no Exception), at line ends it guesses: it gets neither."""
    import sentencex

    blank = _ODD_SPACE.sub(" ", text)
    try:
        parts: list[str] = sentencex.segment(language, blank)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        parts = []
    if "".join(parts) != blank:
        parts = _BY_MARKS.findall(blank)
    ends = list(accumulate(map(len, parts)))
    if language == "en" and "No. I " in blank:
        ends = sorted({*ends, *(match.end() for match in _ANSWER.finditer(blank))})
    return ends


def _runs_on(text: str, at: int, language: str) -> bool:
    """True if what sentencex took for an end is none: an abbreviation, an initial, "“Who?” she asked"."""
    following = _LEAD_IN.sub("", text[at : at + 16], count=1)
    if following[:1].islower():
        return True
    before = text[max(0, at - 24) : at]
    word = _LAST_WORD.search(before)
    if not word:
        return False
    if language == "de" and _ORDINAL.search(before):
        return True
    if len(word[1]) == 1 and word[1].isalpha():
        ending = language == "ru" and word[1] in "дпэ"  # и т. д., и т. п., до н. э.
        return not ending and not (language == "en" and word[1] == "I")
    titles = _TITLES.get(language, "").split()
    if word[1] in _BEFORE_NUMBERS:
        return bool(_NUMBER.match(following))
    return word[1] in titles or bool(following[:1].isdigit() and _COINS.fullmatch(word[1]))
