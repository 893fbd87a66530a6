"""The sound devices of this machine, through PortAudio (sounddevice)."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from narrate.errors import InputError, SinkError
from narrate.packages import how_to_install
from narrate.text.characters import with_capital

STDERR = 2  # its descriptor, which C libraries write to
INSTEAD = "or write a file with -o book.wav"


class Device(NamedTuple):
    """A device that can play. `number` may change when devices come and go; a part of the name is safer."""

    number: int
    name: str
    default: bool


def devices() -> list[Device]:
    """All devices that can play sound; none on a machine without. Raises `SinkError` if PortAudio is missing."""
    sounddevice = load()
    chosen = sounddevice.default.device[1]
    return [
        Device(number, facts["name"], number == chosen)
        for number, facts in enumerate(sounddevice.query_devices())
        if facts["max_output_channels"] > 0
    ]


def find_device(wanted: str | None = None) -> Device:
    """The device with this number, this name or this part of a name; the default one for None.

    Raises `InputError` if none or several are meant, `SinkError` if there is none at all.
    """
    present = devices()
    if not present:
        raise SinkError(f"There is no sound device here. {_what_to_do()}, {INSTEAD}.")
    if wanted is None:
        return next((device for device in present if device.default), present[0])
    exact = [device for device in present if wanted in (str(device.number), device.name)]
    found = exact or [device for device in present if wanted.lower() in device.name.lower()]
    if len(found) != 1:
        names = ", ".join(f"{device.number} {device.name}" for device in found or present)
        fault = f"{wanted!r} names several sound devices" if found else f"There is no sound device {wanted!r}"
        raise InputError(f"{fault}. Choose from: {names}.")
    return found[0]


def _what_to_do() -> str:
    """Where a sound server runs and PortAudio, which knows ALSA alone, finds no device, ALSA lacks its plugin."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    served = os.environ.get("PULSE_SERVER") or (runtime and os.path.exists(os.path.join(runtime, "pulse", "native")))
    if sys.platform == "linux" and served:
        return with_capital(how_to_install("the PulseAudio plugin of ALSA"))
    return "Connect one"


def load() -> Any:
    """The module `sounddevice`. Its first import looks for devices, about 0.1 s. Raises `SinkError`.

    While it looks, it sends all that is written to stderr nowhere.
    """
    try:
        import sounddevice
    except OSError as error:
        raise SinkError(
            f"Sound cannot be played: the PortAudio library is missing. To hear it, {how_to_install('PortAudio')}. "
            f"Until then, {INSTEAD.removeprefix('or ')}."
        ) from error
    except Exception as error:  # PortAudioError, which cannot be imported now
        raise SinkError(f"There is no sound here ({words(error)}). Check the sound settings, {INSTEAD}.") from error
    if sys.platform == "linux":
        _silence_alsa()
    return sounddevice


@contextmanager
def unheard() -> Iterator[None]:
    """What the libraries below PortAudio write to stderr meanwhile goes nowhere: what matters comes as an error."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nowhere)


def words(error: Exception) -> str:
    """What PortAudio, or the system below it, calls the failure."""
    below = error.args[2][2] if len(error.args) > 2 else ""
    return str(below or error.args[0])


_AlsaSays = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
_UNHEARD = _AlsaSays(lambda *_: None)  # ALSA keeps only its address: it has to outlive every sound


def _silence_alsa() -> None:
    """No line from ALSA about each underflow, in the midst of our own display: we count them."""
    with suppress(OSError, AttributeError):  # PortAudio was built without it
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_UNHEARD)
