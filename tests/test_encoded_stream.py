"""A stream of bytes holds every sample: decoded again, it is as long as what went in, in every format and rate."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.clip import Clip
from narrate.errors import ClosedPipe
from narrate.sinks import wav
from narrate.sinks.encoded_stream import FORMATS, PCM_RATE, EncodedStream
from narrate.text.document import Chunk

CHUNK = Chunk(
    index=0, chapter=1, title="", paragraph=0, text="Hm.", spoken="Hm.", language="en", pause=0.0, start=0, end=3
)
LATE_SECONDS = {"mp3": 0.11, "aac": 0.12}  # what these codecs put before and after the sound, at low rates


def tone(count: int, rate: int) -> np.ndarray:
    return (0.3 * np.sin(np.arange(count) * 2 * np.pi * 220 / rate)).astype(np.float32)


def streamed(lengths: list[int], format: str, at: int, **wishes: int) -> tuple[list[bytes], EncodedStream]:
    sent: list[bytes] = []
    with EncodedStream(sent.append, format, at, **wishes) as stream:
        for length in lengths:
            stream.write(Clip(CHUNK, tone(length, at), at))
    return sent, stream


def decoded(data: bytes, format: str) -> tuple[int, int]:
    """Samples and their rate, as FFmpeg reads them."""
    if format == "pcm":
        return len(data) // 2, PCM_RATE
    count = 0
    with av.open(io.BytesIO(data)) as container:
        sound = container.streams.audio[0]
        for frame in container.decode(sound):
            count += frame.samples
        return count, sound.rate


@pytest.mark.parametrize("rate", [22_050, 24_000, 48_000])
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_of_the_sound_is_lost_at_either_end(format: str, rate: int) -> None:
    lengths = [round(0.7 * rate), 1, round(1.1 * rate) + 17]
    sent, _ = streamed(lengths, format, rate)
    count, heard_rate = decoded(b"".join(sent), format)
    seconds = sum(lengths) / rate
    assert seconds - 0.002 <= count / heard_rate <= seconds + LATE_SECONDS.get(format, 0.002)


@pytest.mark.parametrize("format", ["flac", "wav"])
def test_lossless_formats_hold_exactly_the_samples(format: str) -> None:
    sent, _ = streamed([11_025, 4], format, 22_050)
    with av.open(io.BytesIO(b"".join(sent))) as container:
        heard = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    expected = np.concatenate([tone(11_025, 22_050), tone(4, 22_050)])
    assert np.array_equal(heard.astype(np.int64), np.rint(expected * 32768).astype(np.int64))


@pytest.mark.parametrize("format", FORMATS)
def test_the_first_sound_is_sent_before_the_last_is_written(format: str) -> None:
    sent: list[bytes] = []
    with EncodedStream(sent.append, format, 24_000) as stream:
        for _ in range(10):
            stream.write(Clip(CHUNK, tone(2_400, 24_000), 24_000))
        early = len(b"".join(sent))
    assert early > 0.4 * len(b"".join(sent))


def test_a_wave_stream_has_one_header_that_says_its_length_is_unknown() -> None:
    sent, _ = streamed([100, 100, 100], "wav", 24_000)
    data = b"".join(sent)
    assert data.count(b"RIFF") == 1
    assert struct.unpack("<I", data[4:8]) == struct.unpack("<I", data[wav.HEADER - 4 : wav.HEADER]) == (0xFFFFFFFF,)
    assert len(data) == wav.HEADER + 600


@given(lengths=st.lists(st.integers(0, 3_000), max_size=8), rate=st.sampled_from([8_000, 16_000, 44_100]))
@settings(max_examples=40)
def test_plain_samples_keep_their_length_at_any_rate_however_they_were_cut(lengths: list[int], rate: int) -> None:
    sent, stream = streamed(lengths, "pcm", 22_050, rate=rate)
    assert abs(len(b"".join(sent)) / 2 - sum(lengths) * rate / 22_050) <= 40
    assert stream.rate == rate
    assert stream.samples == sum(lengths)


def test_a_reader_that_has_left_is_told_to_whoever_writes() -> None:
    def gone(data: bytes) -> None:
        raise ClosedPipe("The client has left.")

    with pytest.raises(ClosedPipe), EncodedStream(gone, "mp3", 24_000) as stream:
        for _ in range(20):
            stream.write(Clip(CHUNK, tone(24_000, 24_000), 24_000))


def test_a_bit_rate_of_ones_own_makes_other_files() -> None:
    small, large = (len(b"".join(streamed([48_000], "mp3", 24_000, bit_rate=rate)[0])) for rate in (32_000, 128_000))
    assert 3 < large / small < 5
