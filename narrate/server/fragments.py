"""Sound as browsers take it while it is made: AAC in fragments of MP4, each of which can be played when it is there."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrate.errors import SinkError

FRAME_SAMPLES = 1024  # of one packet of AAC
LEAD_IN_SAMPLES = FRAME_SAMPLES
"""What a decoder gives before the first sample that was encoded. Players differ in whether they leave it out when a
file tells them to, so the file does not tell them, and all times count it: it is a short silence at the beginning."""
FRAGMENT_SECONDS = 0.5
BIT_RATE = 64_000
_HEAD = struct.Struct(">I4s")


class Fragment(NamedTuple):
    """A piece of the file (boxes `moof` and `mdat`), and the samples it holds, counted from the beginning."""

    data: bytes
    start: int
    end: int


class Encoder:
    """16-bit samples in, fragments out. `head` is the beginning of the file, which a player needs first."""

    def __init__(self, sample_rate: int, bit_rate: int = BIT_RATE) -> None:
        """Raises `SinkError` for a sample rate that AAC does not have."""
        import av

        if sample_rate not in (av.Codec("aac", "w").audio_rates or ()):
            raise SinkError(f"Browsers cannot play sound of {sample_rate} Hz. Choose another voice.")
        self.sample_rate = sample_rate
        self.head = b""
        self._written = 0  # samples
        self._out = _Bytes()
        self._container: Any = av.open(
            self._out,
            "w",
            format="mp4",
            options={
                "movflags": "empty_moov+default_base_moof+skip_trailer",
                "frag_duration": str(round(FRAGMENT_SECONDS * 1_000_000)),
            },
        )
        self._stream: Any = self._container.add_stream("aac", rate=sample_rate, layout="mono")
        self._stream.bit_rate = bit_rate

    @property
    def samples(self) -> int:
        """The length of the file so far, with what is still on its way to a fragment."""
        return LEAD_IN_SAMPLES + self._written

    def add(self, samples: NDArray[np.int16]) -> list[Fragment]:
        """Encode the samples. Returns the fragments that are complete because of them."""
        import av

        if not len(samples):
            return []
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = self.sample_rate, Fraction(1, self.sample_rate)
        frame.pts = self._written
        self._written += len(samples)
        self._container.mux(self._stream.encode(frame))
        return list(self._complete())

    def end(self) -> list[Fragment]:
        """The last fragments. The sound is filled up to whole frames with silence."""
        rest = -self._written % FRAME_SAMPLES
        last = self.add(np.zeros(rest, dtype=np.int16))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return [*last, *self._complete()]

    def _complete(self) -> Iterator[Fragment]:
        """Take the whole boxes out of what the muxer has written."""
        data = self._out.data
        while (fragment := _first_boxes(data)) is not None:
            taken = bytes(data[:fragment])
            del data[:fragment]
            if taken[4:8] == b"moof":
                start, frames = _extent(taken)
                yield Fragment(taken, start, start + frames * FRAME_SAMPLES)
            else:
                self.head += taken


class _Bytes:
    """A file that can be written only, so that the muxer never goes back."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def _first_boxes(data: bytearray) -> int | None:
    """The length of the first box, together with the next if it is a `moof`; None if that is not all there."""
    end = 0
    while len(data) >= end + _HEAD.size:
        size, kind = _HEAD.unpack_from(data, end)
        end += int(size)
        if len(data) < end:
            return None
        if kind != b"moof":
            return end
    return None


def _extent(fragment: bytes) -> tuple[int, int]:
    """The first sample of a fragment, and how many frames it has. The boxes are those of ISO/IEC 14496-12."""
    decode_time = fragment.index(b"tfdt") + 4
    (start,) = struct.unpack_from(">Q" if fragment[decode_time] else ">I", fragment, decode_time + 4)
    (frames,) = struct.unpack_from(">I", fragment, fragment.index(b"trun") + 8)
    return start, frames
