"""Makes chunks of a document: the stretches of text that an engine speaks one at a time, and the pause after each.

A chunk ends where a sentence ends, if that is possible. Whole sentences of a paragraph are joined until the chunk has
the length that suits the engine. Only a sentence that is far too long is cut inside: after a clause mark, otherwise
between phrases, otherwise between words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import NamedTuple

from narrate.text.brackets import enclosed
from narrate.text.chunking.aligned import AlignedText
from narrate.text.chunking.passages import Passage, passages
from narrate.text.chunking.phrases import cut_points
from narrate.text.chunking.sentences import Break, Rank, sentence_breaks
from narrate.text.document import Chapter, Chunk, Document
from narrate.text.language import is_wide, runs

# Seconds of silence after a chunk, by what ends there: a reader breathes after a clause, stops after a sentence, pauses
# after a paragraph, hardly after the name of a speaker in a play, and gives the listener time to notice that a scene or
# chapter begins.
PAUSES = {Rank.CLAUSE: 0.15, Rank.SENTENCE: 0.3, Rank.INNER: 0.3, Rank.LINE: 0.35}
SPEAKER_PAUSE = 0.3
PARAGRAPH_PAUSE = 0.6
SCENE_PAUSE = 1.0
HEADING_PAUSE = 1.0
CHAPTER_PAUSE = 1.2

OPENING = 6  # so many sentences at the start of a chapter are not joined, so that the first sound comes sooner
CLASSES = 20  # at most so many classes of lengths in a histogram


@dataclass(frozen=True, slots=True)
class Lengths:
    """Characters per chunk that suit an engine: `wide` for Chinese, Japanese and Korean, `narrow` for other writing.

    Sentences are joined until a chunk has about so many. One sentence stays whole if it has up to `stretch` times as
    many. No chunk is ever longer, in `text` or in `spoken`. If `opening` is below 1, the first sentences of a chapter
    are cut to that share of the length: an engine that is slower than speech has each of them ready sooner.
    """

    wide: int = 70
    narrow: int = 240
    stretch: float = 2.0
    opening: float = 1.0

    @classmethod
    def of(cls, max_chars: int) -> Lengths:
        """Return lengths for chunks of at most `max_chars` characters in any writing."""
        return cls(max_chars, max_chars, 1.0)

    @property
    def least(self) -> int:
        """So many characters fit into a chunk of any writing."""
        return min(self.room("").limit, self.room("漢").limit)

    def room(self, text: str) -> Room:
        """Return target and limit for a text, by its writing."""
        target = max(1, self.wide if is_wide(text) else self.narrow)
        return Room(target, max(target, int(target * self.stretch)))


class Room(NamedTuple):
    """Chunks of a paragraph should have `target` characters and may have `limit`."""

    target: int
    limit: int


class Part(NamedTuple):
    """A stretch of a passage that becomes a chunk. `begin` and `end` are offsets in its AlignedText."""

    begin: int
    end: int
    rank: Rank
    language: str


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a document is cut: the arguments of `cut`."""

    lengths: Lengths
    language: str
    mixed: bool
    opening: int


def cut(
    document: Document,
    lengths: Lengths | None = None,
    *,
    language: str | None = None,
    mixed: bool = False,
    opening: int = OPENING,
) -> Iterator[Chunk]:
    """Yield the chunks of a document in reading order. Their `index` counts from 0.

    `language` replaces that of the document. With `mixed`, paragraphs and quotations in another writing have their own
    language. The first `opening` sentences after a heading, or of a chapter without one, are not joined.
    """
    manner = _Manner(lengths or Lengths(), language or document.language or "en", mixed, opening)
    index = paragraphs = 0
    for chapter in document.chapters:
        held: Chunk | None = None
        for passage, aligned, parts in _cut_passages(chapter, manner):
            for number, part in enumerate(parts, 1):
                if held:
                    yield held
                begin, end = aligned.trimmed(part.begin, part.end)
                pause = PAUSES[part.rank] if number < len(parts) else _pause_after(passage)
                held = Chunk(
                    index, chapter.number, chapter.title, *aligned.text_and_sound(begin, end),
                    part.language, pause, *aligned.source(begin, end), paragraphs + passage.number,
                )  # fmt: skip
                index += 1
        if held:
            yield replace(held, pause=CHAPTER_PAUSE)
        paragraphs += len(chapter.paragraphs)


def _pause_after(passage: Passage) -> float:
    if passage.kind == "heading":
        return HEADING_PAUSE
    if passage.scene_ends:
        return SCENE_PAUSE
    if passage.is_speaker:
        return SPEAKER_PAUSE
    return PAUSES[Rank.LINE] if passage.goes_on else PARAGRAPH_PAUSE


def _cut_passages(chapter: Chapter, manner: _Manner) -> Iterator[tuple[Passage, AlignedText, list[Part]]]:
    lengths = manner.lengths
    alone, waiting = manner.opening, manner.opening == OPENING
    for passage in passages(chapter.paragraphs, lambda text: lengths.room(text).target):
        room = lengths.room(passage.text)
        limit = lengths.least if manner.mixed else room.limit
        aligned = AlignedText(passage.spans, limit)
        parts: list[Part] = []
        if passage.kind == "heading":
            alone = manner.opening
            parts += _divide(aligned, 0, [Break(len(aligned), Rank.SENTENCE)], room, manner.language)
        else:
            for begin, breaks, language in _stretches(passage, aligned, manner, alone):
                if manner.mixed:
                    room = lengths.room(aligned.line[begin : breaks[-1].at])
                # The listener waits for the first sentence of a chapter. It is cut even if it only exceeds the target.
                least = Room(room.target, room.target) if waiting else room
                if alone > 0 and lengths.opening < 1:
                    short = max(1, int(room.target * lengths.opening))
                    least = Room(short, short)
                parts += _divide(aligned, begin, breaks, least, language)
                waiting = False
                alone -= 1
        waiting = False
        yield passage, aligned, _gathered(aligned, parts, limit)


def _stretches(
    passage: Passage, aligned: AlignedText, manner: _Manner, alone: int
) -> Iterator[tuple[int, list[Break], str]]:
    """Yield the stretches of a passage that are divided one by one: (begin, breaks up to the end, language).

    The first `alone` stretches are single sentences.
    """
    home = manner.language
    for begin, end, language in runs(aligned.line, home) if manner.mixed else [(0, len(aligned), home)]:
        begin, end = aligned.before(begin), aligned.before(end)
        if begin == end:
            continue
        found = {at + begin: rank for at, rank in sentence_breaks(aligned.line[begin:end], language)}
        for at in aligned.joints if passage.kind == "verse" else ():
            found.setdefault(at, Rank.LINE)
        breaks = [Break(at, found[at]) for at in sorted(found) if begin < at < end and aligned.may_cut(at)]
        breaks.append(Break(end, Rank.SENTENCE))
        first = 0
        for number, each in enumerate(breaks[:-1]):
            if alone <= 0 or passage.kind == "verse":
                break
            if each.rank is Rank.SENTENCE:
                yield begin, breaks[first : number + 1], language
                begin, first, alone = each.at, number + 1, alone - 1
        yield begin, breaks[first:], language


def _divide(aligned: AlignedText, begin: int, breaks: list[Break], room: Room, language: str) -> Iterator[Part]:
    """Cut the text between `begin` and the last break into parts of nearly equal length."""
    end = breaks[-1].at
    brackets: list[tuple[int, int]] | None = None
    turn = 0
    while aligned.size(begin, end) > room.target:
        while breaks[turn].at <= begin:
            turn += 1
        best = _best_break(aligned, begin, breaks, turn, room)
        if best is None and aligned.size(begin, end) <= room.limit:
            break  # only crumbs could be cut off
        if best is None:
            ahead = (breaks[number].at for number in range(turn, len(breaks)))
            stop = next(at for at in ahead if aligned.size(begin, at) > room.limit)
            if brackets is None:
                brackets = enclosed(aligned.line)
            best = Break(_cut_within(aligned, begin, stop, room.limit, language, brackets), Rank.CLAUSE)
        yield Part(begin, best.at, best.rank, language)
        begin = best.at
        if begin == end:
            return
    yield Part(begin, end, Rank.SENTENCE, language)


def _best_break(aligned: AlignedText, begin: int, breaks: list[Break], turn: int, room: Room) -> Break | None:
    """Return the break after the best part from `begin`; None if every part is too long or has too little to say.

    The best part is near to an even share of what is left, not longer than the target, and ends with a sentence.
    """
    end = breaks[-1].at
    total = aligned.size(begin, end)
    share = total / ceil(total / room.target)
    best: Break | None = None
    least = 0.0
    for number in range(turn, len(breaks)):
        at, rank = breaks[number]
        size = aligned.size(begin, at)
        if size > room.limit or (best and size - share > least):
            break
        if aligned.is_crumb(begin, at) or (at < end <= at + 12 and aligned.is_crumb(at, end)):
            continue
        cost = abs(size - share) + max(0, size - room.target) + (rank is not Rank.SENTENCE) * room.target / 3
        if best is None or cost < least:
            best, least = breaks[number], cost
    return best


def _cut_within(
    aligned: AlignedText, begin: int, stop: int, limit: int, language: str, brackets: list[tuple[int, int]]
) -> int:
    """Return where to cut a sentence that is too long, so that its parts have nearly equal length."""
    size = aligned.size(begin, stop)
    share = size // ceil(size / limit)
    ideal, low, high = aligned.reach(begin, share), aligned.reach(begin, share // 2), aligned.reach(begin, limit)
    for found in cut_points(aligned.line, max(low, begin + 1), high, language, brackets):
        allowed = [at for at in found if aligned.may_cut(at)]
        if allowed:
            return min(allowed, key=lambda at: abs(at - ideal))
    return max(aligned.before(high), aligned.after(begin + 1))


def _gathered(aligned: AlignedText, parts: Iterable[Part], limit: int) -> list[Part]:
    """Join parts with too little to say to a neighbour where there is room. Leave out parts with nothing to say."""
    kept: list[Part] = []
    for part in parts:
        last = kept[-1] if kept else None
        if last and aligned.size(last.begin, part.end) <= limit:
            if aligned.is_crumb(part.begin, part.end):
                kept[-1] = Part(last.begin, part.end, part.rank, last.language)
                continue
            if aligned.is_crumb(last.begin, last.end):
                kept[-1] = Part(last.begin, part.end, part.rank, part.language)
                continue
        kept.append(part)
    return [part for part in kept if aligned.has_letters(part.begin, part.end)]


@dataclass(frozen=True, slots=True)
class ChunkStats:
    """What `chunks --stats` shows: the number of chunks, how many end with a sentence or a line, how long they are.

    `histogram` maps the shortest length of each class (in characters of `spoken`) to the number of chunks in it.
    """

    chunks: int
    characters: int
    whole: int
    histogram: dict[int, int] = field(default_factory=dict)

    @property
    def share_whole(self) -> float:
        """The share of chunks (0 to 1) that end with a sentence or a line."""
        return self.whole / self.chunks if self.chunks else 1.0


def stats(chunks: Iterable[Chunk]) -> ChunkStats:
    """Count chunks. A chunk with no more than the pause of a clause after it ends inside a sentence."""
    sizes: list[int] = []
    whole = 0
    for chunk in chunks:
        sizes.append(len(chunk.spoken))
        whole += chunk.pause > PAUSES[Rank.CLAUSE]
    longest = max(sizes, default=0)
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100) if longest < CLASSES * step), 1 + longest // CLASSES)
    histogram = dict.fromkeys(range(0, longest + 1, step), 0)
    for size in sizes:
        histogram[size - size % step] += 1
    return ChunkStats(len(sizes), sum(sizes), whole, histogram)
