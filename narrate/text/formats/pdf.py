"""Reads PDF: the text of the pages without running heads and page numbers. Words cut at line ends are joined."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from narrate.errors import InputError
from narrate.text.characters import one_line
from narrate.text.document import Document, Excluded
from narrate.text.encoding import visible
from narrate.text.formats import plain

PAGE_NUMBER = re.compile(
    r"\W*(?:p(?:age|\.)?\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de|из)\s*\d{1,4})?\W*", re.IGNORECASE
)
NAMELESS = re.compile(r"^\(?(?:untitled|anonymous|unknown|unspecified)\)?$", re.IGNORECASE)
# So many lines at the top and at the bottom of a page may belong to the page and not to the book.
MARGIN = 2
# A line in the margin of so many pages, and of such a share of them, is a running head.
REPEATS, SHARE = 3, 0.2
# Lines longer than this share of the longest line of their page are text, even if many pages have them.
FULL_LINE = 0.8
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
                parts.append("\n" + line + "\n\n")
            else:
                parts.append(line + "\n")
            start = length + is_title
            length += len(parts[-1])
            repeated = _key(line) in running and len(line) < FULL_LINE * longest and not titles_only
            if in_margin and not is_title and (repeated or PAGE_NUMBER.fullmatch(line)):
                excluded.append(Excluded("page", start, start + len(line)))
    return "".join(parts), excluded, listed


def _running_heads(pages: Sequence[Sequence[str]]) -> set[str]:
    margins = Counter(_key(line) for page in pages for line in {*page[:MARGIN], *page[-MARGIN:]})
    return {key for key, count in margins.items() if count >= max(REPEATS, SHARE * len(pages))}


def _key(line: str) -> str:
    """Return a running head without its page number, the same for all pages."""
    return re.sub(r"\d+|\s+", " ", line).strip().casefold()


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()
