"""Finds where sentences end: by their marks in Chinese and Japanese, with sentencex in other languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from narrate.text.brackets import CLOSING, MARKS, OPENING, QUOTES, enclosed
from narrate.text.characters import ELLIPSES, HALFWIDTH_KANA, HAN, KANA, QUOTE_ENDS, SPEECH_ENDS, STOPS, WIDE_STOPS
from narrate.text.chunking.abbreviations import is_abbreviation, last_word
from narrate.text.chunking.phrases import splits_nothing


class Rank(IntEnum):
    """What ends at a break.

    SENTENCE: a sentence. INNER: a sentence inside a quotation, or a quotation before the "she said" that belongs to it.
    LINE: a line of verse. CLAUSE: only a part of a sentence.
    """

    SENTENCE = 0
    INNER = 1
    LINE = 2
    CLAUSE = 3


class Break(NamedTuple):
    """A possible end of a chunk. The next sentence, line or clause begins at the offset `at`."""

    at: int
    rank: Rank


HAN_OR_KANA = re.compile(f"[{HAN}{KANA}{HALFWIDTH_KANA}]+")
_MAY_END = re.compile(f"[{STOPS}{ELLIPSES}{SPEECH_ENDS}]")
_TAIL = "".join(CLOSING) + STOPS + ELLIPSES + " \u3000\n\r\t"
_SPACE = re.compile(r"\s*")


def sentence_breaks(text: str, language: str) -> list[Break]:
    """Return where the sentences of a paragraph end, in order. White space after a sentence belongs to it.

    The last break is the end of the paragraph. Text in Chinese or Japanese writing is cut by its marks, whatever
    `language` says.
    """
    end = Break(len(text), Rank.SENTENCE)
    if not _MAY_END.search(text.rstrip(_TAIL)):
        return [end]  # as in half of the dialogue of a novel
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
_GOES_ON = re.compile(r"って|[とはがをにもでへのやか、，,；;：:]")  # the sentence goes on after a quotation
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
            continue  # this is no speech but the name of a book, or a word in quotation marks
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
    """Return True if the marks text[start:end] can end a sentence."""
    marks, before, after = text[start:end], text[start - 1 : start], text[end : end + 1]
    if _SURE_STOP.search(marks):
        return True
    if marks in SPEECH_ENDS:  # after speech without a full stop comes white space or other speech
        return after.isspace() or after in QUOTES
    if "!" in marks or "?" in marks:
        return not (before.isascii() and before.isalpha() and after.isalnum())  # Yahoo!ニュース
    if len(marks) > 1 or marks in ELLIPSES:  # the voice trails off
        return after.isspace() or after in CLOSING
    if HAN_OR_KANA.match(before):
        return not after.isalnum()
    word = text[max(0, start - 5) : start]
    return not after.isalnum() and bool(_LATIN_WORD.search(word)) and not _LATIN_TITLE.search(word)


def _introduced(text: str, opened: int) -> bool:
    """Return True if the words before a quotation say who speaks, so that none after it do."""
    return text[max(0, opened - 3) : opened].rstrip()[-1:] in tuple("：:，,、")


# --- every other language: sentencex, with its errors mended ----------------------------------------------------------

_BEFORE_NUMBERS = set(
    "No Nos no nos Nr Bd Vol vol Ch ch Chap chap Fig fig Bk Pt Sect p pp n núm Cap cap pág гл рис стр Jan Sept".split()
)
_NUMBER = re.compile(r"\d|(?:[VXLC]|[IVXLC]{2,})\b|I\.")  # I alone is a word: "No. I know."
_COINS = re.compile(r"\d+[ls]")  # after pounds and shillings more coins may follow
_ORDINAL = re.compile(r"(?:^|\s)(?:\d{1,2}|[IVXL]+)\.\s*$")
_LABEL = re.compile(r"\W*(?:\d{1,3}|[IVXLC]{1,6})\.\s*")  # the number of an item in a list
_LEAD_IN = re.compile(r"[\s—–―‒\-\"'“”‘’„«»(\[…]*")
_QUOTE_END = re.compile(r"[\"'”’“»«]\s*$")
_LONG = 100  # characters; a longer speech may have to be cut
_TAG = 60  # characters; a longer sentence is no "she said"
_OVER = f"[{STOPS}{ELLIPSES}][{re.escape(''.join(QUOTE_ENDS))}]*"
_ANSWER = re.compile(rf"(?:^|{_OVER} |[\"'“‘«(\[])No\. (?=I )")  # sentencex takes this I for a Roman numeral
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
    """Yield the ends of sentences inside a speech. sentencex only finds them without the quotation marks."""
    plain = MARKS.sub(" ", text[begin:end])
    for end_of_plain in _segmented(plain, language)[:-1] if plain != text[begin:end] else ():
        at = begin + end_of_plain
        while at > begin + 1 and text[at - 1] in OPENING and text[at - 2].isspace():
            at -= 1
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if begin < at < end and not _runs_on(text, at, language):
            yield at


def _segmented(text: str, language: str) -> list[int]:
    """Return the ends of sentences by sentencex.

    It may panic at U+3000, which raises no Exception but a BaseException, and it guesses at line ends. So it only sees
    ordinary spaces. If it changes the text all the same, marks with a space after them decide.
    """
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
    """Return True if the sentence runs on: after an abbreviation, an initial, or as in "“Who?” she asked"."""
    following = _LEAD_IN.sub("", text[at : at + 16], count=1)
    if following[:1].islower():
        return True
    before = text[max(0, at - 24) : at]
    word = last_word(text, at)
    if not word:
        return False
    if language == "de" and _ORDINAL.search(before):
        return True
    if len(word) == 1 and word.isalpha():
        ending = language == "ru" and word in "дпэ"  # и т. д., и т. п., до н. э.
        return not ending and not (language == "en" and word == "I")
    if is_abbreviation(word, language):
        return True
    if word in _BEFORE_NUMBERS:
        return bool(_NUMBER.match(following))
    return bool(following[:1].isdigit() and _COINS.fullmatch(word))
