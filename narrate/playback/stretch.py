"""Speed without a change of pitch, by FFmpeg's atempo. Done after generation, so that one take serves every speed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from narrate.clip import Clip, Samples, join, silence

SLOWEST, FASTEST = 0.5, 2.0


class Stretch:
    """A stream of samples at `speed` times its pace, `SLOWEST` to `FASTEST`. At 1.0 samples pass untouched.

    Whatever is pushed is stretched, pauses too; so push a chunk and its pause, or leave the pause out and scale it.
    """

    def __init__(self, speed: float, sample_rate: int) -> None:
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed {speed} is not within {SLOWEST}–{FASTEST}")
        self.speed, self.sample_rate = speed, sample_rate
        self._pushed = self._pulled = 0
        if speed == 1.0:
            return
        import av.filter

        self._graph = av.filter.Graph()
        self._graph.threads = 1  # else FFmpeg starts one for every processor
        source = self._graph.add_abuffer(
            format="flt", sample_rate=sample_rate, layout="mono", time_base=Fraction(1, sample_rate)
        )
        self._graph.link_nodes(source, self._graph.add("atempo", str(speed)), self._graph.add("abuffersink"))
        self._graph.configure()

    def push(self, samples: Samples) -> Samples:
        """What is ready of the sound so far: about `len(samples) / speed` samples, some hundredths of a second late."""
        if self.speed == 1.0 or not len(samples):
            return samples
        import av

        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = self.sample_rate, Fraction(1, self.sample_rate), self._pushed
        self._graph.push(frame)
        self._pushed += len(samples)
        return self._pull()

    def flush(self) -> Samples:
        """The rest, to the very last sample pushed. Ends the stream.

        atempo is some hundredths of a second off. A sound that ends in silence gets its due length to the sample, in
        that silence; one that goes on (the speed changes in mid-word) is left as it is, for silence would be heard.
        """
        if self.speed == 1.0 or not self._pushed:
            return silence(0, self.sample_rate)
        self._graph.push(None)
        rest = self._pull()
        missing = round(self._pushed / self.speed) - self._pulled
        if missing > 0 and not rest[-1:].any():
            return join([rest, np.zeros(missing, np.float32)])
        if missing < 0 and not rest[missing:].any():
            return rest[:missing]
        return rest

    def _pull(self) -> Samples:
        import av

        parts: list[Samples] = []
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray()[0])
            except (av.BlockingIOError, av.EOFError):
                break
        ready = join(parts)
        self._pulled += len(ready)
        return ready


def stretched(clip: Clip, speed: float) -> Clip:
    """The whole clip at `speed` times its pace."""
    stretch = Stretch(speed, clip.sample_rate)
    return replace(clip, samples=join([stretch.push(clip.samples), stretch.flush()]))
