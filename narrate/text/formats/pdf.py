"""Reads PDF: the text of the pages without running heads and page numbers. Words cut at line ends are joined.

A line in the margin of pages is no part of the book if it stands on many pages, on several that follow one another (the
name of a chapter), or beside a number that rises from page to page.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any

from narrate.errors import InputError
from narrate.text.characters import one_line
from narrate.text.document import Document, Excluded
from narrate.text.encoding import visible
from narrate.text.formats import gutenberg, plain

PAGE_NUMBER = re.compile(
    r"\W*(?:p(?:age|\.)?\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de|из)\s*\d{1,4})?\W*", re.IGNORECASE
)
NAMELESS = re.compile(r"^\(?(?:untitled|anonymous|unknown|unspecified)\)?$", re.IGNORECASE)
# So many lines at the top and at the bottom of a page may belong to the page and not to the book.
MARGIN = 2
# A line in the margin of so many pages, and of such a share of them, is a running head.
REPEATS, SHARE = 3, 0.2
# A line in the margin of so many pages that follow one another, or every second of which has it, is one as well.
IN_A_ROW = 3
# The number of a page stands at the beginning or the end of its line.
NUMBER_IN_LINE = re.compile(r"^\W*(\d{1,4})(?!\S)|(?<!\S)(\d{1,4})\W*$")
# Lines longer than this share of the longest line of their page are text, even if many pages have them.
FULL_LINE = 0.8
# The credits of those who made a text stand among so many characters at its beginning.
LONGEST_CREDITS = 1000
# A first page with so many times fewer lines than another is a title page. Its lines are no running heads.
TITLE_PAGE = 3


def read(data: bytes) -> Document:
    """Read a PDF. Raises InputError if it is locked or damaged, or has only pictures."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError("is locked with a password; save a copy without it")
        pages = [_lines(page.extract_text()) for page in reader.pages]
        titles = list(_bookmarks(reader, reader.outline))
        about: dict[str, Any] = dict(reader.metadata or {})
        title, author = (re.sub(NAMELESS, "", str(about.get(key) or "")).strip() for key in ("/Title", "/Author"))
    except InputError:
        raise
    except Exception as error:  # pypdf raises errors of every kind for a damaged file
        raise InputError(f"is a damaged PDF ({type(error).__name__}: {str(error)[:80]})".replace("\n", " ")) from None
    if not any(any(map(str.isalnum, line)) for page in pages for line in page):
        raise InputError("has no text in its pages, only pictures of it; make one with OCR first")
    source, excluded, listed = _laid_out(pages, titles)
    if gutenberg.is_gutenberg(source):
        start, end = gutenberg.frame(source)
        lines = re.finditer(r"[^\n]+", source[start : min(end, start + LONGEST_CREDITS)])
        credits = (line for line in lines if gutenberg.is_credit(line[0]))
        excluded += (Excluded("producer", start + line.start(), start + line.end()) for line in credits)
        excluded = gutenberg.outermost([*excluded, *gutenberg.around(source)])
    masked = plain.mask(source, [(part.start, part.end) for part in excluded])
    masked = plain.without_hyphens(source, masked, eager=True)
    return plain.build(source, masked, excluded, title, author, listed)


def _lines(text: str) -> list[str]:
    text = text.replace("\x00", "").replace("\x01", "").replace("\u00ad\n", "-\n")
    return [line.strip() for line in visible(text).split("\n") if line.strip()]


def _bookmarks(reader: Any, outline: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Yield page number and title of every bookmark."""
    for entry in outline:
        if isinstance(entry, list):
            yield from _bookmarks(reader, entry)
        elif entry.title and (page := reader.get_destination_page_number(entry)) is not None:
            yield page, one_line(str(entry.title))


def _laid_out(
    pages: Sequence[Sequence[str]], titles: Sequence[tuple[int, str]]
) -> tuple[str, list[Excluded], set[str]]:
    """Return the text of all pages, what is left out of it, and the titles that bookmarks name.

    Titles get blank lines around them.
    """
    running = _running_heads(pages)
    offset = _offset(pages)
    named: dict[int, str] = {}
    for number, title in titles:
        named[number] = named.get(number, "") + _letters(title)
    parts: list[str] = []
    excluded: list[Excluded] = []
    listed: set[str] = set()
    length = 0
    for number, page in enumerate(pages):
        longest = max(map(len, page), default=0)
        titles_only = number == 0 and TITLE_PAGE * len(page) < max(map(len, pages))
        for at, line in enumerate(page):
            in_margin = at < MARGIN or at >= len(page) - MARGIN
            is_title = len(_letters(line)) > 1 and _letters(line) in named.get(number, "")
            if is_title:
                listed.add(line)
            is_title |= at < MARGIN and bool(PAGE_NUMBER.fullmatch(line)) and not _is_page_number(line, number, offset)
            if is_title:
                parts.append("\n" + line + "\n\n")
            else:
                parts.append(line + "\n")
            start = length + is_title
            length += len(parts[-1])
            short = len(line) < FULL_LINE * longest and not titles_only
            repeated = short and (_key(line) in running or _is_numbered(line, number, offset))
            if in_margin and not is_title and (repeated or _is_page_number(line, number, offset)):
                excluded.append(Excluded("page", start, start + len(line)))
    return "".join(parts), excluded, listed


def _running_heads(pages: Sequence[Sequence[str]]) -> set[str]:
    """Return the keys of lines that many pages have in their margins, or several that follow one another."""
    found: dict[str, list[int]] = {}
    for number, page in enumerate(pages):
        for key in {_key(line) for line in (*page[:MARGIN], *page[-MARGIN:])}:
            found.setdefault(key, []).append(number)
    many = max(REPEATS, SHARE * len(pages))
    return {key for key, there in found.items() if len(there) >= many or _in_a_row(there)}


def _in_a_row(there: Sequence[int]) -> bool:
    """Return True if a few pages in a row, or every second of them, are among the numbers of pages."""
    row = 1
    for before, number in pairwise(there):
        row = row + 1 if number - before <= 2 else 1
        if row >= IN_A_ROW:
            return True
    return False


def _offset(pages: Sequence[Sequence[str]]) -> int | None:
    """Return what must be added to the place of a page to have the number that is printed on it; None if none is."""
    offsets: Counter[int] = Counter()
    for number, page in enumerate(pages):
        values = {_number_in(line) for line in (*page[:MARGIN], *page[-MARGIN:])}
        offsets.update(value - number for value in values if value is not None)
    offset, count = max(offsets.items(), key=lambda item: item[1], default=(0, 0))
    return offset if count >= max(REPEATS, SHARE * len(pages)) else None


def _number_in(line: str) -> int | None:
    match = NUMBER_IN_LINE.search(line)
    return int(match[1] or match[2]) if match else None


def _is_numbered(line: str, page: int, offset: int | None) -> bool:
    """Return True for a head such as "METHODS OF APPLICATION 26": the number of its page, and a title or a name."""
    if offset is None or _number_in(line) != page + offset:
        return False
    words = re.findall(r"[^\W\d_]+", line)
    return sum(word[0].isupper() for word in words) * 2 >= len(words) and not line.rstrip(" 0123456789").endswith(
        (".", ",")
    )


def _is_page_number(line: str, page: int, offset: int | None) -> bool:
    """Return True for a line that is only a number, unless the numbers of pages are known to be others."""
    if not PAGE_NUMBER.fullmatch(line):
        return False
    value = _number_in(line)
    return offset is None or value is None or value == page + offset


def _key(line: str) -> str:
    """Return a running head without its page number, the same for all pages."""
    return re.sub(r"\d+|\s+", " ", line).strip().casefold()


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()
