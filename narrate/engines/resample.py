"""Sound at another sample rate, by FFmpeg's resampler."""

from __future__ import annotations

import numpy as np

from narrate.clip import Samples, join


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """The same sound at `wanted` Hz, within one sample of its due length."""
    if rate == wanted or not len(samples):
        return samples
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = rate
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    made = join(np.asarray(each.to_ndarray()[0], dtype=np.float32) for each in frames)
    return np.clip(made, -1.0, 1.0)
