"""The header of a WAV stream or file: 80 bytes, and mono samples after it."""

from __future__ import annotations

import struct
from collections.abc import Mapping

HEADER = 80
LIMIT = (1 << 32) - 1  # of a size in a WAV header; from here on a file is RF64

_UNKNOWN = LIMIT


def header(
    sample_rate: int, samples: int | None, *, behind: int = 0, limit: int = LIMIT, floats: bool = False
) -> bytes:
    """The `HEADER` bytes before `samples` mono samples; None: the number is not known yet. `behind` bytes of chunks
    follow the samples, which have 16 bits, or are 32-bit `floats`.

    Of unknown length both sizes are 0xFFFFFFFF, which players read as "until the stream ends". From `limit` bytes on it
    is RF64 (EBU Tech 3306): the sizes are in a chunk `ds64`, for which every header keeps room in a chunk `JUNK`.
    """
    kind, size = (3, 4) if floats else (1, 2)
    if samples is None:
        name, riff_size, data_size, room = b"RIFF", _UNKNOWN, _UNKNOWN, _chunk(b"JUNK", bytes(28))
    else:
        name, data_size, room = b"RIFF", samples * size, _chunk(b"JUNK", bytes(28))
        riff_size = HEADER - 8 + data_size + behind
        if riff_size >= limit:
            room = _chunk(b"ds64", struct.pack("<QQQI", riff_size, data_size, samples, 0))
            name, riff_size, data_size = b"RF64", _UNKNOWN, _UNKNOWN
    pcm = struct.pack("<HHIIHH", kind, 1, sample_rate, sample_rate * size, size, 8 * size)
    return (
        name
        + struct.pack("<I", riff_size)
        + b"WAVE"
        + room
        + _chunk(b"fmt ", pcm)
        + struct.pack("<4sI", b"data", data_size)
    )


def info(named: Mapping[bytes, str]) -> bytes:
    """A LIST chunk of texts by their four letters, in UTF-8; nothing for no texts."""
    entries = b""
    for name, value in named.items():
        text = value.encode() + b"\0"
        entries += _chunk(name, text) + bytes(len(text) % 2)  # chunks begin at even places
    return _chunk(b"LIST", b"INFO" + entries) if entries else b""


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content
