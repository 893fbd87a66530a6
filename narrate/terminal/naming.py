"""Names for the files of several books: a folder, or a pattern such as '{author} - {title}.m4b'."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from narrate.errors import InputError
from narrate.reading.export import FileOptions
from narrate.sinks import READ_ALONG, SUBTITLES, SUFFIXES
from narrate.sinks.split import plain_name
from narrate.text.book import Book

IN_A_FOLDER = "{name}.m4b"  # what a book's file is called where only a folder is named
FIELDS = {
    "title": "the book's title",
    "author": "who wrote it",
    "name": "the text's file name without its suffix",
    "number": "01, 02 … in the order in which the books are read",
    "series": "the series it belongs to",
    "part": "its number in the series",
    "language": "en, ja …",
}
UNKNOWN = "unknown"
LONGEST_STEM_BYTES = 200  # most file systems allow 255 for all of the name
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass(slots=True)
class Naming:
    """Gives every book of a run files of its own. `taken` are the names that it has given."""

    taken: set[str] = field(default_factory=set)

    def files_for(self, files: FileOptions, book: Book, number: int, count: int) -> FileOptions:
        """The files of the `number`-th of `count` books, without folders or patterns among their names.

        Makes the folders that a pattern names. Raises `InputError` if one cannot be made.
        """
        if not has_patterns(files):
            return files
        facts = _facts(files, book, number, count)
        targets = [self._fresh(pattern, facts) for pattern in map(pattern_of, files.outputs)]
        report = self._fresh(files.report, facts) if files.report is not None else None
        for target in [*targets, *([report] if report is not None else [])]:
            _make_folder(Path(target).parent)
        return replace(files, outputs=tuple(targets), report=report)

    def _fresh(self, pattern: str, facts: Mapping[str, str]) -> str:
        """The name that the pattern gives, with a number if an earlier book of this run has it."""
        named = Path(_FIELD.sub(lambda found: facts[found[1]], pattern))
        stem = named.stem.encode()[:LONGEST_STEM_BYTES].decode(errors="ignore").rstrip(" .")
        path, count = named.with_stem(stem or UNKNOWN), 1
        while str(path) in self.taken:
            count += 1
            path = named.with_stem(f"{stem} ({count})")
        self.taken.add(str(path))
        return str(path)


def pattern_of(output: str) -> str:
    """The output as a pattern: a folder holds a file for each book."""
    if output != "-" and (output.endswith(("/", os.sep)) or os.path.isdir(output)):
        return os.path.join(output, IN_A_FOLDER)
    return output


def has_patterns(files: FileOptions) -> bool:
    """True if one of the outputs is a folder or a pattern, so that each book gets files of its own."""
    return any(_FIELD.search(pattern_of(output)) for output in files.outputs)


def check_patterns(files: FileOptions) -> None:
    """Raise `InputError` if a pattern has a field that books have not, or no suffix that names a format."""
    for pattern in map(pattern_of, files.outputs):
        for name in _FIELD.findall(pattern):
            if name not in FIELDS:
                known = " ".join(f"{{{known}}}" for known in FIELDS)
                raise InputError(f"{pattern}: there is no field {{{name}}}. Choose from {known}.")
        if _FIELD.search(pattern) and Path(pattern).suffix.lower() not in (*SUFFIXES, *SUBTITLES, READ_ALONG):
            raise InputError(f"{pattern}: the name needs a suffix that names a format, such as {pattern}.m4b.")


def _facts(files: FileOptions, book: Book, number: int, count: int) -> dict[str, str]:
    edition = book.document.edition if book.document else None
    name = Path(book.name).stem if book.path or book.address else book.name
    facts = {
        "title": files.about.title or book.title,
        "author": files.about.author or book.author,
        "name": name,
        "number": f"{number:0{max(2, len(str(count)))}}",
        "series": files.about.series or (edition.series if edition else ""),
        "part": files.about.part or (edition.part if edition else ""),
        "language": book.language,
    }
    return {name: plain_name(fact) or UNKNOWN for name, fact in facts.items()}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise InputError(f"The folder {folder} cannot be made ({why}). Choose another place with -o.") from None
