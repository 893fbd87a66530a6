"""eSpeak NG: a small, quick, rule-made voice for nine languages. Runs in a child process (see espeak_child.py)."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Lock
from typing import Any, ClassVar
from weakref import ref

import numpy as np

from narrate.clip import Clip, from_int16
from narrate.clock import Clock
from narrate.engines import Abilities, Request, VoiceEntry, check_voice
from narrate.engines.espeak_child import receive, send
from narrate.errors import EngineError
from narrate.packages import pip_install
from narrate.pipeline import Background
from narrate.text.document import Chunk
from narrate.voice import Voice

VERSION = "1"  # a new one whenever the same request sounds different: it is part of the key of a take
DEATHS_IN_A_ROW = 6  # of the child, with nothing spoken in between: then the engine is given up
PATIENCE_SECONDS = 30.0  # for one text, which takes some milliseconds; a child that takes longer is ended
LOOKS = 30  # within that patience
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

    If the child dies over a text, or does not answer, it is tried once more in a new child; then the clip names the
    failure.
    """

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {}
    name: ClassVar[str] = "espeak"
    sample_rate: ClassVar[int] = 22_050
    abilities: ClassVar[Abilities] = Abilities(frozenset(_DEFAULTS), deterministic=True, uses_seed=False)

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._deaths = 0
        self._silent = False  # the last of them was no death: it did not answer
        self._closed = False
        self._lock = Lock()  # between the text that is being spoken and `cancel`
        self._speaking: str | None = None
        self._cancelled: set[str] = set()

    @cached_property
    def fingerprint(self) -> Mapping[str, str]:
        from importlib.metadata import version

        return {"engine": "espeak", "version": VERSION, "espeakng-loader": version("espeakng-loader")}

    def check(self, voice: Voice) -> None:
        check_voice(self.name, voice, VOICES, self.abilities.languages)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Start the child. If it dies at once, the first text finds out why."""
        self._refuse_if_closed()
        self.check(voice)
        with suppress(EOFError, OSError):
            self._living_child()

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        """One clip per request, in order; none for the cancelled. Raises `EngineError` if no child stays alive."""
        self._refuse_if_closed()
        for voice in {request.voice for request in requests}:
            self.check(voice)
        try:
            spoken = [self._speak(request) for request in requests]
        finally:
            with self._lock:
                self._speaking = None
                self._cancelled.clear()
        return [clip for clip in spoken if clip is not None]

    def cancel(self, ids: Collection[str]) -> None:
        with self._lock:
            self._cancelled.update(ids)
            if self._speaking in self._cancelled and (child := self._child) is not None:
                child.kill()

    def close(self) -> None:
        self._closed = True
        self._end_child()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise EngineError("The espeak engine was closed and cannot speak any more. This is a defect.")

    def _speak(self, request: Request) -> Clip | None:
        with self._lock:
            self._speaking = request.id
        name = request.voice.name or _DEFAULTS.get(request.chunk.language)
        if name is None:
            return request.failed(f"espeak does not speak '{request.chunk.language}'", self.sample_rate)
        sound = self._ask(_VOICES[name][1], request)
        if self._is_cancelled(request):
            return None
        if sound is None:
            why = "did not answer to this text twice" if self._silent else "died of this text twice"
            return request.failed(f"the speech process {why}", self.sample_rate)
        if not sound:
            return request.failed("nothing to say", self.sample_rate)
        return request.clip(from_int16(np.frombuffer(sound, dtype="<i2")), self.sample_rate)

    def _ask(self, voice: str, request: Request) -> bytes | None:
        """The chunk's sound as the child gives it; None if the child died over it twice, or if it was cancelled."""
        for _ in range(2):
            try:
                child = self._living_child()
                if self._is_cancelled(request):
                    return None
                sound = child.ask(voice, request.chunk.spoken)
            except (EOFError, OSError):
                self._silent = self._child is not None and self._child.silent
                code = self._end_child()
                if self._is_cancelled(request):
                    return None
                self._count_death(code, request.chunk)
            else:
                self._deaths = 0
                return sound
        return None

    def _is_cancelled(self, request: Request) -> bool:
        with self._lock:
            return request.id in self._cancelled

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

    def _count_death(self, code: int | None, chunk: Chunk) -> None:
        import logging

        self._deaths += 1
        fate = f"did not answer for {PATIENCE_SECONDS:g} seconds" if self._silent else f"died (exit code {code})"
        what = f"The speech process of espeak {fate} at chunk {chunk.index}: {chunk.text[:60]!r}"
        if self._deaths >= DEATHS_IN_A_ROW:
            raise EngineError(f"{what}, and {self._deaths} times in a row. Try another engine with --engine.")
        logging.getLogger(__name__).warning("%s; it is started again.", what)


class _Child:
    """The running process, and the two pipes to it."""

    def __init__(self) -> None:
        package = find_spec("espeakng_loader")
        if package is None or not package.submodule_search_locations:
            raise EngineError(f"espeak needs the package espeakng-loader: {pip_install('espeakng-loader')}")
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
        self._killed = self._waits = False
        self.silent = False
        """It was ended because it did not answer."""
        self._ended = Event()
        Background(partial(_watch, ref(self), self._ended), "narrate-espeak-watch")

    @property
    def usable(self) -> bool:
        return self._asked < TEXTS_PER_CHILD and not self._killed and self._process.poll() is None

    def greet(self, sample_rate: int) -> None:
        """Hear whether it could load the library. Raises `EngineError` if not, `EOFError` if it died."""
        self._waits = True
        hello = receive(self._replies)
        self._waits = False
        rate, text = struct.unpack("<I", hello[:4])[0], hello[4:].decode("utf-8", "replace")
        if rate == 0:
            again = pip_install("espeakng-loader", again=True)
            raise EngineError(f"eSpeak NG cannot be loaded: {text}. Try: {again}")
        if rate != sample_rate:
            raise EngineError(f"eSpeak NG {text} speaks at {rate} Hz, not at {sample_rate}. This is a defect.")

    def ask(self, voice: str, text: str) -> bytes:
        """16-bit samples of `text`. Raises `EOFError` or `OSError` if the process dies meanwhile."""
        self._asked += 1
        spoken = text.replace("\0", " ").encode("utf-8", "replace")
        self._waits = True
        send(self._requests, voice.encode() + b"\0" + spoken)
        sound = receive(self._replies)
        self._waits = False
        return sound

    @property
    def question(self) -> int | None:
        """The number of the text that it is asked for now, None while it is idle."""
        return self._asked if self._waits else None

    def give_up(self) -> None:
        """It does not answer: have whoever waits for it wait no more."""
        self.silent = True
        self._process.kill()

    def kill(self) -> None:
        """May be called from any thread."""
        self._killed = True
        self._process.kill()

    def end(self) -> int:
        """Kill it if it still runs, and take its exit code away. It has nothing to lose."""
        self._ended.set()
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(OSError):  # what was still to be sent to the dead
                pipe.close()
        return code


def _watch(child: ref[_Child], ended: Event) -> None:
    """End a process that does not answer, because somebody stopped it perhaps. Its own watch stops with it.

    What is counted are looks and not the time, which also passes while all of narrate is stopped. A child that nobody
    holds any more ends by itself.
    """
    looks, before = 0, None
    while not ended.wait(PATIENCE_SECONDS / LOOKS):
        watched = child()
        if watched is None:
            return
        question = watched.question
        looks = looks + 1 if question is not None and question == before else 0
        before = question
        if looks > LOOKS:
            watched.give_up()
            return
        del watched
