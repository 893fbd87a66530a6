"""Two engines as one: what the first does not speak, the second says, at the first one's sample rate (`--mixed`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from narrate.clip import Clip, Samples, join
from narrate.engines import BatchEngine
from narrate.text.document import Chunk
from narrate.voice import Voice


@dataclass(slots=True)
class Mixed:
    """`first` gets the voice that was asked for; `second` the voice it has itself for a chunk's language."""

    first: BatchEngine
    second: BatchEngine

    @property
    def name(self) -> str:
        return self.first.name

    @property
    def sample_rate(self) -> int:
        return self.first.sample_rate

    @property
    def languages(self) -> frozenset[str]:
        return self.first.languages | self.second.languages

    @property
    def repeats(self) -> bool:
        return self.first.repeats and self.second.repeats

    @property
    def fingerprint(self) -> Mapping[str, str]:
        other = {f"second {name}": value for name, value in self.second.fingerprint.items()}
        return {**self.first.fingerprint, **other}

    def check(self, voice: Voice) -> None:
        self.first.check(voice)

    def synthesize_batch(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """The clips of both engines; those of the second are resampled."""
        native = [chunk for chunk in chunks if chunk.language in self.first.languages]
        foreign = [chunk for chunk in chunks if chunk.language not in self.first.languages]
        clips = self.first.synthesize_batch(native, voice) if native else []
        if foreign:
            plain = Voice(seed=voice.seed)
            clips += [self._resampled(clip) for clip in self.second.synthesize_batch(foreign, plain)]
        return clips

    def _resampled(self, clip: Clip) -> Clip:
        if clip.sample_rate == self.sample_rate or not len(clip.samples):
            return replace(clip, sample_rate=self.sample_rate)
        return replace(
            clip, samples=_resample(clip.samples, clip.sample_rate, self.sample_rate), sample_rate=self.sample_rate
        )

    def cancel(self) -> None:
        self.first.cancel()
        self.second.cancel()

    def close(self) -> None:
        self.first.close()
        self.second.close()


def _resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """The same sound at another sample rate, by FFmpeg's resampler; within one sample of its due length."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = rate
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    resampled = join(np.asarray(frame.to_ndarray()[0], dtype=np.float32) for frame in frames)
    return np.clip(resampled, -1.0, 1.0)
