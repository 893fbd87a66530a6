"""A take as a file: 16-bit FLAC, sealed so that one wrong bit anywhere in it is noticed.

The seal is an APPLICATION block (the FLAC format's own place for such things), so every player can play the file. It
holds a BLAKE2 checksum of all other bytes, and the label: which take this is, and the book it was made for. Nothing but
the file is needed to know whether it is whole.
"""

from __future__ import annotations

import io
from hashlib import blake2b, md5
from typing import NamedTuple

from narrate.clip import Samples, from_int16, to_int16

_FIRST_BLOCK_BYTES = 42  # "fLaC" and STREAMINFO, which always comes first and is 4 + 34 bytes long
_APPLICATION = b"\x02"
_NAME = b"narr"
_DIGEST_BYTES = 32
LABEL_WITHIN_BYTES = 4096  # from the start of a file


class Damaged(ValueError):
    """The file is not what was written."""


class Label(NamedTuple):
    key: str
    book: str


def seal(samples: Samples, sample_rate: int, label: Label) -> bytes:
    """The bytes of a sealed FLAC file of at least one sample, mono."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, to_int16(samples), sample_rate, format="FLAC", subtype="PCM_16")
    plain = buffer.getvalue()
    head, rest = plain[:_FIRST_BLOCK_BYTES], plain[_FIRST_BLOCK_BYTES:]
    written = "\n".join(label).encode()
    block = _NAME + _digest(written, head, rest) + written
    return head + _APPLICATION + len(block).to_bytes(3, "big") + block + rest


def label(data: bytes) -> Label:
    """What the file says it is, from its first `LABEL_WITHIN_BYTES`, unproved. Raises `Damaged` if it says nothing."""
    start, end = _block(data)
    try:
        key, book = data[start + len(_NAME) + _DIGEST_BYTES : end].decode().split("\n", 1)
    except ValueError as error:
        raise Damaged("there is no label") from error
    return Label(key, book)


def seconds(data: bytes) -> float:
    """How long the sound is, from the first bytes of the file, unproved. Raises `Damaged` if they do not say."""
    facts = int.from_bytes(data[18:26], "big")  # of STREAMINFO: 20 bits sample rate, 8 bits format, 36 bits samples
    rate, samples = facts >> 44, facts & (1 << 36) - 1
    if data[:4] != b"fLaC" or not rate:
        raise Damaged("it is no FLAC")
    return samples / rate


def content(data: bytes) -> str:
    """What tells the sound from any other, from the first bytes of the file, unproved: FLAC keeps the MD5 of its
    samples."""
    return data[26:42].hex()


def content_of(samples: Samples) -> str:
    """The same of sound that is no file yet."""
    return md5(to_int16(samples).astype("<i2").tobytes(), usedforsecurity=False).hexdigest()


def check(data: bytes, key: str) -> Label:
    """The label of the file of the take `key`. Raises `Damaged` if a single bit is not as it was written for it."""
    start, end = _block(data)
    block = data[start:end]
    written = block[len(_NAME) + _DIGEST_BYTES :]
    digest = _digest(written, data[:_FIRST_BLOCK_BYTES], data[end:])
    if data[_FIRST_BLOCK_BYTES : _FIRST_BLOCK_BYTES + 1] != _APPLICATION or block != _NAME + digest + written:
        raise Damaged("the checksum does not fit")
    found = label(data)
    if found.key != key:
        raise Damaged("it is another take")
    return found


def unseal(data: bytes, key: str) -> tuple[Samples, int]:
    """Samples and sample rate of the take `key`. Raises `Damaged` as `check` does."""
    import soundfile

    check(data, key)
    try:
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="int16")
    except soundfile.SoundFileError as error:
        raise Damaged(str(error)) from error
    return from_int16(samples), sample_rate


def _block(data: bytes) -> tuple[int, int]:
    """Where the seal's content begins and ends."""
    start = _FIRST_BLOCK_BYTES + 4
    return start, start + int.from_bytes(data[_FIRST_BLOCK_BYTES + 1 : start], "big")


def _digest(written: bytes, head: bytes, rest: bytes) -> bytes:
    hasher = blake2b(len(written).to_bytes(4, "big") + written, digest_size=_DIGEST_BYTES)
    hasher.update(head)
    hasher.update(rest)
    return hasher.digest()
