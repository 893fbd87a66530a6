"""eSpeak NG: a small, quick, rule-made voice for nine languages. Runs in a child process (see espeak_child.py)."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from narrate.clip import Clip, from_int16, silence
from narrate.engines import VoiceEntry, check_voice
from narrate.engines.espeak_child import receive, send
from narrate.errors import EngineError
from narrate.text.document import Chunk
from narrate.voice import Voice

VERSION = "1"  # a new one whenever the same request sounds different: it is part of the key of a take
PATIENCE = 6  # deaths of the child in a row, with nothing spoken in between, before the engine is given up
TEXTS_PER_CHILD = 1000  # the library loses some kilobytes with every text

# Voice: (language, the library's name for it, description). The first of a language is its default.
_VOICES = {
    "en-us": ("en", "gmw/en-US", "American English"),
    "en-us+f1": ("en", "gmw/en-US+f1", "American English, female"),
    "en-gb": ("en", "gmw/en", "British English"),
    "en-gb+f1": ("en", "gmw/en+f1", "British English, female"),
    "en-gb-scotland": ("en", "gmw/en-GB-scotland", "Scottish English"),
    "cmn": ("zh", "sit/cmn", "Mandarin Chinese"),
    "cmn+f1": ("zh", "sit/cmn+f1", "Mandarin Chinese, female"),
    "yue": ("zh", "sit/yue", "Cantonese"),
    "ko": ("ko", "ko", "Korean"),
    "ko+f1": ("ko", "ko+f1", "Korean, female"),
    "de": ("de", "gmw/de", "German"),
    "de+f1": ("de", "gmw/de+f1", "German, female"),
    "fr": ("fr", "roa/fr", "French"),
    "fr+f1": ("fr", "roa/fr+f1", "French, female"),
    "ru": ("ru", "zle/ru", "Russian"),
    "ru+f1": ("ru", "zle/ru+f1", "Russian, female"),
    "pt": ("pt", "roa/pt", "Portuguese of Portugal"),
    "pt+f1": ("pt", "roa/pt+f1", "Portuguese of Portugal, female"),
    "pt-br": ("pt", "roa/pt-BR", "Brazilian Portuguese"),
    "es": ("es", "roa/es", "Spanish of Spain"),
    "es+f1": ("es", "roa/es+f1", "Spanish of Spain, female"),
    "es-419": ("es", "roa/es-419", "Latin American Spanish"),
    "it": ("it", "roa/it", "Italian"),
    "it+f1": ("it", "roa/it+f1", "Italian, female"),
}
VOICES = tuple(VoiceEntry(name, (language,), text) for name, (language, _, text) in _VOICES.items())
# Reversed, so that the first of a language stays.
_DEFAULTS = {language: name for name, (language, _, _) in reversed(_VOICES.items())}


class Espeak:
    """A `BatchEngine`. Same text and voice, same samples, whatever was said before.

    If the child dies over a text it is tried once more in a new child; then the clip names the failure.
    """

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {}
    name: ClassVar[str] = "espeak"
    sample_rate: ClassVar[int] = 22_050
    languages: ClassVar[frozenset[str]] = frozenset(_DEFAULTS)
    repeats: ClassVar[bool] = True

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._deaths = 0
        self._cancelled = self._closed = False

    @cached_property
    def fingerprint(self) -> Mapping[str, str]:
        from importlib.metadata import version

        return {"engine": "espeak", "version": VERSION, "espeakng-loader": version("espeakng-loader")}

    def check(self, voice: Voice) -> None:
        check_voice(self.name, voice, VOICES, self.languages)

    def synthesize_batch(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One clip per chunk, in order; fewer after `cancel`. Raises `EngineError` if no child stays alive."""
        if self._closed:
            raise EngineError("The espeak engine was closed and cannot speak any more. This is a defect.")
        self.check(voice)
        self._cancelled = False
        clips = []
        for chunk in chunks:
            clip = self._speak(chunk, voice.name or _DEFAULTS.get(chunk.language))
            if self._cancelled:
                break
            clips.append(clip)
        return clips

    def cancel(self) -> None:
        self._cancelled = True
        if (child := self._child) is not None:
            child.kill()

    def close(self) -> None:
        self._closed = True
        self._end_child()

    def _speak(self, chunk: Chunk, name: str | None) -> Clip:
        failure: str | None = None
        samples = silence(0, self.sample_rate)
        if name is None:
            failure = f"espeak does not speak '{chunk.language}'"
        elif (sound := self._ask(_VOICES[name][1], chunk)) is None:
            failure = "the speech process died of this text twice"
        elif sound:
            samples = from_int16(np.frombuffer(sound, dtype="<i2"))
        else:
            failure = "nothing to say"
        return Clip(chunk.index, samples, self.sample_rate, failure=failure)

    def _ask(self, voice: str, chunk: Chunk) -> bytes | None:
        """The sound of the chunk as the child gives it; None if the child died over it twice, or was killed."""
        for _ in range(2):
            try:
                sound = self._living_child().ask(voice, chunk.spoken)
            except (EOFError, OSError):
                code = self._end_child()
                if self._cancelled:
                    return None
                self._mourn(code, chunk)
            else:
                self._deaths = 0
                return sound
        return None

    def _living_child(self) -> _Child:
        if self._child is not None and not self._child.usable:
            self._end_child()
        if self._child is None:
            self._child = _Child()
            self._child.greet(self.sample_rate)
        return self._child

    def _end_child(self) -> int | None:
        child, self._child = self._child, None
        return child.end() if child is not None else None

    def _mourn(self, code: int | None, chunk: Chunk) -> None:
        import logging

        self._deaths += 1
        what = f"The speech process of espeak died (exit code {code}) at chunk {chunk.index}: {chunk.text[:60]!r}"
        if self._deaths >= PATIENCE:
            raise EngineError(f"{what}, and {self._deaths} times in a row. Try another engine with --engine.")
        logging.getLogger(__name__).warning("%s; it is started again.", what)


class _Child:
    """The running process, and the two pipes to it."""

    def __init__(self) -> None:
        package = find_spec("espeakng_loader")
        if package is None or not package.submodule_search_locations:
            raise EngineError("espeak needs the package espeakng-loader: pip install espeakng-loader")
        script = Path(__file__).with_name("espeak_child.py")
        # -I and -S: without the user's environment and site-packages it starts in half the time.
        command = [sys.executable, "-I", "-S", str(script), package.submodule_search_locations[0]]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._asked = 0
        self._killed = False

    @property
    def usable(self) -> bool:
        return self._asked < TEXTS_PER_CHILD and not self._killed and self._process.poll() is None

    def greet(self, sample_rate: int) -> None:
        """Hear whether it could load the library. Raises `EngineError` if not, `EOFError` if it died."""
        hello = receive(self._replies)
        rate, text = struct.unpack("<I", hello[:4])[0], hello[4:].decode("utf-8", "replace")
        if rate == 0:
            raise EngineError(f"eSpeak NG cannot be loaded: {text}. Try: pip install --force-reinstall espeakng-loader")
        if rate != sample_rate:
            raise EngineError(f"eSpeak NG {text} speaks at {rate} Hz, not at {sample_rate}. This is a defect.")

    def ask(self, voice: str, text: str) -> bytes:
        """16-bit samples of `text`. Raises `EOFError` or `OSError` if the process dies meanwhile."""
        self._asked += 1
        spoken = text.replace("\0", " ").encode("utf-8", "replace")
        send(self._requests, voice.encode() + b"\0" + spoken)
        return receive(self._replies)

    def kill(self) -> None:
        """May be called from any thread."""
        self._killed = True
        self._process.kill()

    def end(self) -> int:
        """Kill it if it still runs, and take its exit code away. It has nothing to lose."""
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(OSError):  # what was still to be sent to the dead
                pipe.close()
        return code
