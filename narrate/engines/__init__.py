"""Voice engines: the contract they keep, and the table to load one by name.

planner.py                 which chunks go together
tuning.py                  the batch size that was measured to be best here
espeak.py espeak_child.py  eSpeak NG, in a child process
openjtalk.py               Open JTalk
tone.py                    a test signal
mixed.py                   two engines as one
qwen/                      Qwen3-TTS
"""

from __future__ import annotations

import inspect
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Any, Protocol

from narrate.clip import Clip
from narrate.errors import InputError
from narrate.text.chunking.chunks import Lengths
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

BATCH = 10  # chunks at once, where nothing else is known


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """A line of `narrate voices`. `languages` are two-letter codes it is native to."""

    name: str
    languages: tuple[str, ...]
    description: str


class Engine(Protocol):
    """Turns chunks into clips. Built in no time; models load at the first `synthesize`, in the thread that calls it.

    `fingerprint` names everything of the engine that shapes its sound (package and model version, options): with the
    voice and the spoken text it is the key of a take. `repeats`: the engine always gives the same take for a text and
    a voice, so that asking again is in vain. Only one thread calls an engine, `cancel` apart.
    """

    @property
    def name(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def languages(self) -> frozenset[str]: ...
    @property
    def repeats(self) -> bool: ...
    @property
    def fingerprint(self) -> Mapping[str, str]: ...

    def check(self, voice: Voice) -> None:
        """Raise `InputError` for a voice this engine does not have, or a wish it cannot honour. Starts nothing."""
        ...

    def synthesize(self, chunks: Iterable[Chunk | None], voice: Voice) -> Iterator[Clip]:
        """Yield clips for the chunks pulled, in any order; every chunk pulled comes out exactly once.

        None among the chunks says: no more now. Go on with those in hand; with none in hand, end, to be called again.
        """
        ...

    def cancel(self) -> None:
        """Make the running `synthesize` end soon, between frames if it can. May be called from any thread."""
        ...

    def close(self) -> None:
        """Give memory and child processes back. May be called twice."""
        ...


class BatchEngine(Protocol):
    """What an engine that works in batches writes instead of `synthesize`: the narrator plans and retries for it."""

    @property
    def name(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def languages(self) -> frozenset[str]: ...
    @property
    def repeats(self) -> bool: ...
    @property
    def fingerprint(self) -> Mapping[str, str]: ...

    def check(self, voice: Voice) -> None: ...

    def synthesize_batch(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One clip per chunk (whole, `final=True`), in any order. Raising fails the batch, which is then split."""
        ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """A line of the table of engines: what can be known of one without importing it.

    `home` is "module:Class"; the module has `VOICES`, the class the contract and `OPTIONS` (option name → how to read
    its text). `wide` and `narrow` are the chunk lengths that suit it, in characters: for Chinese, Japanese and Korean,
    and for all others. `auto`: may be chosen without being named.
    """

    name: str
    home: str
    languages: tuple[str, ...]
    description: str
    packages: tuple[str, ...] = ()
    remedy: str = ""
    wide: int = 70
    narrow: int = 240
    wants_gpu: bool = False
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


ENGINES = (
    EngineEntry(
        name="qwen",
        home="narrate.engines.qwen:Qwen",
        languages=tuple(LANGUAGES),
        description="Qwen3-TTS, a neural voice",
        packages=("torch", "qwen_tts"),
        remedy="pip install 'narrate-aloud[qwen]'",
        wants_gpu=True,
    ),
    EngineEntry(
        name="openjtalk",
        home="narrate.engines.openjtalk:OpenJTalk",
        languages=("ja",),
        description="Open JTalk, a small Japanese voice",
        packages=("pyopenjtalk",),
        remedy="pip install 'narrate-aloud[ja]'",
    ),
    EngineEntry(
        name="espeak",
        home="narrate.engines.espeak:Espeak",
        languages=("en", "zh", "ko", "de", "fr", "ru", "pt", "es", "it"),
        description="eSpeak NG, a small voice for nine languages",
        packages=("espeakng_loader",),
        remedy="pip install espeakng-loader",
    ),
    EngineEntry(
        name="tone",
        home="narrate.engines.tone:Tone",
        languages=tuple(LANGUAGES),
        description="a test signal as long as the speech would be",
        auto=False,
    ),
    EngineEntry(
        name="tone-stream",
        home="narrate.engines.tone:ToneStream",
        languages=tuple(LANGUAGES),
        description="the test signal in pieces, while more text is taken in",
        auto=False,
    ),
)
"""All engines, the best first."""


def find_engine(name: str) -> EngineEntry:
    """The engine of that name. Raises `InputError` naming those that exist."""
    for entry in ENGINES:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENGINES)
    raise InputError(f"There is no engine '{name}'. Choose one of: auto, {known}.")


def voices(name: str) -> tuple[VoiceEntry, ...]:
    """The voices of the engine called `name`, the default one of each language first."""
    return find_engine(name).voices()


def engine_lengths(name: str) -> Lengths:
    """The lengths of chunks that suit the engine called `name`."""
    entry = find_engine(name)
    return Lengths(entry.wide, entry.narrow)


def load_engine(spec: str, **options: object) -> Engine | BatchEngine:
    """The engine that `spec` names, as "espeak" or "tone:rtf=0.4,fail=3+7"; `options` are further ones as values.

    Raises `InputError` for an engine or option that does not exist, a value that cannot be read, or a missing package.
    """
    name, _, text = spec.partition(":")
    entry = find_engine(name)
    kind = entry.load()
    readers: Mapping[str, Any] = kind.OPTIONS
    for item in filter(None, text.split(",")):
        key, _, value = item.partition("=")
        if key not in readers:
            raise _no_option(name, key, readers)
        try:
            options[f"{key}_" if iskeyword(key) else key] = readers[key](value)
        except ValueError as error:
            raise InputError(f"Engine {name} cannot read the option {key}={value}: {error}") from None
    known = inspect.signature(kind).parameters
    for key in options:
        if key not in known:
            raise _no_option(name, key, readers)
    engine: Engine | BatchEngine = kind(**options)
    return engine


def _no_option(name: str, key: str, readers: Mapping[str, object]) -> InputError:
    known = f"It has: {', '.join(readers)}." if readers else "It has none."
    return InputError(f"Engine {name} has no option '{key}'. {known}")


def choose_engine(language: str, table: Iterable[EngineEntry] = ENGINES) -> tuple[str, str]:
    """The best engine of the table that can speak `language` on this machine, and in one line why it.

    Raises `InputError` with the remedy if none can.
    """
    if language not in LANGUAGES:
        raise InputError(f"No engine speaks '{language}'. Languages: {', '.join(LANGUAGES)}.")
    spoken = LANGUAGES[language]
    better = ""
    for entry in table:
        if not entry.auto or language not in entry.languages:
            continue
        absent = entry.missing() or (_no_gpu(entry.name) if entry.wants_gpu else None)
        if absent is None:
            return entry.name, f"{entry.name} ({entry.description}) reads {spoken}{better}"
        better = better or f"; {absent}"
    raise InputError(f"No engine that reads {spoken} can run here{better}.")


def check_voice(engine: str, voice: Voice, entries: Iterable[VoiceEntry], languages: Iterable[str]) -> None:
    """Raise `InputError` for what an engine with nothing but named voices cannot honour."""
    names = [entry.name for entry in entries]
    if voice.name is not None and voice.name not in names:
        raise InputError(f"Engine {engine} has no voice '{voice.name}'. Choose one of: {', '.join(names)}.")
    if voice.language is not None and voice.language not in languages:
        known = ", ".join(sorted(languages))
        raise InputError(f"Engine {engine} does not speak '{voice.language}', only {known}. Try --engine auto.")
    for wish in ("instruct", "describe", "reference", "reference_text"):
        if getattr(voice, wish) is not None:
            raise InputError(f"Engine {engine} cannot follow --{wish.replace('_', '-')}; the qwen engine can.")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _no_gpu(name: str) -> str | None:
    """None if PyTorch could use a CUDA or Apple GPU here; found out without importing it, which takes seconds."""
    if sys.platform == "darwin":
        return None if platform.machine() == "arm64" else f"{name} needs an Apple M processor to be quick enough"
    drivers = ("/proc/driver/nvidia/version", "/dev/dxg", r"C:\Windows\System32\nvcuda.dll")
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1") or not any(map(os.path.exists, drivers)):
        return f"{name} needs an NVIDIA GPU to be quick enough"
    torch = find_spec("torch")
    folders = torch.submodule_search_locations if torch is not None else None
    if not any(Path(folder, "lib").glob("*torch_cuda*") for folder in folders or ()):
        return f"{name} needs a PyTorch with CUDA to use the GPU (see pytorch.org)"
    return None
