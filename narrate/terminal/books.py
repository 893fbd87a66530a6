"""Several books: files, folders of them, addresses; for an ear, or each into files of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from narrate.errors import InputError
from narrate.terminal.library import Written, write_library
from narrate.terminal.listen import ReadingOptions, Run, check_options, read_aloud, read_one
from narrate.terminal.naming import has_patterns

SUFFIXES = frozenset(
    ".txt .text .md .markdown .epub .html .htm .xhtml .mhtml .mht .docx .pdf .rtf .fb2 .mobi .azw3".split()
)
"""Of the files of a folder that are taken for books. Subtitles are not: they stand beside what narrate has written."""
_NUMBER = re.compile(r"(\d+)")


def find_books(sources: Sequence[str]) -> list[str]:
    """The sources, with the books in it for each folder. Raises `InputError` for a folder without any."""
    found: list[str] = []
    for source in sources:
        path = Path(source)
        if not path.is_dir():
            found.append(source)
            continue
        inside = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES or file.name.endswith(".fb2.zip")]
        books = [str(file) for file in inside if file.is_file() and not file.name.startswith(".")]
        if not books:
            raise InputError(
                f"{source}: there is no book in this folder; narrate looks for {' '.join(sorted(SUFFIXES))}"
            )
        found += sorted(books, key=_as_people_count)
    return found


def _as_people_count(name: str) -> list[tuple[int, int | str]]:
    """Sorts "volume 2" before "volume 10"."""
    parts = _NUMBER.split(name.casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def read_books(
    sources: Sequence[str], options_for: Callable[[str], ReadingOptions], stderr: TextIO = sys.stderr
) -> int:
    """Read all books of the sources, each with its own options. Returns the exit code.

    Of several, one that cannot be read does not keep the others from being read: it is named, and the exit code is 2.
    What was written before is left as it is, so that the same command goes on with what is missing.
    """
    books = find_books(sources)
    if len(books) == 1:
        return read_aloud(options_for(books[0]), stderr)
    if "-" in books:
        raise InputError("Standard input cannot be one of several books. Read it by itself: narrate -")
    options = options_for(books[0])
    if options.files.outputs and not has_patterns(options.files):
        raise InputError(
            "Several books need a file each. Name a folder, -o books/, or a pattern, -o '{author} - {title}.m4b'."
        )
    check_options(options)
    writing = bool(options.files.outputs) and not options.listening
    with Run(count=len(books), together=writing) as run:
        if writing:
            written = write_library(books, options_for, run, stderr)
        else:
            written = _read_all(books, options_for, run, stderr)
    if options.files.outputs and not options.quiet:
        print(_summary(len(books), written), file=stderr, flush=True)
    return InputError.exit_code if written.unread else max(written.codes, default=0)


def _read_all(books: Sequence[str], options_for: Callable[[str], ReadingOptions], run: Run, stderr: TextIO) -> Written:
    """Read one after the other to somebody who listens."""
    written = Written()
    for number, book in enumerate(books, 1):
        run.number = number
        try:
            outcome = read_one(options_for(book), run, stderr)
        except InputError as error:
            print(f"narrate: {error}", file=stderr, flush=True)
            written.unread.append(book)
            continue
        if outcome.skipped:
            written.there += 1
        else:
            written.codes.append(outcome.code)
        if outcome.stopped:
            break
    return written


def _summary(count: int, written: Written) -> str:
    parts = [f"{len(written.codes)} written"] + [f"{written.there} there already"] * bool(written.there)
    unread = written.unread
    parts += [f"{len(unread)} could not be read ({', '.join(unread)})"] * bool(unread)
    return f"{count} books: {', '.join(parts)}."
