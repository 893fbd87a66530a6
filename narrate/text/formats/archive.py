"""Reads zip files from strangers: by name and into memory, never to disk, and never more than a book can be."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from io import BytesIO
from urllib.parse import unquote

from narrate.errors import InputError

LARGEST_PART = 64 << 20
LARGEST_SUM = 1 << 30
MOST_PARTS = 50_000
# The highest ratio of size to packed size. Deflate reaches about 1030, and no text comes near that.
DENSEST = 400


class Archive:
    """The files inside a zip file. Raises InputError if it is damaged, or unpacks to more than a book can be."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, UnicodeDecodeError) as error:
            raise InputError(f"is damaged or cut short ({error}); fetch it again") from None
        size = sum(entry.file_size for entry in entries)
        dense = any(e.file_size > (1 << 20) and e.file_size > DENSEST * max(1, e.compress_size) for e in entries)
        if len(entries) > MOST_PARTS or size > LARGEST_SUM or dense:
            raise InputError(f"unpacks to {size >> 20} MB: that is no book but a zip bomb; it was not opened")
        self._entries = {entry.filename: entry for entry in entries}
        self._folded = {unquote(name).casefold(): name for name in self._entries}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def find(self, name: str) -> str | None:
        """Return the entry that a name means, None if there is none.

        Either of the two may be percent-encoded or have other capitals.
        """
        for spelling in (name, unquote(name)):
            clean = posixpath.normpath(spelling).lstrip("/")
            if clean in self._entries:
                return clean
            if clean.casefold() in self._folded:
                return self._folded[clean.casefold()]
        return None

    def read(self, name: str) -> bytes:
        """Return the content of an entry. Raises InputError if it is missing, encrypted, damaged or too large."""
        entry = self.find(name)
        if entry is None:
            raise InputError(f"is damaged: {name} is missing in it")
        try:
            with self._zip.open(self._entries[entry]) as part:
                content = part.read(LARGEST_PART + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise InputError(f"is damaged: {entry} cannot be unpacked ({error})") from None
        except RuntimeError:
            raise InputError("is protected by a password; remove the protection first") from None
        if len(content) > LARGEST_PART:
            raise InputError(f"holds {entry} of more than {LARGEST_PART >> 20} MB: that is no text; it was not read")
        return content


def resolve(base: str, href: str) -> tuple[str, str]:
    """Return path and fragment of a link in the file `base`. The path of a link out of the book is ""."""
    path, _, fragment = href.partition("#")
    path = unquote(path.split("?")[0])
    if not path:
        return base, unquote(fragment)
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    return ("" if joined.startswith(("../", "/")) or "://" in href else joined), unquote(fragment)
