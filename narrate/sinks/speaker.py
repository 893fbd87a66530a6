"""The loudspeaker."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

import numpy as np

from narrate.clip import Clip, Samples, silence
from narrate.errors import SinkError
from narrate.sinks import Sink, portaudio

LATENCY = 0.2  # seconds of sound in the device: enough for a busy machine, little to wait for after a key press
HANGS_SECONDS = 5.0  # a device that takes so long for one block does not answer any more
BLOCK = 0.02  # seconds given to the device at once: how long another thread waits to stop it


class Speaker(Sink):
    """Plays clips on a device, opened once for a whole narration, by the constructor. A context manager.

    `write` blocks as the device does. `abort` may be called from any thread, the rest from the one that writes.
    """

    is_heard = True

    def __init__(self, sample_rate: int, device: str | None = None) -> None:
        """`device`: a number or a part of a name. Raises as `portaudio.find_device` does, and `SinkError`."""
        self.sample_rate = sample_rate
        self._sounddevice = portaudio.load()
        self._device = portaudio.find_device(device)
        self._one_at_a_time = threading.Lock()
        self._aborted = self._closed = False
        self._delivering_since: float | None = None  # when the block began that the device is taking now
        self._written = self._delivered = 0  # samples of clips; the same with the silence after them
        self._excused = 0  # running dry is as it should be until this many samples are delivered
        self.rest()
        try:
            with portaudio.unheard():
                self._stream: Any = self._sounddevice.OutputStream(
                    samplerate=sample_rate, channels=1, dtype="float32", device=self._device.number, latency=LATENCY
                )
                self._stream.start()
        except self._sounddevice.PortAudioError as error:
            raise SinkError(
                f"The sound device {self._device.name!r} cannot play {sample_rate} Hz ({portaudio.words(error)}). "
                f"Choose another (`narrate devices`), {portaudio.INSTEAD}."
            ) from error

    @property
    def heard_seconds(self) -> float:
        """How much of what was written has sounded, as far as the device says how late it is."""
        sounded = self._delivered - round(float(self._stream.latency) * self.sample_rate)
        return max(0, min(self._written, sounded)) / self.sample_rate

    def rest(self) -> None:
        """No sound will come for a while, and that is as it should be: the gap is not counted as an underflow."""
        self._excused = self._delivered + round(LATENCY * self.sample_rate)  # it is reported some blocks late

    def write(self, clip: Clip) -> None:
        """Play the clip; returns when all but the last `LATENCY` seconds of it have sounded. Raises `SinkError`."""
        self._written += self._play(clip.samples)

    def abort(self) -> None:
        """Silence now: what the device still holds is dropped, and what is written from now on is not heard."""
        self._aborted = True
        held = self._one_at_a_time.acquire(timeout=5 * BLOCK)  # without it if the device hangs
        try:
            if not self._closed:
                self._stream.abort()
        except self._sounddevice.PortAudioError:
            pass  # gone already, and silent
        finally:
            if held:
                self._one_at_a_time.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self.abort()
            elif self._written:
                self.rest()
                # Many sound servers drop what they hold when a stream ends: let that be silence.
                self._play(silence(1.3 * self._stream.latency + 0.1, self.sample_rate))
        finally:
            with self._one_at_a_time:
                self._closed = True
                self._stream.close(ignore_errors=True)

    def _play(self, samples: Samples) -> int:
        """Deliver the samples, or as many as there is time for before `abort`. Returns how many."""
        step = round(BLOCK * self.sample_rate)
        before = self._delivered
        for start in range(0, len(samples), step):
            with self._one_at_a_time:
                if self._aborted:
                    break
                self._deliver(np.ascontiguousarray(samples[start : start + step], dtype=np.float32))
        return self._delivered - before

    @property
    def hangs(self) -> bool:
        since = self._delivering_since
        return since is not None and time.monotonic() - since > HANGS_SECONDS

    def _deliver(self, block: Samples) -> None:
        self._delivering_since = time.monotonic()
        try:
            ran_dry = self._stream.write(block)
        except self._sounddevice.PortAudioError as error:
            if self._aborted:  # without waiting for us, because the device hung
                return
            raise SinkError(
                f"The sound device {self._device.name!r} stopped playing ({portaudio.words(error)}). "
                f"Check it and start again, {portaudio.INSTEAD}."
            ) from error
        finally:
            self._delivering_since = None
        self._delivered += len(block)
        self.gaps += ran_dry and self._delivered > self._excused
