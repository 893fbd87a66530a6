"""From a document to chunks: the pieces of text that an engine speaks one at a time, and the pause after each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from narrate.text.document import Chunk, Document

CLAUSE_PAUSE = 0.15
SENTENCE_PAUSE = 0.3
VERSE_PAUSE = 0.35
PARAGRAPH_PAUSE = 0.6
HEADING_PAUSE = 1.0
CHAPTER_PAUSE = 1.2

_SENTENCE = re.compile(r"[^。！？!?.]*[。！？!?.]*[」』）”’\"')]*\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Characters per chunk that suit an engine: `wide` for Chinese, Japanese and Korean, `narrow` for other scripts.

    Whole sentences are joined up to that; a sentence longer than that stays whole up to `stretch` times as long.
    """

    wide: int = 70
    narrow: int = 240
    stretch: float = 2.0

    @classmethod
    def of(cls, max_chars: int) -> Lengths:
        """Never more than `max_chars` characters, in any script."""
        return cls(max_chars, max_chars, 1.0)


def cut(
    document: Document, lengths: Lengths | None = None, *, language: str | None = None, mixed: bool = False
) -> Iterator[Chunk]:
    """The chunks of a document in reading order, made as they are asked for; `index` counts from 0.

    `language` overrides the document's; `mixed` gives each paragraph or quotation in another script its own language.
    """
    del mixed
    lengths = lengths or Lengths()
    index = number = 0
    for chapter in document.chapters:
        for paragraph in chapter.paragraphs:
            at = 0
            text = paragraph.text
            start = paragraph.pieces[0].start
            for sentence in _SENTENCE.findall(text):
                for begin in range(0, len(sentence), lengths.narrow):
                    part = sentence[begin : begin + lengths.narrow]
                    if any(map(str.isalnum, part)):
                        first, last = start + at + begin, start + at + begin + len(part)
                        words = part.strip()
                        yield Chunk(
                            index, chapter.number, chapter.title, words, words, language or document.language or "en",
                            SENTENCE_PAUSE, first, last, number,
                        )  # fmt: skip
                        index += 1
                at += len(sentence)
            number += 1


@dataclass(frozen=True, slots=True)
class Stats:
    """`chunks --stats`: how many chunks, how many end where a sentence ends, and how long they are.

    `histogram` maps the lower bound of a length class (characters of `spoken`, ten to a class) to its count.
    """

    chunks: int
    characters: int
    whole: int
    histogram: dict[int, int]

    @property
    def share_whole(self) -> float:
        return self.whole / self.chunks if self.chunks else 1.0


def stats(chunks: Iterator[Chunk]) -> Stats:
    """Count chunks; one that is followed by no more than a clause's pause ends inside a sentence."""
    histogram: dict[int, int] = {}
    number = characters = whole = 0
    for chunk in chunks:
        number += 1
        characters += len(chunk.spoken)
        whole += chunk.pause > CLAUSE_PAUSE
        step = len(chunk.spoken) // 10 * 10
        histogram[step] = histogram.get(step, 0) + 1
    return Stats(number, characters, whole, dict(sorted(histogram.items())))
