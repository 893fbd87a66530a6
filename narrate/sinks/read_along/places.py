"""Where the text of a book stands on the pages of its EPUB: each letter of each paragraph is found again."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from narrate.errors import InputError
from narrate.sinks.read_along.elements import XmlFile
from narrate.sinks.read_along.sentences import Stretch
from narrate.text.document import Document, Paragraph

FARTHEST = 20_000  # letters from where a paragraph is expected; unchosen chapters may lie between
BEHIND, AHEAD = 60, 400  # letters around a paragraph that is not on the page as it was read
PIECE = 1000  # letters of such a paragraph that are looked for at once
ENOUGH = 0.8  # of its letters must be found then


class PageRange(NamedTuple):
    """The characters first … last - 1 of the page of this number."""

    page: int
    first: int
    last: int


class _Placed(NamedTuple):
    """A paragraph: the offset of each letter in its text, and the number of that letter in the whole book."""

    text: str
    offsets: array[int]
    letters: array[int]


class Places:
    """The letters of all pages in the order of the book, and where the paragraphs of a document are among them.

    The reader wrote the document's source from the same pages in the same order, with what is not said, so that each
    paragraph is expected right behind the one before it and what lies between. Raises `InputError` if one is not found.
    """

    def __init__(self, pages: Sequence[XmlFile], document: Document) -> None:
        self._pages = pages
        self._starts: list[int] = []  # of each page among the letters
        self._characters = array("L")  # of its page, for each letter
        parts: list[str] = []
        for page in pages:
            self._starts.append(len(self._characters))
            kept = [at for at, character in enumerate(page.characters) if character.isalnum()]
            self._characters.extend(kept)
            parts.append("".join(page.characters[at] for at in kept))
        self._letters = "".join(parts)
        self._paragraphs: dict[tuple[int, int], _Placed] = {}
        at = source_at = 0
        for chapter in document.chapters:
            for number, paragraph in enumerate(chapter.paragraphs):
                expected = at + _count(document.source, source_at, paragraph.start)
                placed = self._place(paragraph, document.source, at, expected)
                self._paragraphs[chapter.number, number] = placed
                found = [letter for letter in placed.letters if letter >= 0]
                at, source_at = (max(found) + 1, paragraph.end) if found else (at, source_at)

    def range_of(self, chapter: int, stretch: Stretch) -> PageRange | None:
        """Where a stretch of a paragraph of this chapter stands; None if it has no letter."""
        text, offsets, letters = self._paragraphs[chapter, stretch.paragraph]
        low, high = bisect_left(offsets, stretch.begin), bisect_left(offsets, stretch.end)
        found = [(offset, letter) for offset, letter in zip(offsets[low:high], letters[low:high]) if letter >= 0]  # noqa: B905
        if not found:
            return None
        page = self._page_of(found[0][1])
        characters = self._pages[page].characters
        first, last = self._characters[found[0][1]], self._characters[found[-1][1]] + 1
        for sign in reversed("".join(text[stretch.begin : found[0][0]].split())):
            first -= first > 0 and characters[first - 1] == sign
        for sign in "".join(text[found[-1][0] + 1 : stretch.end].split()):
            last += last < len(characters) and characters[last] == sign
        return PageRange(page, first, last) if self._page_of(found[-1][1]) == page else None

    def _page_of(self, letter: int) -> int:
        return bisect_left(self._starts, letter + 1) - 1

    def _place(self, paragraph: Paragraph, source: str, at: int, expected: int) -> _Placed:
        """Find the paragraph in the letters from `at` on, near where it is `expected`."""
        printed = list(_printed(paragraph, source))
        wanted = "".join(letter for letter, _ in printed)
        offsets = array("l", (offset for _, offset in printed if offset >= 0))
        places = self._exactly(wanted, at, expected) or self._nearly(wanted, at, expected)
        letters = array("l", (place for place, (_, offset) in zip(places, printed, strict=True) if offset >= 0))
        if sum(letter < 0 for letter in letters) > (1 - ENOUGH) * len(letters):
            raise InputError(f"has the words “{paragraph.text[:40]}” in another form than they were read")
        return _Placed(paragraph.text, offsets, letters)

    def _exactly(self, wanted: str, at: int, expected: int) -> Sequence[int]:
        if self._letters.startswith(wanted, expected):
            return range(expected, expected + len(wanted))
        after = self._letters.find(wanted, expected, expected + len(wanted) + FARTHEST)
        before = self._letters.rfind(wanted, max(at, expected - FARTHEST), expected + len(wanted))
        found = [place for place in (after, before) if place >= 0]
        if not found:
            return ()
        nearest = min(found, key=lambda place: abs(place - expected))
        return range(nearest, nearest + len(wanted))

    def _nearly(self, wanted: str, at: int, expected: int) -> list[int]:
        """The place of each letter, -1 for one that is not there: a picture stands for it. Piece by piece, for the time
        that it takes grows with the square of the length."""
        places: list[int] = []
        for start in range(0, len(wanted), PIECE):
            piece = wanted[start : start + PIECE]
            exact = range(expected, expected + len(piece)) if self._letters.startswith(piece, expected) else None
            found = list(exact or self._alike(piece, at, expected))
            places += found
            there = [place for place in found if place >= 0]
            at = max(there) + 1 if there else at
            expected = at if there else expected + len(piece)
        return places

    def _alike(self, piece: str, at: int, expected: int) -> list[int]:
        low = max(at, expected - BEHIND)
        there = self._letters[low : low + len(piece) + BEHIND + AHEAD]
        places = [-1] * len(piece)
        for mine, theirs, length in SequenceMatcher(None, piece, there, autojunk=False).get_matching_blocks():
            places[mine : mine + length] = range(low + theirs, low + theirs + length)
        return places


def _printed(paragraph: Paragraph, source: str) -> Iterator[tuple[str, int]]:
    """The letters of a paragraph with their offsets in its text; -1 for those between them that are not said."""
    offset = 0
    before = paragraph.start
    for span in paragraph.spans:
        yield from ((letter, -1) for letter in source[before : span.start] if letter.isalnum())
        yield from ((letter, at) for at, letter in enumerate(span.text, offset) if letter.isalnum())
        offset += len(span.text)
        before = max(before, span.end)


def _count(source: str, start: int, end: int) -> int:
    return sum(map(str.isalnum, source[start:end])) if start < end else 0
