"""Compressed sound files: FLAC, MP3 and Opus, encoded by FFmpeg's libraries (PyAV)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrate.sinks.audiofile import AudioFile


@dataclass(frozen=True, slots=True)
class Coding:
    """How FFmpeg calls a file format and its codec. `bit_rate` is for one channel of speech; 0 for lossless."""

    container: str
    codec: str
    bit_rate: int = 0


CODINGS = {
    # libsndfile writes FLAC too, but says nothing when the disk fills up while it closes the file.
    ".flac": Coding("flac", "flac"),
    ".mp3": Coding("mp3", "libmp3lame", 80_000),
    ".ogg": Coding("ogg", "libopus", 40_000),  # Opus as well: PyAV's FFmpeg has no good Vorbis encoder
    ".opus": Coding("ogg", "libopus", 40_000),
}


class EncodedFile(AudioFile):
    """A compressed file in the coding its suffix names, mono. FLAC holds exactly the samples that WAV holds.

    A codec that does not know `sample_rate` gets the next higher rate that it knows (22,050 → 24,000 Hz for Opus).
    """

    def __init__(self, path: Path, sample_rate: int, tags: Mapping[str, str]) -> None:
        super().__init__(path, sample_rate)
        self._tags = dict(tags)
        self._container: Any = None
        self._stream: Any = None
        self._samples = 0

    def _begin(self, part: Path) -> None:
        import av

        coding = CODINGS[self.path.suffix.lower()]
        self._container = av.open(str(part), "w", format=coding.container)
        self._container.metadata.update(self._tags)
        known = av.Codec(coding.codec, "w").audio_rates or [self.sample_rate]
        rate = min((rate for rate in known if rate >= self.sample_rate), default=max(known))
        self._stream = self._container.add_stream(coding.codec, rate=rate, layout="mono")
        if coding.bit_rate:
            self._stream.bit_rate = coding.bit_rate
        self._container.start_encoding()

    def _add(self, samples: NDArray[np.int16]) -> None:
        import av

        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = self.sample_rate, Fraction(1, self.sample_rate), self._samples
        self._samples += len(samples)
        self._container.mux(self._stream.encode(frame))

    def _end(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _close(self) -> None:
        if self._container is not None:
            with suppress(OSError):  # it tries to write what is left, which nobody wants any more
                self._container.close()
