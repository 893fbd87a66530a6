"""Makes a text sayable: spans over which a voice would stumble get other words to say. The text itself stays."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from narrate.errors import InputError
from narrate.packages import pip_install
from narrate.text.characters import CLOSERS, HAN_COUNT, STOPS
from narrate.text.document import Document, Paragraph, Span
from narrate.text.spoken import old_kana
from narrate.text.spoken.dictionary import Dictionary, Rule, load_dictionary
from narrate.text.spoken.numerals import numerals
from narrate.text.spoken.sayable import COMMA, Found, in_heading, stumbling
from narrate.text.structure.headings import ROMAN
from narrate.text.structure.numbering import roman_value

__all__ = ["Rule", "SayOptions", "load_dictionary", "normalize"]

SENTENCE = re.compile(f"[^{STOPS}]*[{STOPS}]+[{re.escape(CLOSERS)}]*|[^{STOPS}]+$")
# In plays, a wide space stands between the name of a speaker and the speech.
SPEAKER = re.compile(r"\w{1,8}(\u3000+)(?=[\w（「『…―〽])")
SPELLABLE = ("en", "ja", "zh")
ONLY_NUMBER = re.compile(rf"\W*(\d{{1,3}}|{ROMAN}|[{HAN_COUNT}]+)\W*")
CHAPTER_WORDS = {"en": "Chapter {}", "de": "Kapitel {}", "fr": "Chapitre {}", "es": "Capítulo {}", "pt": "Capítulo {}"}
CHAPTER_WORDS |= {"it": "Capitolo {}", "ru": "Глава {}", "ja": "第{}章", "zh": "第{}章", "ko": "제{}장"}


@dataclass(frozen=True, slots=True)
class SayOptions:
    """How to make a text sayable.

    `rules` are the listener's dictionary and win against all other rules. `wetext` spells out numbers, dates and units.
    With `announce`, a heading that is only a number is said as "Chapter 4".
    """

    rules: tuple[Rule, ...] = ()
    wetext: bool = False
    announce: bool = False


def normalize(document: Document, options: SayOptions | None = None, tally: Counter[Rule] | None = None) -> Document:
    """Give other words to say to every span that needs them. `tally` counts how often each rule was applied.

    Raises InputError if `options.wetext` is set and wetext is not installed.
    """
    options = options or SayOptions()
    spell = _speller(document.language) if options.wetext and document.language in SPELLABLE else None
    dictionary = Dictionary(options.rules, document.language)

    counts: Counter[Rule] = Counter() if tally is None else tally

    old = document.language == "ja" and old_kana.is_old(p.text for c in document.chapters for p in c.paragraphs)

    def sayable(paragraph: Paragraph) -> Paragraph:
        if options.announce and (announced := _announced(paragraph, document.language)):
            return announced
        changed = _sayable(_in_new_kana(paragraph) if old else paragraph, document.language, spell)
        return _ruled(changed, dictionary, document.source, counts) if dictionary else changed

    chapters = tuple(replace(c, paragraphs=tuple(map(sayable, c.paragraphs))) for c in document.chapters)
    return replace(document, chapters=chapters)


def _sayable(paragraph: Paragraph, language: str, spell: Callable[[str], str] | None) -> Paragraph:
    text = paragraph.text
    if not any(map(str.isalnum, text)):
        return replace(paragraph, spans=tuple(replace(span, spoken="") for span in paragraph.spans))
    found: list[Found] = []
    for start, stretch in _stretches(paragraph.spans):
        here = stumbling(stretch, language)
        if of_numbers := numerals(stretch, language):
            here = _merged(here, of_numbers)
        if paragraph.kind == "heading":
            here = _merged(in_heading(stretch, language), here)
        elif language in COMMA and not start and (speaker := SPEAKER.match(stretch)):
            here = _merged([(*speaker.span(1), COMMA[language])], here)
        found += ((start + begin, start + end, said) for begin, end, said in here)
    spans = paragraph.spans
    if found:
        spans = tuple(recut(spans, [(*one, None) for one in found]))
    if spell:
        spans = tuple(_spelled(spans, spell))
    return paragraph if spans is paragraph.spans else replace(paragraph, spans=spans)


def _announced(paragraph: Paragraph, language: str) -> Paragraph | None:
    """Return a heading that is only a number with the word for a chapter to say; None for any other paragraph."""
    text = paragraph.text
    if paragraph.kind != "heading" or language not in CHAPTER_WORDS or not (match := ONLY_NUMBER.fullmatch(text)):
        return None
    number = str(roman_value(match[1])) if match[1].isalpha() and match[1].isascii() else match[1]
    said = CHAPTER_WORDS[language].format(number)
    return replace(paragraph, spans=(Span(text, paragraph.start, paragraph.end, said),))


def _in_new_kana(paragraph: Paragraph) -> Paragraph:
    """Say old spellings, and readings in old spelling, as they were meant."""
    spans = [
        replace(span, spoken=old_kana.modern_reading(span.spoken, span.text)) if span.spoken else span
        for span in paragraph.spans
    ]
    edits = [
        (start + begin, start + end, said, None)
        for start, stretch in _stretches(spans)
        for begin, end, said in old_kana.old_spellings(stretch)
    ]
    return replace(paragraph, spans=tuple(recut(spans, edits)))


def _stretches(spans: Sequence[Span]) -> Iterator[tuple[int, str]]:
    """Yield the text of spans without gaps in the source between them, with its offset in the paragraph."""
    start = 0
    text = spans[0].text
    for before, span in zip(spans, spans[1:], strict=False):
        if before.end != span.start:
            yield start, text
            start, text = start + len(text), ""
        text += span.text
    yield start, text


def _ruled(paragraph: Paragraph, dictionary: Dictionary, source: str, tally: Counter[Rule]) -> Paragraph:
    """Apply the dictionary, which may overrule what other rules say for a word."""
    edits = dictionary.find(paragraph.text)
    if not edits:
        return paragraph
    return replace(paragraph, spans=tuple(recut(paragraph.spans, edits, source, tally)))


def _merged(first: Sequence[Found], second: Sequence[Found]) -> list[Found]:
    """Return all of the first, and those of the second that do not overlap them. Both are in order and disjoint."""
    merged: list[Found] = []
    at = 0
    for one in second:
        while at < len(first) and first[at][1] <= one[0]:
            at += 1
        if at == len(first) or one[1] <= first[at][0]:
            merged.append(one)
    return sorted([*first, *merged]) if merged else list(first)


def recut(
    spans: Sequence[Span],
    edits: Sequence[tuple[int, int, str, Rule | None]],
    source: str = "",
    tally: Counter[Rule] | None = None,
) -> Iterator[Span]:
    """Cut spans so that each edit (start, end, words to say, rule) has a span of its own with these words.

    `start` and `end` are offsets in the paragraph's text. An edit is not made if it would cut a whole span, or if words
    of the `source` between its spans were left out. An edit without a rule does not change what is already said for a
    span. `tally` counts the rules that were applied.
    """
    at = 0
    waiting, todo = deque(spans), deque(edits)
    while waiting:
        span = waiting.popleft()
        end = at + len(span.text)
        while todo and todo[0][0] < at:
            todo.popleft()
        if not todo or todo[0][0] >= end:
            yield span
            at = end
            continue
        start, stop, said, rule = todo.popleft()
        taken = [span]
        while end < stop:
            taken.append(waiting.popleft())
            end += len(taken[-1].text)
        before, after = start - at, end - stop
        if _may_be_said(taken, before, after, source, rule):
            head, middle, tail = _with_words(taken, before, after, said)
            if before:
                yield head
            yield middle
            if after:
                waiting.appendleft(tail)
            if rule and tally is not None:
                tally[rule] += 1
            at = stop
        else:
            yield span
            waiting.extendleft(reversed(taken[1:]))
            at += len(span.text)


def _may_be_said(taken: Sequence[Span], before: int, after: int, source: str, rule: Rule | None) -> bool:
    """Return True if the spans may get other words, but for the first `before` and the last `after` characters."""
    cut = (before and taken[0].whole) or (after and taken[-1].whole)
    if cut or (rule is None and any(span.whole for span in taken)):
        return False
    gaps = "".join(source[one.end : other.start] for one, other in pairwise(taken))
    return not any(map(str.isalnum, gaps))


def _with_words(taken: Sequence[Span], before: int, after: int, said: str) -> tuple[Span, Span, Span]:
    """Cut spans in three: the first `before` characters, a span with the words `said`, the last `after` characters."""
    first, last = taken[0], taken[-1]
    text = "".join(span.text for span in taken)
    start, end = first.start + before, last.end - after
    middle = Span(text[before : len(text) - after], start, end, said)
    return Span(text[:before], first.start, start), middle, Span(text[len(text) - after :], end, last.end)


def _spelled(spans: Sequence[Span], spell: Callable[[str], str]) -> Iterator[Span]:
    """Spell out numbers in the sentences that have digits."""
    for span in spans:
        if span.whole or not re.search(r"\d", span.text):
            yield span
            continue
        for sentence in SENTENCE.finditer(span.text):
            said = spell(sentence[0]) if re.search(r"\d", sentence[0]) else sentence[0]
            start, end = span.start + sentence.start(), span.start + sentence.end()
            yield Span(sentence[0], start, end, said if said != sentence[0] else None)


@cache
def _speller(language: str) -> Callable[[str], str]:
    try:
        from wetext import Normalizer
    except ImportError:
        raise InputError(f"--normalize needs wetext: {pip_install('wetext')}") from None
    spell: Callable[[str], str] = Normalizer(lang=language, operator="tn").normalize
    return spell
