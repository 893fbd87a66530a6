"""Covers: what a picture is, and the plain one that is drawn."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import av
import numpy as np
import pytest

from narrate.errors import InputError
from narrate.sinks.pictures import draw_cover, flac_block, look_at


def a_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + bytes([200, 10, 10]) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_picture_says_how_large_it_is() -> None:
    assert look_at(a_png(30, 20))[1:4] == ("png", 30, 20)
    assert look_at(draw_cover("a", "b"))[1:4] == ("mjpeg", 1000, 1000)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff rubbish", b"\x89PNG rubbish", a_png(30, 20)[:40]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="picture"):
        look_at(data)


def test_books_have_plain_covers_of_their_own_and_always_the_same() -> None:
    assert draw_cover("猫", "漱石") == draw_cover("猫", "漱石") != draw_cover("坊っちゃん", "漱石")
    with av.open(BytesIO(draw_cover("猫", "漱石")), format="jpeg_pipe") as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert image.shape == (1000, 1000, 3)
    assert np.std(image) > 10, "something is to be seen"


def test_the_block_of_flac_holds_the_picture_and_its_size() -> None:
    data = a_png(30, 20)
    block = flac_block(look_at(data))
    assert block.startswith(b"\0\0\0\x03\0\0\0\x09image/png\0\0\0\0")
    assert struct.unpack(">IIII", block[21:37]) == (30, 20, 24, 0)
    assert block[37:] == struct.pack(">I", len(data)) + data
