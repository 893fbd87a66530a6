"""The table of engines: what can be known of each without importing it, and how one is loaded by name."""

from __future__ import annotations

import inspect
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Any

from narrate.engines import Engine, VoiceEntry
from narrate.engines.batched import Batched, Rows
from narrate.errors import InputError
from narrate.text.chunking.chunks import Lengths
from narrate.text.language import LANGUAGES


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """A line of the table of engines: what can be known of one without importing it.

    `home` is "module:Class"; the module has `VOICES`, and the class has `OPTIONS` (option name → how to read its text).
    `batches`: the class is a `BatchEngine`, otherwise it is an `Engine`, and the options `rows_options` say how many
    requests it takes at once. `lengths` are the lengths of chunks that suit it; if it `wants_gpu`, `slow_lengths` where
    there is none; `processor` is then a module whose `not_chosen` says why it should not run without one. `auto`: it
    may be chosen without being named.
    """

    name: str
    home: str
    languages: tuple[str, ...]
    description: str
    packages: tuple[str, ...] = ()
    remedy: str = ""
    batches: bool = False
    rows_options: tuple[str, ...] = ()
    lengths: Lengths = Lengths()
    slow_lengths: Lengths = Lengths()
    wants_gpu: bool = False
    processor: str | None = None
    auto: bool = True

    @property
    def module(self) -> str:
        return self.home.partition(":")[0]

    def missing(self) -> str | None:
        """Why the engine cannot run here, with the remedy; None if it can. Imports nothing."""
        absent = [package for package in self.packages if not _installed(package)]
        return f"{self.name} needs {' and '.join(absent)}: {self.remedy}" if absent else None

    def voices(self) -> tuple[VoiceEntry, ...]:
        entries: tuple[VoiceEntry, ...] = import_module(self.module).VOICES
        return entries

    def load(self) -> Any:
        """The engine's class. Raises `InputError` with the remedy if it cannot run here."""
        if (missing := self.missing()) is not None:
            raise InputError(missing)
        return getattr(import_module(self.module), self.home.partition(":")[2])


# An engine that is slower than speech with a row alone has a chunk ready the later the longer it is.
_SLOW = Lengths(wide=40, narrow=120, stretch=1.5, opening=0.5)

ENGINES = (
    EngineEntry(
        name="qwen",
        home="narrate.engines.qwen:Qwen",
        languages=tuple(LANGUAGES),
        description="Qwen3-TTS, a neural voice",
        packages=("torch", "qwen_tts"),
        remedy="pip install torch 'qwen-tts>=0.1.1'",
        rows_options=("slots", "batch_size"),
        slow_lengths=_SLOW,
        wants_gpu=True,
        processor="narrate.engines.qwen.trial",
    ),
    EngineEntry(
        name="openjtalk",
        home="narrate.engines.openjtalk:OpenJTalk",
        batches=True,
        languages=("ja",),
        description="Open JTalk, a small Japanese voice",
        packages=("pyopenjtalk",),
        remedy="pip install pyopenjtalk-plus",
    ),
    EngineEntry(
        name="espeak",
        home="narrate.engines.espeak:Espeak",
        batches=True,
        languages=("en", "zh", "ko", "de", "fr", "ru", "pt", "es", "it"),
        description="eSpeak NG, a small voice for nine languages",
        packages=("espeakng_loader",),
        remedy="pip install espeakng-loader",
    ),
    EngineEntry(
        name="tone",
        home="narrate.engines.tone:Tone",
        batches=True,
        languages=tuple(LANGUAGES),
        description="a test signal as long as the speech would be",
        auto=False,
    ),
    EngineEntry(
        name="tone-stream",
        home="narrate.engines.tone:ToneStream",
        rows_options=("slots",),
        languages=tuple(LANGUAGES),
        description="the test signal in pieces, while more text is taken in",
        lengths=_SLOW,
        auto=False,
    ),
)
"""All engines, the best first."""


def find_engine(name: str) -> EngineEntry:
    """The engine of that name. Raises `InputError` naming those that exist."""
    for entry in ENGINES:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENGINES if entry.auto)
    raise InputError(f"There is no engine '{name}'. Choose one of: auto, {known}.")


def voices(name: str) -> tuple[VoiceEntry, ...]:
    """The voices of the engine called `name`, the default one of each language first."""
    return find_engine(name).voices()


def engine_lengths(name: str) -> Lengths:
    """The lengths of chunks that suit the engine called `name`."""
    entry = find_engine(name)
    return entry.slow_lengths if entry.wants_gpu and without_gpu() else entry.lengths


def load_engine(spec: str, *, rows: Rows = None, **options: object) -> Engine:
    """The engine that `spec` names, as "espeak" or "tone:rtf=0.4,fail=3+7"; `options` are further ones as values.

    `rows` is how many requests it takes at once: "auto" is what was measured to be best here, None its own choice.
    Raises `InputError` for an engine or option that does not exist, a value that cannot be read, or a missing package.
    """
    name, _, text = spec.partition(":")
    entry = find_engine(name)
    kind = entry.load()
    if rows is not None:
        options = {**dict.fromkeys(entry.rows_options, rows), **options}
    options |= _read_options(name, text, kind.OPTIONS)
    known = inspect.signature(kind).parameters
    for key in options:
        if key not in known:
            raise _no_flag(name, key)
    engine: Engine = Batched(kind(**options), rows) if entry.batches else kind(**options)
    return engine


def _read_options(name: str, text: str, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, object]:
    options: dict[str, object] = {}
    for item in filter(None, text.split(",")):
        key, _, value = item.partition("=")
        if key not in readers:
            raise _no_option(name, key, readers)
        try:
            options[f"{key}_" if iskeyword(key) else key] = readers[key](value)
        except ValueError as error:
            raise InputError(f"Engine {name} cannot read the option {key}={value}: {error}") from None
    return options


def _no_option(name: str, key: str, readers: Mapping[str, object]) -> InputError:
    known = f"It has: {', '.join(readers)}." if readers else "It has none."
    return InputError(f"Engine {name} has no option '{key}'. {known}")


def without_gpu() -> str | None:
    """None if PyTorch could use a CUDA or Apple GPU here, else what is lacking; found out without importing it, which
    takes seconds."""
    if sys.platform == "darwin":
        return None if platform.machine() == "arm64" else "it needs an Apple M processor to be quick enough"
    drivers = ("/proc/driver/nvidia/version", "/dev/dxg", r"C:\Windows\System32\nvcuda.dll")
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1") or not any(map(os.path.exists, drivers)):
        return "it needs an NVIDIA GPU to be quick enough"
    torch = find_spec("torch")
    folders = torch.submodule_search_locations if torch is not None else None
    if not any(Path(folder, "lib").glob("*torch_cuda*") for folder in folders or ()):
        return "it needs a PyTorch with CUDA to use the GPU (see pytorch.org)"
    return None


def _no_flag(name: str, key: str) -> InputError:
    """An option of the command line that is for other engines."""
    others = [entry.name for entry in ENGINES if entry.auto and entry.missing() is None and key in entry.load().OPTIONS]
    able = ", ".join(others or ["qwen"])
    return InputError(f"--{key.replace('_', '-')} is for {able}, not for {name}. Leave it out, or use -e {able}.")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
