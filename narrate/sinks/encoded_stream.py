"""Sound as a stream of bytes, in the formats that programs ask for, to whoever takes the bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, to_int16
from narrate.sinks import Sink, wav

PCM_RATE = 24_000  # Hz; programs that ask for raw samples expect them so, as OpenAI gives them
LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """A format that can be read while it is written. `codec` is FFmpeg's name for it, "" for plain samples; `bit_rate`
    is for one channel of speech, 0 for lossless. `rate` is the sample rate if none is asked for; None is the engine's.
    """

    media_type: str
    container: str = ""
    codec: str = ""
    bit_rate: int = 0
    rate: int | None = None
    options: dict[str, str] = field(default_factory=dict)


FORMATS = {
    # A Xing header would say how long the sound is before that is known; players on iOS believe it.
    "mp3": StreamFormat("audio/mpeg", "mp3", "libmp3lame", 80_000, options={"write_xing": "0", "id3v2_version": "0"}),
    # Pages of 0.2 s: otherwise nothing is sent for the first second.
    "opus": StreamFormat("audio/ogg", "ogg", "libopus", 40_000, options={"page_duration": "200000"}),
    "aac": StreamFormat("audio/aac", "adts", "aac", 64_000),
    "flac": StreamFormat("audio/flac", "flac", "flac"),
    "wav": StreamFormat("audio/wav"),
    "pcm": StreamFormat("audio/pcm", rate=PCM_RATE),
}
"""By the names that OpenAI has for them."""


class EncodedStream(Sink):
    """The bytes of all clips in `format`, mono, 16 bit, told to `send` as soon as there are some.

    `sample_rate` is that of the clips, `rate` the one to be heard, `bit_rate` in bits per second instead of that of the
    format. There is one header, and a length in it only if it never has one wrong: WAV says "unknown". A codec that
    does not know the rate gets the next higher one. No byte is ever taken back.
    """

    def __init__(
        self,
        send: Callable[[bytes], object],
        format: str,
        sample_rate: int,
        rate: int | None = None,
        bit_rate: int | None = None,
    ) -> None:
        self._send, self._format, self._format_name = send, FORMATS[format], format
        self._bit_rate = self._format.bit_rate and (bit_rate or self._format.bit_rate)
        self.source_rate = sample_rate
        self.rate = self._known_rate(rate or self._format.rate or sample_rate)
        """Samples in a second of what is sent."""
        self.samples = 0
        """Of the clips, as they came."""
        self.sent_samples = 0
        """Plain samples that were sent; 0 in a format with a codec."""
        self._container: Any = None
        self._stream: Any = None
        self._resampler: Any = None
        self._written: list[bytes] = []

    def _known_rate(self, wanted: int) -> int:
        if not self._format.codec:
            return wanted
        import av

        known: list[int] = av.Codec(self._format.codec, "w").audio_rates or [wanted]
        return min((rate for rate in known if rate >= wanted), default=max(known))

    def __enter__(self) -> Self:
        if self._format.codec:
            self._begin_encoding()
        elif self._format_name == "wav":
            self._send(wav.header(self.rate, None))
        if self.rate != self.source_rate:
            import av

            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=self.rate)
        return self

    def _begin_encoding(self) -> None:
        import av

        options = {**self._format.options, "flush_packets": "1"}
        self._container = av.open(_OneWay(self._written), "w", format=self._format.container, options=options)
        self._stream = self._container.add_stream(self._format.codec, rate=self.rate, layout="mono")
        self._stream.codec_context.thread_count = 1  # else FFmpeg keeps threads for each of many listeners
        if self._bit_rate:
            self._stream.bit_rate = self._bit_rate
        self._container.start_encoding()

    def write(self, clip: Clip) -> None:
        """Send all that is complete of the clip, and wait as long as `send` does. Raises what `send` raises."""
        samples = to_int16(clip.samples)
        if not len(samples):
            return
        frame = self._frame(samples, self.source_rate, self.samples)
        self.samples += len(samples)
        if self._resampler is None:
            self._encode(frame)
        else:
            for ready in self._resampler.resample(frame):
                self._encode(ready)
        self._pass_on()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._close()
            return
        if self._resampler is not None and self.samples:
            for ready in self._resampler.resample(None):
                self._encode(ready)
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._pass_on()
        self._close()

    def _frame(self, samples: NDArray[np.int16], rate: int, at: int) -> Any:
        import av

        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), at
        return frame

    def _encode(self, frame: Any) -> None:
        if self._container is None:
            samples = frame.to_ndarray().astype("<i2", copy=False).tobytes()
            self.sent_samples += len(samples) // 2
            self._written.append(samples)
        else:
            self._container.mux(self._stream.encode(frame))

    def _pass_on(self) -> None:
        # Not from within FFmpeg, whose C code an error would have to cross.
        data = b"".join(self._written)
        self._written.clear()
        if data:
            self._send(data)

    def _close(self) -> None:
        if self._container is not None:
            with suppress(OSError, ValueError):
                self._container.close()
        self._container = self._stream = self._resampler = None
        self._written.clear()


class _OneWay:
    """Where FFmpeg writes; it has no way back to the beginning, and so it does not try to correct a header there."""

    def __init__(self, written: list[bytes]) -> None:
        self._written = written

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)
