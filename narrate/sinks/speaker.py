"""The loudspeaker, through PortAudio (sounddevice), and the list of sound devices."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from narrate.clip import Clip, Samples, silence
from narrate.errors import InputError, SinkError

LATENCY = 0.2  # seconds of sound in the device: enough for a busy machine, little to wait for after a key press
BLOCK = 0.02  # seconds given to the device at once: how long another thread waits to stop it

INSTEAD = "or write a file with -o book.wav"


class Device(NamedTuple):
    """A device that can play. `number` may change when devices come and go; a part of the name is safer."""

    number: int
    name: str
    default: bool


def devices() -> list[Device]:
    """All devices that can play sound; none on a machine without. Raises `SinkError` if PortAudio is missing."""
    sounddevice = _sounddevice()
    chosen = sounddevice.default.device[1]
    return [
        Device(number, facts["name"], number == chosen)
        for number, facts in enumerate(sounddevice.query_devices())
        if facts["max_output_channels"] > 0
    ]


def find_device(wanted: str | None = None) -> Device:
    """The device with this number, this name or this part of a name; the default one for None. Raises `InputError`."""
    present = devices()
    if not present:
        raise SinkError(f"There is no sound device here. Connect one, {INSTEAD}.")
    if wanted is None:
        return next((device for device in present if device.default), present[0])
    exact = [device for device in present if wanted in (str(device.number), device.name)]
    found = exact or [device for device in present if wanted.lower() in device.name.lower()]
    if len(found) != 1:
        names = ", ".join(f"{device.number} {device.name}" for device in found or present)
        fault = f"{wanted!r} names several sound devices" if found else f"There is no sound device {wanted!r}"
        raise InputError(f"{fault}. Choose from: {names}.")
    return found[0]


class Speaker:
    """Plays clips on a device, opened once for a whole narration, by the constructor. A context manager.

    `write` blocks as the device does. `abort` may be called from any thread, the rest from the one that writes.
    """

    def __init__(self, sample_rate: int, device: str | None = None) -> None:
        """Raises `InputError` for a device that is not there, `SinkError` if none is or it cannot be opened."""
        self.sample_rate = sample_rate
        self.underflows = 0
        """How often the sound broke off because the next of it came late."""
        self.written_seconds = 0.0
        self._sounddevice = _sounddevice()
        self._device = find_device(device)
        self._one_at_a_time = threading.Lock()
        self._aborted = self._closed = False
        self._resting = True  # before the first clip, and while the listener pauses, an empty device is as it should be
        try:
            with _hushed():
                self._stream: Any = self._sounddevice.OutputStream(
                    samplerate=sample_rate, channels=1, dtype="float32", device=self._device.number, latency=LATENCY
                )
                self._stream.start()
        except self._sounddevice.PortAudioError as error:
            raise SinkError(
                f"The sound device {self._device.name!r} cannot play {sample_rate} Hz ({_words(error)}). "
                f"Choose another (`narrate devices`), {INSTEAD}."
            ) from error

    def __enter__(self) -> Speaker:
        return self

    @property
    def heard_seconds(self) -> float:
        """Sound that has left the device, as far as the device says how late it is."""
        return max(0.0, self.written_seconds - float(self._stream.latency))

    def rest(self) -> None:
        """No sound will come for a while, and that is as it should be: the next gap is not counted as an underflow."""
        self._resting = True

    def write(self, clip: Clip) -> None:
        """Play the clip; returns when all but the last `LATENCY` seconds of it have sounded. Raises `SinkError`."""
        self._play(clip.samples)

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
            elif self.written_seconds and not self._aborted:
                self._resting = True
                # Some systems' sound servers drop what they hold when a stream ends: let that be silence.
                self._play(silence(1.3 * self._stream.latency + 0.1, self.sample_rate))
        finally:
            self._closed = True
            self._stream.close(ignore_errors=True)

    def _play(self, samples: Samples) -> None:
        step = round(BLOCK * self.sample_rate)
        for start in range(0, len(samples), step):
            with self._one_at_a_time:
                if self._aborted:
                    return
                block = np.ascontiguousarray(samples[start : start + step], dtype=np.float32)
                self._deliver(block)

    def _deliver(self, block: Samples) -> None:
        try:
            ran_dry = self._stream.write(block)
        except self._sounddevice.PortAudioError as error:
            if self._aborted:
                return
            raise SinkError(
                f"The sound device {self._device.name!r} stopped playing ({_words(error)}). "
                f"Check it and start again, {INSTEAD}."
            ) from error
        self.underflows += ran_dry and not self._resting
        self._resting = False
        self.written_seconds += len(block) / self.sample_rate


def _words(error: Exception) -> str:
    """What PortAudio, or the system below it, calls the failure."""
    if len(error.args) > 2:
        return str(error.args[2][2])
    return str(error.args[0])


def _sounddevice() -> Any:
    try:
        with _hushed():
            import sounddevice
    except OSError as error:
        raise SinkError(
            "Sound cannot be played: the PortAudio library is missing. Install it (`sudo apt install libportaudio2`), "
            f"{INSTEAD}."
        ) from error
    return sounddevice


@contextmanager
def _hushed() -> Iterator[None]:
    """Without the lines that PortAudio, ALSA and JACK print past Python about every device that they do not find."""
    try:
        terminal = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
