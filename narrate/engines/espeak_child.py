"""The process that eSpeak NG runs in. `espeak.py` starts this file as a script, so it imports next to nothing.

The library is GPL and not thread-safe, and a crash in it must not take the narration along: hence a process of its own.
On stdin and stdout travel frames, each a 4-byte little-endian length and so many bytes:

    first, to the parent     the sample rate (4 bytes) and the version; or a rate of 0 and why it cannot start
    from the parent          voice, a zero byte, text, both UTF-8
    to the parent            the sound, 16-bit samples; none if there is nothing to say

It ends when stdin does, that is, no later than its parent.
"""

from __future__ import annotations

import _ctypes
import ctypes
import faulthandler
import os
import signal
import struct
import sys
from typing import IO

LIMIT = 60.0  # seconds for one text, which takes some milliseconds; after that the process ends itself
_SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1  # from speak_lib.h
_LIBRARIES = {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}
_Receive = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Library:
    """eSpeak NG, loaded anew for every text and unloaded after it.

    It keeps the phase of its waves and more from one text to the next, so that the same text would not sound the same
    twice; `espeak_Terminate` does not reset them. Loading takes 0.3 ms.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, _LIBRARIES.get(sys.platform, "libespeak-ng.so"))
        self._data = os.path.join(folder, "espeak-ng-data")

    def __enter__(self) -> Library:
        self.calls = ctypes.CDLL(self._path)
        self.sample_rate = self.calls.espeak_Initialize(_SYNCHRONOUS, 200, os.fsencode(self._data), _DONT_EXIT)
        if self.sample_rate <= 0:
            raise OSError(f"its data cannot be read from {self._data}")
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.espeak_Terminate()
        if sys.platform == "win32":
            _ctypes.FreeLibrary(self.calls._handle)
        else:
            _ctypes.dlclose(self.calls._handle)

    @property
    def version(self) -> bytes:
        self.calls.espeak_Info.restype = ctypes.c_char_p
        version: bytes = self.calls.espeak_Info(None)
        return version

    def speak(self, voice: bytes, text: bytes) -> bytes:
        """The sound of `text`, 16-bit samples; none if all of it is silence."""
        pieces: list[bytes] = []

        def receive(samples: int | None, count: int, _: int | None) -> int:
            if samples and count > 0:
                pieces.append(ctypes.string_at(samples, 2 * count))
            return 0

        callback = _Receive(receive)
        self.calls.espeak_SetSynthCallback(callback)
        if self.calls.espeak_SetVoiceByName(voice) != 0:
            raise ValueError(f"no voice {voice!r}")
        self.calls.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8, None, None)
        self.calls.espeak_Synchronize()
        sound = b"".join(pieces)
        return sound if any(sound) else b""


def send(stream: IO[bytes], frame: bytes) -> None:
    stream.write(struct.pack("<I", len(frame)) + frame)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """The next frame. Raises `EOFError` if the other side has gone."""
    head = stream.read(4)
    size = struct.unpack("<I", head)[0] if len(head) == 4 else 0
    frame = stream.read(size)
    if len(head) < 4 or len(frame) < size:
        raise EOFError("the other process has gone")
    return frame


def serve(folder: str, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    library = Library(folder)
    try:
        with library:
            send(replies, struct.pack("<I", library.sample_rate) + library.version)
    except (OSError, AttributeError) as error:
        return send(replies, struct.pack("<I", 0) + str(error).encode())
    while True:
        voice, _, text = receive(requests).partition(b"\0")
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        with library:
            sound = library.speak(voice, text)
        faulthandler.cancel_dump_traceback_later()
        send(replies, sound)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library may print must not end up among the samples
    try:
        serve(sys.argv[1], sys.stdin.buffer, replies)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # not through the interpreter's farewell: flushing `replies` would fail once more


if __name__ == "__main__":
    main()
