"""Zip files from strangers: read by name into memory, never unpacked, never more than a book can be."""

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
# Deflate cannot do better than about 1030 to 1; no text comes near.
DENSEST = 400


class Archive:
    """The parts of a zip file. Raises InputError for one that is damaged, or a bomb."""

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
        """The entry a name means: as it is, percent-decoded on either side, or in another case."""
        for spelling in (name, unquote(name)):
            clean = posixpath.normpath(spelling).lstrip("/")
            if clean in self._entries:
                return clean
            if clean.casefold() in self._folded:
                return self._folded[clean.casefold()]
        return None

    def read(self, name: str) -> bytes:
        """The content of an entry. Raises InputError if it is missing, encrypted, damaged or too large."""
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
    """The path and the fragment that a link in the file `base` means; a path outside the book is ""."""
    path, _, fragment = href.partition("#")
    path = unquote(path.split("?")[0])
    if not path:
        return base, unquote(fragment)
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    return ("" if joined.startswith(("../", "/")) or "://" in href else joined), unquote(fragment)
