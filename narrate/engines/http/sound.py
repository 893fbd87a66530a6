"""What a speech server sent, as samples: WAV of any kind, raw PCM, MP3 and what else it may be. Looks at the bytes.

Servers label their answers wrongly, write WAV headers before they know the length, glue a WAV for each sentence to the
last, or send events where sound was asked for; all of that is met here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from dataclasses import dataclass, field

import numpy as np

from narrate.clip import Samples, from_int16, join

PCM_RATE = 24_000  # of raw samples, where the server does not say it
_WAV = re.compile(rb"RIFF....WAVE", re.DOTALL)
_EVENT = re.compile(rb"(?:event|data|id|retry)?:")
_SAMPLE_TYPES = {(1, 8): "u1", (1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}
_EXTENSIBLE = 0xFFFE


class BadSound(ValueError):
    """What was sent is no sound; the message says what it is, in a few words."""


@dataclass(slots=True)
class Heard:
    """Samples, mono, within [-1, 1], and their rate in Hz."""

    samples: Samples
    sample_rate: int


def decode(data: bytes, rate: int | None = None) -> Heard:
    """All that a server sent for one text. `rate` is what it said of its samples, for those without a header.

    Raises BadSound.
    """
    if not data:
        raise BadSound("the server sent no sound")
    if _WAV.match(data):
        return _wavs(data)
    if data.startswith((b"ID3", b"OggS", b"fLaC")) or data[4:8] == b"ftyp" or _is_mpeg(data):
        return _encoded(data)
    if data.lstrip()[:1] in (b"{", b"["):
        raise BadSound(f"the server sent a message instead of sound: {_message(data)}")
    if data.lstrip()[:1] == b"<":
        raise BadSound("the server sent a web page instead of sound")
    if _EVENT.match(data):
        return decode(_from_events(data), rate)
    return Heard(_pcm16(data), rate or PCM_RATE)


@dataclass(slots=True)
class Arriving:
    """Sound that comes piece by piece. Only a WAV file of unknown length and raw PCM can be heard before the end.

    `rate` is what the server said of its samples; then what they have, once that is known.
    """

    rate: int | None = None
    _data: bytearray = field(default_factory=bytearray, init=False)
    _given: int = field(default=0, init=False)  # bytes of `_data` that were heard
    _looked: bool = field(default=False, init=False)
    _plain: _Header | None = field(default=None, init=False)  # how to read it as it comes, if that can be

    def feed(self, data: bytes) -> Samples:
        """What can be heard now."""
        self._data += data
        if not self._looked:
            self._look()
        if self._plain is None:
            return np.zeros(0, np.float32)
        size = np.dtype(self._plain.type).itemsize
        end = len(self._data) - (len(self._data) - self._given) % size
        samples = _samples(bytes(self._data[self._given : end]), self._plain)
        self._given = end
        return samples

    def _look(self) -> None:
        """Find out what it is, once enough of it has come."""
        data = bytes(self._data)
        if len(data) < 64:
            return
        self._looked = True
        if _WAV.match(data):
            found = _header(data)
            if found is None:
                self._looked = len(data) > 4096
            elif found.channels == 1 and found.unlimited:
                self._plain, self.rate, self._given = found, found.rate, found.start
        elif self.rate is not None and not _looks_like_something(data):
            self._plain = _Header("<i2", 1, self.rate, 0, 0, True)


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the samples of a WAV file lie. `unlimited`: its length was not known when it was written."""

    type: str
    channels: int
    rate: int
    start: int
    end: int
    unlimited: bool


def _looks_like_something(data: bytes) -> bool:
    start = data.lstrip()[:1]
    known = data.startswith((b"ID3", b"OggS", b"fLaC")) or data[4:8] == b"ftyp" or _is_mpeg(data)
    return known or start in (b"{", b"[", b"<") or _EVENT.match(data) is not None


def _is_mpeg(data: bytes) -> bool:
    """MP3 or ADTS without a tag before it. Raw PCM hardly begins so: its first sample would be almost full scale."""
    return len(data) > 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] not in (0xFF, 0xE0)


def _header(data: bytes, begin: int = 0) -> _Header | None:
    """The header of the WAV file that begins there; None if it has not all come, or is none."""
    at, layout = begin + 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        body = at + 8
        if name == b"fmt " and body + 16 <= len(data):
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", data[body : body + 16])
            if kind == _EXTENSIBLE and body + 26 <= len(data):
                kind = struct.unpack("<H", data[body + 24 : body + 26])[0]
            layout = (_SAMPLE_TYPES.get((kind, bits)), channels, rate)
        elif name == b"data":
            if layout is None or layout[0] is None or not layout[1] or not layout[2]:
                return None
            unlimited = size in (0, 0xFFFFFFFF) or size >= 0x7FFFFF00
            end = len(data) if unlimited else min(len(data), body + size)
            return _Header(layout[0], layout[1], layout[2], body, end, unlimited)
        at = body + size + size % 2
    return None


def _wavs(data: bytes) -> Heard:
    """One WAV file, or several one after the other."""
    starts = [match.start() for match in _WAV.finditer(data)]
    parts: list[Samples] = []
    rate = 0
    for number, begin in enumerate(starts):
        found = _header(data, begin)
        if found is None or (number and begin < 12):
            continue
        following = starts[number + 1] if number + 1 < len(starts) else len(data)
        parts.append(_samples(data[found.start : min(found.end, following)], found))
        rate = rate or found.rate
    if not rate:
        raise BadSound("the server sent a WAV file that cannot be read")
    return Heard(join(parts), rate)


def _samples(data: bytes, found: _Header) -> Samples:
    size = np.dtype(found.type).itemsize * found.channels
    raw = np.frombuffer(data[: len(data) // size * size], found.type)
    samples: Samples
    if found.type == "<i2":
        samples = from_int16(raw)
    elif found.type == "u1":
        samples = np.asarray(raw, np.float32) / np.float32(128) - np.float32(1)
    else:
        samples = np.asarray(raw, np.float32) / np.float32(2.0**31 if found.type == "<i4" else 1.0)
    if found.channels > 1:
        samples = np.asarray(samples.reshape(-1, found.channels).mean(axis=1), np.float32)
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def _pcm16(data: bytes) -> Samples:
    return from_int16(np.frombuffer(data[: len(data) // 2 * 2], "<i2"))


def _encoded(data: bytes) -> Heard:
    import io

    import av

    try:
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams.audio[0]
            rate = stream.codec_context.sample_rate
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            frames = [*container.decode(stream), None]
            parts = [np.asarray(made.to_ndarray()[0]) for frame in frames for made in resampler.resample(frame)]
    except (av.FFmpegError, IndexError) as error:
        raise BadSound("the server sent sound that cannot be read") from error
    return Heard(np.clip(join(parts), -1.0, 1.0).astype(np.float32), rate)


def _from_events(data: bytes) -> bytes:
    """The sound of server-sent events as OpenAI's and vLLM-Omni's servers write them."""
    sound = bytearray()
    for line in data.splitlines():
        if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
            continue
        try:
            event = json.loads(line[5:])
            if isinstance(event, dict) and "error" in str(event.get("type", "")):
                raise BadSound(f"the server broke off: {_message(line[5:])}")
            sound += base64.b64decode(event.get("audio") or event.get("delta") or b"")
        except (ValueError, AttributeError, TypeError, binascii.Error) as error:
            if isinstance(error, BadSound):
                raise
    if not sound:
        raise BadSound("the server sent events without sound")
    return bytes(sound)


def _message(data: bytes) -> str:
    return message_of(data) or "no words"


def message_of(data: bytes) -> str:
    """What an error's body says, in one short line; "" if it says nothing."""
    text = data[:4000].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    while isinstance(found, dict | list):
        if isinstance(found, list):
            found = found[0] if found else ""
        else:
            found = next((found[key] for key in ("error", "message", "detail", "msg") if found.get(key)), "")
    words = " ".join((found if isinstance(found, str) else "").split())
    return words[:200]
