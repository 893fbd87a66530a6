"""Knows to which characters a 《reading》 belongs and which are no readings, and remembers those of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from narrate.text.characters import (
    BOPOMOFO,
    CYRILLIC,
    FULLWIDTH_DIGITS,
    FULLWIDTH_LETTERS,
    HAN,
    HANGUL,
    HIRAGANA,
    KANA,
    KANA_LETTERS,
    KATAKANA,
    LATIN,
)
from narrate.text.document import Paragraph, Span

# Without ｜, a reading belongs to the run of one script right before it. aozora2html has the same rule.
BASES = tuple(
    re.compile(f"[{script}]+$")
    for script in (
        f"{HAN}ヶヵ〓",
        HIRAGANA,
        KATAKANA,
        f"{FULLWIDTH_LETTERS}{FULLWIDTH_DIGITS}Α-ω{CYRILLIC}",
        f"{LATIN}0-9&'-",
    )
)
HAN_BASE = BASES[0]
IN_KANA = re.compile(f"[{KANA} \u3000]+")
NEITHER_KANA_NOR_HANGUL = re.compile(f"[^{KANA_LETTERS}{HANGUL}]+")
TONE = re.compile(f"[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜ{BOPOMOFO}]")
HONORIFIC = (
    "(?:さん|さま|ちゃん|くん|君|様|氏|殿|先生|嬢|夫人|公|翁|博士|教授|大尉|中尉|少尉|大佐|大将|和尚|坊|姫|兄|姉)"
)
HAN_RUN = re.compile(f"[{HAN}]{{2,}}{HONORIFIC}?")
FOLLOWED = re.compile(HONORIFIC)


def base_length(before: str, only_han: bool = False) -> int:
    """Return to how many characters at the end of `before` a reading after them belongs."""
    for pattern in (HAN_BASE,) if only_han else BASES:
        if match := pattern.search(before[-40:]):
            return len(match[0])
    return 0


def is_reading(reading: str, base: str) -> bool:
    """Return False for emphasis 《・・・》, 《ママ》 ("so in the original"), pinyin and bopomofo, which nobody says."""
    if reading in ("ママ", "ﾏﾏ", "まま", "原") and "母" not in base and "儘" not in base:
        return False
    if NEITHER_KANA_NOR_HANGUL.fullmatch(reading) and TONE.search(reading) and HAN_BASE.fullmatch(base):
        return False
    return any(character.isalnum() and character not in "○●◎" for character in reading)


def remember(paragraphs: Iterable[Paragraph]) -> Iterator[Paragraph]:
    """Let names keep their reading: after 苦沙弥《くしゃみ》先生, 苦沙弥 sounds the same wherever it stands alone.

    A word is a name if it has two or more Chinese characters, if all its readings in the book are the same kana, if it
    has one at its first mention, and if an honorific follows it somewhere. It stands alone if no Chinese character is
    next to it.
    """
    rows = list(paragraphs)
    readings = _names(rows)
    if not readings:
        yield from rows
        return
    name = _any_of(readings)
    for row in rows:
        if any(span.spoken is None and not span.whole and name.search(span.text) for span in row.spans):
            row = replace(row, spans=tuple(part for span in row.spans for part in _with_names(span, name, readings)))
        yield row


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for names with an honorific or no Chinese character after them.

    The pattern does not look at what stands before a name: one that begins with plain words is several times faster.
    """
    longest_first = "|".join(sorted(names, key=len, reverse=True))
    return re.compile(f"(?:{longest_first})(?=(?:{HONORIFIC})|(?![{HAN}]))")


def _names(rows: list[Paragraph]) -> dict[str, str]:
    """Return the names of a book and their readings, by the rule of `remember`."""
    first: dict[str, int] = {}
    found: dict[str, set[str]] = {}
    honoured: set[str] = set()
    for row in rows:
        for span, after in zip(row.spans, (*row.spans[1:], None), strict=True):
            if span.spoken and len(span.text) > 1 and HAN_BASE.fullmatch(span.text):
                found.setdefault(span.text, set()).add(span.spoken)
                first.setdefault(span.text, span.start)
                if after and after.start == span.end and FOLLOWED.match(after.text):
                    honoured.add(span.text)
    once = {base: min(said) for base, said in found.items() if len(said) == 1 and IN_KANA.fullmatch(min(said))}
    plain = [span for row in rows for span in row.spans if span.spoken is None]
    alone: set[str] = set()
    for run in set(HAN_RUN.findall("\n".join(span.text for span in plain))):
        for length in range(2, min(len(run), 8) + 1):
            if (base := run[:length]) in once:
                rest = run[length:]
                honoured.update([base] if FOLLOWED.match(rest) else [])
                alone.update([base] if not rest or FOLLOWED.match(rest) else [])
    names = {base: said for base, said in once.items() if base in honoured and base in alone}
    return {base: said for base, said in names.items() if not _mentioned_before(base, first[base], plain)}


def _mentioned_before(base: str, first: int, plain: list[Span]) -> bool:
    """Return True if a word stands without a reading before it stands with one."""
    for span in plain:
        if span.start >= first:
            return False
        if base in span.text:
            return True
    return False


def _with_names(span: Span, name: re.Pattern[str], readings: dict[str, str]) -> Iterator[Span]:
    if span.whole:
        yield span
        return
    at = 0
    for match in name.finditer(span.text):
        start, end = match.span()
        if start and HAN_BASE.match(span.text[start - 1]):
            continue
        if start > at:
            yield Span(span.text[at:start], span.start + at, span.start + start)
        yield Span(match[0], span.start + start, span.start + end, readings[match[0]])
        at = end
    if at < len(span.text):
        yield Span(span.text[at:], span.start + at, span.end)
