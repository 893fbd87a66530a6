"""The boxes of an MP4 file (ISO/IEC 14496-12), as far as its muxer leaves something to put right."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Box(NamedTuple):
    """A box: its four letters, where it starts, where its content does, and where it ends, in bytes of the file."""

    kind: bytes
    start: int
    content: int
    end: int


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places of a file."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        size = size or end - start  # 0: to the end
        yield Box(kind, start, start + head, start + size)
        start += max(size, head)


def has_nero_chapters(path: Path) -> bool:
    """True if the file has a Nero chapter list. Raises `OSError`."""
    with open(path, "rb") as file:
        return any(True for _ in _nero_chapters(file))


def drop_nero_chapters(path: Path) -> None:
    """Make the Nero chapter list free space; the chapter track stays. Raises `OSError`.

    The list holds no more than 255 chapters and titles of 255 bytes, and players that find one look no further.
    """
    with open(path, "r+b") as file:
        for box in list(_nero_chapters(file)):
            file.seek(box.start + 4)
            file.write(b"free")


def _nero_chapters(file: BinaryIO) -> Iterator[Box]:
    file.seek(0, 2)
    inside = boxes(file, 0, file.tell())
    for kind in (b"moov", b"udta"):
        found = next((box for box in inside if box.kind == kind), None)
        inside = boxes(file, found.content, found.end) if found else iter(())
    yield from (box for box in inside if box.kind == b"chpl")
