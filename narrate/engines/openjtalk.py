"""Open JTalk: a small Japanese voice, by way of pyopenjtalk-plus. Its dictionary reads kanji as they stand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, Samples, silence
from narrate.clock import Clock
from narrate.engines import Abilities, Request, VoiceEntry, check_voice
from narrate.errors import EngineError
from narrate.packages import pip_install
from narrate.voice import Voice

VERSION = "1"  # a new one whenever the same request sounds different: it is part of the key of a take
VOICES = (VoiceEntry("mei", ("ja",), "Japanese, female (mei_normal)"),)
GAIN = 0.55 / 32768  # its peaks are around full scale, and in one sentence of ten beyond it
KNEE = 0.8  # up to here the sound is left as it is


def soften(wave: NDArray[np.float64]) -> Samples:
    """The package's samples brought within [-1, 1]: a fixed gain, then peaks bent over above `KNEE`.

    What happens to a sample depends on that sample alone, so no sentence is louder than the next for it.
    """
    scaled = wave * GAIN
    size = np.abs(scaled)
    room = 1 - KNEE
    bent = np.where(size > KNEE, np.sign(scaled) * (KNEE + room * np.tanh((size - KNEE) / room)), scaled)
    return np.asarray(bent, dtype=np.float32)


class OpenJTalk:
    """A `BatchEngine`, in this process. Same text, same samples."""

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {}
    name: ClassVar[str] = "openjtalk"
    sample_rate: ClassVar[int] = 48_000
    abilities: ClassVar[Abilities] = Abilities(frozenset({"ja"}), deterministic=True, uses_seed=False)

    def __init__(self) -> None:
        self._closed = self._prepared = False
        self._cancelled: set[str] = set()

    @cached_property
    def fingerprint(self) -> Mapping[str, str]:
        packages = ("pyopenjtalk-plus", "sudachidict-core", "onnxruntime")  # the last two decide some readings
        return {"engine": "openjtalk", "version": VERSION, **{package: _version(package) for package in packages}}

    @cached_property
    def _package(self) -> Any:
        return _import_package()

    def check(self, voice: Voice) -> None:
        check_voice(self.name, voice, VOICES, self.abilities.languages)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Load the dictionary and the voice, which the package does over its first text."""
        self._refuse_if_closed()
        self.check(voice)
        if not self._prepared:
            _say(self._package, "あ", self.sample_rate)
        self._prepared = True

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        """One clip per request, in order; none for those that were cancelled before their turn."""
        self._refuse_if_closed()
        for voice in {request.voice for request in requests}:
            self.check(voice)
        try:
            return [self._speak(request) for request in requests if request.id not in self._cancelled]
        finally:
            self._cancelled.clear()

    def cancel(self, ids: Collection[str]) -> None:
        self._cancelled.update(ids)

    def close(self) -> None:
        self._closed = True

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise EngineError("The openjtalk engine was closed and cannot speak any more. This is a defect.")

    def _speak(self, request: Request) -> Clip:
        if request.chunk.language not in self.abilities.languages:
            return request.failed(f"openjtalk does not speak '{request.chunk.language}'", self.sample_rate)
        try:
            samples = _say(self._package, request.chunk.spoken, self.sample_rate)
        except RuntimeError as error:  # a text of more than 8 kB, for one
            return request.failed(f"openjtalk: {error}", self.sample_rate)
        if not len(samples):
            return request.failed("nothing to say", self.sample_rate)
        return request.clip(samples, self.sample_rate)


def _say(package: Any, text: str, sample_rate: int) -> Samples:
    features = _sayable(package.run_frontend(text.encode("utf-8", "replace").decode()))
    if not features:
        return silence(0, sample_rate)
    wave, rate = package.synthesize(package.make_label(features))
    if rate != sample_rate:
        raise EngineError(f"Open JTalk speaks at {rate} Hz, not at {sample_rate}. This is a defect.")
    return soften(wave)


def _sayable(features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The words without the marks that Open JTalk would itself leave out, with a warning on stderr for each.

    They are ー with no vowel before it to lengthen, and ！ and ？ before the first word. Empty if there is no word.
    """
    kept: list[dict[str, Any]] = []
    said = False
    for feature in features:
        mark = not feature["pron"].strip("ー！？")
        stray = feature["pron"].startswith("ー") and not (kept and kept[-1]["mora_size"])
        if mark and (not said or stray):
            continue
        kept.append(feature)
        said = said or feature["mora_size"] > 0
    return kept if said else []


def _import_package() -> Any:
    """The imported `pyopenjtalk`. Raises `EngineError`."""
    if find_spec("onnxruntime") is None:
        # Without onnxruntime this module of the package answers 0, too, but first prints two lines on stdout, where
        # the sound may be going.
        module = ModuleType("pyopenjtalk.yomi_model.nani_predict")
        module.__dict__["predict"] = lambda following: 0
        sys.modules.setdefault(module.__name__, module)
    try:
        return import_module("pyopenjtalk")
    except (ImportError, OSError) as error:
        remedy = pip_install("pyopenjtalk-plus", again=True)
        raise EngineError(f"Open JTalk cannot be loaded: {error}. Try: {remedy}") from error


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
