"""The books that were read: the last one, one of the list by its number, and one that is to be forgotten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from narrate.errors import InputError

if TYPE_CHECKING:
    from narrate.playback.bookmark import Bookmarks, Reading


def with_book_of_the_list(arguments: list[str]) -> list[str]:
    """The command line as it is meant: without any argument the book that was heard last, if it was not heard to its
    end; and `3`, if no file is called so, is the third book of `narrate books`."""
    if not arguments:
        last = _last_book()
        return [last] if last else []
    first = arguments[0]
    if first.isascii() and first.isdecimal() and not os.path.exists(first):
        return [path_of(first), *arguments[1:]]
    return arguments


def _last_book() -> str | None:
    for reading in _bookmarks().books():
        if reading.place is not None and reading.place.fraction < 1.0 and reading.book.path:
            return reading.book.path
    return None


def path_of(number: str) -> str:
    """Where a book of the list is. Raises `InputError` if there is no such book, or it has no file."""
    reading = _reading(number)
    if not reading.book.path:
        raise InputError(f"{reading.book.title} was read from standard input, so it cannot be opened by its number.")
    return reading.book.path


def forget_book(named: str) -> str:
    """Forget a book of the list, by number, path or title: where the ear stopped, and the marks. Returns its title.

    Raises `InputError` if there is no such book, or several.
    """
    bookmarks = _bookmarks()
    reading = _reading(named)
    bookmarks.forget_all(reading.book)
    return reading.book.title


def _reading(named: str) -> Reading:
    readings = _bookmarks().books()
    if not readings:
        raise InputError("There is no book in the list yet: none was read so far.")
    if named.isascii() and named.isdecimal():
        if not 1 <= int(named) <= len(readings):
            raise InputError(f"There is no book {named} in the list; `narrate books` shows 1 to {len(readings)}.")
        return readings[int(named) - 1]
    path = os.path.realpath(named)
    found = [reading for reading in readings if reading.book.path in (named, path)]
    found = found or [reading for reading in readings if named.casefold() in reading.book.title.casefold()]
    if len(found) != 1:
        several = "There are several books" if found else "There is no book"
        raise InputError(f"{several} '{named}' in the list. Give its number, as `narrate books` shows it.")
    return found[0]


def _bookmarks() -> Bookmarks:
    from narrate.folders import home
    from narrate.playback.bookmark import Bookmarks

    return Bookmarks(home() / "places")
