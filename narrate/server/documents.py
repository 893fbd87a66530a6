"""Texts that listeners may choose: what they send, and the books of one folder. Their names are ids, never paths."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Literal

from narrate.errors import InputError, NarrateError
from narrate.files import HeldFile, is_held, open_private, private_folder, remove_abandoned
from narrate.playback.bookmark import Bookmarks, Reading
from narrate.text import web
from narrate.text.book import Book, TextOptions, book_of_text, open_book

SUFFIXES = frozenset(
    ".txt .text .md .markdown .epub .html .htm .xhtml .mhtml .mht .docx .pdf .rtf .fb2 .srt .vtt".split()
)
MOST_BYTES = 200 << 20  # of one upload
MOST_UPLOADS = 100
MOST_BOOKS = 5000  # of the library
DEEPEST = 8  # folders within folders of the library
_HELD = "held"


class TooLarge(InputError):
    """More was sent than a book has."""


class NoSuchDocument(InputError):
    """No document has this id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that can be read. `folder` says where in the library it is, for people; `read` how far the ear is, 0 … 1.

    `path` is its file; a pasted text has none, but its `text`.
    """

    id: str
    name: str
    kind: Literal["upload", "text", "library"]
    folder: str = ""
    size: int = 0
    read: float | None = None
    path: Path | None = None
    text: str = ""


class Documents:
    """Uploads are kept in a folder of this server alone and thrown away with it. Use it as a context manager."""

    def __init__(self, uploads: Path, library: Path | None, bookmarks: Bookmarks) -> None:
        self._parent, self._library, self._bookmarks = uploads, library, bookmarks
        self._lock = threading.Lock()
        self._uploads: dict[str, Entry] = {}
        self.folder = uploads / secrets.token_hex(8)
        """For what lasts as long as the server."""
        self._held: HeldFile | None = None

    def open(self) -> None:
        """Make the folder, and sweep away those of servers that were killed. Raises `NarrateError`."""
        try:
            private_folder(self._parent)
            for old in self._parent.iterdir():
                if old.is_dir() and not old.is_symlink() and not is_held(old / _HELD):
                    remove_abandoned(old / _HELD)
                    shutil.rmtree(old, ignore_errors=True)
            private_folder(self.folder)
            self._held = HeldFile(self.folder / _HELD, private=True)
        except OSError as error:
            raise NarrateError(f"The folder {self._parent} cannot be used ({error.strerror or error}).") from error

    def close(self) -> None:
        """Throw the uploads away."""
        if self._held is not None:
            self._held.discard()
            self._held = None
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- what was sent ------------------------------------------------------------------------------------------------

    async def receive(self, name: str, parts: AsyncIterable[bytes]) -> Entry:
        """Keep a file that is being sent. Raises `TooLarge`, and `InputError` for a name of no book."""
        shown = shown_name(name)
        suffix = PurePosixPath(shown).suffix.lower()
        if suffix not in SUFFIXES and not shown.lower().endswith(".fb2.zip"):
            known = " ".join(sorted(each.removeprefix(".") for each in SUFFIXES))
            raise InputError(f"narrate cannot read {shown}. It reads files such as {known}.")
        identity = secrets.token_urlsafe(12)
        path = self.folder / identity / shown  # a book without a title is called by its file
        size = 0
        try:
            path.parent.mkdir(mode=0o700)
            with open(path, "xb", opener=open_private) as file:
                async for part in parts:
                    size += len(part)
                    if size > MOST_BYTES:
                        raise TooLarge(f"{shown} is larger than {MOST_BYTES >> 20} MB, which no book is.")
                    file.write(part)
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        if not size:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise InputError(f"{shown} is empty.")
        return self._keep(Entry(identity, shown, "upload", size=size, path=path))

    def paste(self, text: str) -> Entry:
        """Keep a text. Raises `TooLarge`."""
        size = len(text.encode("utf-8", "replace"))
        if size > MOST_BYTES:
            raise TooLarge(f"The text is larger than {MOST_BYTES >> 20} MB, which no book is.")
        name = " ".join(text[:200].split())[:40] or "Text"
        return self._keep(Entry(secrets.token_urlsafe(12), name, "text", size=size, text=text))

    def _keep(self, entry: Entry) -> Entry:
        with self._lock:
            self._uploads[entry.id] = entry
            while len(self._uploads) > MOST_UPLOADS:
                self._throw_away(next(iter(self._uploads)))
        return entry

    def remove(self, identity: str) -> None:
        """Throw an upload away. Raises `NoSuchDocument`; the books of the library stay."""
        with self._lock:
            if identity not in self._uploads:
                raise NoSuchDocument("There is no such upload.")
            self._throw_away(identity)

    def _throw_away(self, identity: str) -> None:
        path = self._uploads.pop(identity).path
        if path is not None:
            shutil.rmtree(path.parent, ignore_errors=True)

    # -- what can be chosen -------------------------------------------------------------------------------------------

    def list(self) -> list[Entry]:
        """The books of the library, then what was sent, the newest first."""
        known = {reading.book.path: reading for reading in self._bookmarks.books()}
        books = [replace(entry, read=_share(known.get(str(entry.path)))) for entry in self._books()]
        with self._lock:
            return [*books, *reversed(self._uploads.values())]

    def find(self, identity: str) -> Entry:
        """The document of that id. Raises `NoSuchDocument`."""
        with self._lock:
            if identity in self._uploads:
                return self._uploads[identity]
        for entry in self._books():
            if entry.id == identity:
                return entry
        raise NoSuchDocument("There is no such document. It may have been removed.")

    def open_book(self, entry: Entry, options: TextOptions) -> Book:
        """Raises `InputError` for what cannot be read aloud, naming it as the listener does."""
        if entry.path is None:
            return book_of_text(entry.text, options)
        try:
            book = open_book(str(entry.path), options)
        except InputError as error:
            raise InputError(str(error).replace(str(entry.path), entry.name)) from None
        if entry.kind == "library":
            return book
        return self._as_known(replace(book, name=entry.name, path=None))

    def _as_known(self, book: Book) -> Book:
        """An upload has no path; but the same text may have been read under one, and then its place stays there."""
        for reading in self._bookmarks.texts():
            if reading.book.content == book.identity.content and (path := reading.book.path):
                return replace(book, address=path) if web.is_address(path) else replace(book, path=Path(path))
        return book

    def _books(self) -> Iterator[Entry]:
        if self._library is None:
            return
        root = self._library.resolve()
        for path in _files(root):
            inside = path.relative_to(root)
            identity = "b" + blake2b(os.fsencode(inside), digest_size=12).hexdigest()
            folder = " / ".join(map(shown_name, inside.parts[:-1]))
            with suppress(OSError):
                yield Entry(identity, shown_name(path.name), "library", folder, path.stat().st_size, path=path)


def _files(root: Path) -> Iterator[Path]:
    """The books in the folder and those below it. What is hidden, and links to elsewhere, are not among them."""
    count = 0
    for folder, folders, names in os.walk(root):
        at = Path(folder)
        depth = len(at.relative_to(root).parts)
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders) - set(hidden)) if depth < DEEPEST else []
        for name in sorted(names):
            path = at / name
            book = path.suffix.lower() in SUFFIXES or name.lower().endswith(".fb2.zip")
            if not book or name.startswith(".") or not path.is_file() or not path.resolve().is_relative_to(root):
                continue
            yield path
            count += 1
            if count >= MOST_BOOKS:
                return


def _share(reading: Reading | None) -> float | None:
    return reading.place.fraction if reading is not None and reading.place is not None else None


def shown_name(name: str) -> str:
    """The last part of a file name, in letters that can be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last.encode("utf-8", "replace").decode() if letter.isprintable())
    return shown.strip()[-120:] or "book"
