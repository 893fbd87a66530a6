"""Covers: their size, the block in which Ogg holds one, and a plain one for a book that has none."""

from __future__ import annotations

import struct
from fractions import Fraction
from hashlib import blake2b
from io import BytesIO
from typing import NamedTuple

import numpy as np

from narrate.errors import InputError

SIGNATURES = {b"\xff\xd8\xff": "mjpeg", b"\x89PNG": "png"}
MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}
FRONT_COVER = 3  # in FLAC and ID3

DRAWN_WIDTH, DRAWN_HEIGHT = 1000, 1000
PAPER = (246, 241, 231)


class Picture(NamedTuple):
    """A picture as it stands in its file; `codec` is FFmpeg's name for its coding."""

    data: bytes
    codec: str
    width: int
    height: int
    pixels: str

    @property
    def mime_type(self) -> str:
        return MIME_TYPES[self.codec]


def look_at(data: bytes) -> Picture:
    """Find out what a picture is. Raises `InputError` for what is neither JPEG nor PNG, or damaged."""
    import av

    codec = next((codec for signature, codec in SIGNATURES.items() if data.startswith(signature)), None)
    if codec is None:
        raise InputError("is no JPEG or PNG picture; choose one of these for a cover")
    try:
        with av.open(BytesIO(data), format="jpeg_pipe" if codec == "mjpeg" else "png_pipe") as container:
            frame = next(container.decode(video=0))
    except (av.FFmpegError, StopIteration):
        raise InputError("is a damaged picture; choose another cover") from None
    return Picture(data, codec, frame.width, frame.height, frame.format.name)


def flac_block(picture: Picture) -> bytes:
    """The picture as a METADATA_BLOCK_PICTURE (RFC 9639, 8.8), which Ogg holds in base64."""
    mime = picture.mime_type.encode()
    depth = 24
    return (
        struct.pack(">II", FRONT_COVER, len(mime))
        + mime
        + struct.pack(">I", 0)
        + struct.pack(">IIII", picture.width, picture.height, depth, 0)
        + struct.pack(">I", len(picture.data))
        + picture.data
    )


def draw_cover(title: str, author: str) -> bytes:
    """A plain cover as JPEG: a label and a frame on a cloth whose colour follows from title and author."""
    red, green, blue = (
        40 + byte * 90 // 255 for byte in blake2b(f"{title}\n{author}".encode(), digest_size=3).digest()
    )
    image = np.empty((DRAWN_HEIGHT, DRAWN_WIDTH, 3), dtype=np.uint8)
    image[:] = (red, green, blue)
    image[40:-40, 40:-40] = PAPER
    image[52:-52, 52:-52] = (red, green, blue)
    image[220:470, 160:-160] = PAPER
    for top, inset in ((290, 260), (350, 330), (410, 400)):
        image[top : top + 12, inset:-inset] = (red, green, blue)
    return _jpeg(image)


def _jpeg(image: np.ndarray) -> bytes:  # type: ignore[type-arg]
    import av

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = image.shape[1], image.shape[0], "yuvj420p"
    encoder.time_base = Fraction(1)
    encoder.options = {"qmin": "2", "qmax": "3"}
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuvj420p", dst_color_range=2)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
