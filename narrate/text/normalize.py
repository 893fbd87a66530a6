"""Make a text sayable: pieces that a voice would stumble over get other words to say. What is seen never changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from narrate.errors import InputError
from narrate.text.dictionary import Dictionary, Rule, load_dictionary
from narrate.text.document import Document, Paragraph, Piece
from narrate.text.sayable import Found, in_heading, stumbling

__all__ = ["Rule", "SayOptions", "load_dictionary", "normalize"]

SENTENCE = re.compile("[^.。！？!?]*[.。！？!?]+[」』”’)）]*|[^.。！？!?]+$")
SPELLABLE = ("en", "ja", "zh")


@dataclass(frozen=True, slots=True)
class SayOptions:
    """`rules`: the listener's dictionary, which has the last word; `wetext`: spell out numbers, dates and units."""

    rules: tuple[Rule, ...] = ()
    wetext: bool = False


def normalize(document: Document, options: SayOptions | None = None, tally: Counter[Rule] | None = None) -> Document:
    """Give every piece that needs it its own words to say; `tally` counts how often each rule was applied.

    Raises InputError if `options.wetext` is asked for and not installed.
    """
    options = options or SayOptions()
    spell = _speller(document.language) if options.wetext and document.language in SPELLABLE else None
    dictionary = Dictionary(options.rules, document.language)

    def sayable(paragraph: Paragraph) -> Paragraph:
        return _sayable(paragraph, document.language, dictionary, spell, tally if tally is not None else Counter())

    chapters = tuple(replace(c, paragraphs=tuple(map(sayable, c.paragraphs))) for c in document.chapters)
    return replace(document, chapters=chapters)


def _sayable(
    paragraph: Paragraph,
    language: str,
    dictionary: Dictionary,
    spell: Callable[[str], str] | None,
    tally: Counter[Rule],
) -> Paragraph:
    text = paragraph.text
    ruled = dictionary.find(text) if dictionary else []
    if not ruled and not any(map(str.isalnum, text)):
        return replace(paragraph, pieces=tuple(piece._replace(spoken="") for piece in paragraph.pieces))
    found = stumbling(text, language)
    if paragraph.kind == "heading":
        found = _merged(in_heading(text, language), found)
    pieces = paragraph.pieces
    if found:
        pieces = tuple(recut(pieces, [(*one, None) for one in found]))
    if spell:
        pieces = tuple(_spelled(pieces, spell))
    if ruled:
        pieces = tuple(recut(pieces, ruled, tally))
    return paragraph if pieces is paragraph.pieces else replace(paragraph, pieces=pieces)


def _merged(first: Sequence[Found], second: Sequence[Found]) -> list[Found]:
    """Both, without those of the second that overlap the first."""
    free = [one for one in second if all(one[1] <= other[0] or other[1] <= one[0] for other in first)]
    return sorted([*first, *free])


def recut(
    pieces: Sequence[Piece], edits: Sequence[tuple[int, int, str, Rule | None]], tally: Counter[Rule] | None = None
) -> Iterator[Piece]:
    """Make pieces of their own of the places that are said otherwise: start and end in the paragraph's text, the words.

    A place whose edge lies inside a piece that must not be cut stays as it is; without a rule (which has the last
    word) so does one that already has its own words.
    """
    at = 0
    todo = list(reversed(edits))
    row = list(reversed(pieces))
    while row:
        piece = row.pop()
        end = at + len(piece.text)
        while todo and todo[-1][0] < at:
            todo.pop()
        if not todo or todo[-1][0] >= end:
            yield piece
            at = end
            continue
        start, stop, said, rule = todo.pop()
        taken = [piece]
        while end < stop:
            taken.append(row.pop())
            end += len(taken[-1].text)
        first, last = taken[0], taken[-1]
        cuts = (first.whole and start > at) or (last.whole and stop < end)
        if cuts or (rule is None and any(part.whole for part in taken)):
            yield first
            row.extend(reversed(taken[1:]))
            at += len(first.text)
            continue
        begin = first.start + start - at
        finish = last.end - (end - stop)
        if start > at:
            yield Piece(first.text[: start - at], first.start, begin)
        yield Piece("".join(part.text for part in taken)[start - at : stop - at], begin, finish, said)
        if rule and tally is not None:
            tally[rule] += 1
        if stop < end:
            row.append(Piece(last.text[len(last.text) - (end - stop) :], finish, last.end))
        at = stop


def _spelled(pieces: Sequence[Piece], spell: Callable[[str], str]) -> Iterator[Piece]:
    """Spell out the sentences that hold digits."""
    for piece in pieces:
        if piece.whole or not re.search(r"\d", piece.text):
            yield piece
            continue
        for sentence in SENTENCE.finditer(piece.text):
            said = spell(sentence[0]) if re.search(r"\d", sentence[0]) else sentence[0]
            start, end = piece.start + sentence.start(), piece.start + sentence.end()
            yield Piece(sentence[0], start, end, said if said != sentence[0] else None)


@cache
def _speller(language: str) -> Callable[[str], str]:
    try:
        from wetext import Normalizer
    except ImportError:
        raise InputError("--normalize needs wetext: pip install 'narrate-aloud[normalize]'") from None
    spell: Callable[[str], str] = Normalizer(lang=language, operator="tn").normalize
    return spell
