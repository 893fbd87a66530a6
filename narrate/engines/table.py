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
from narrate.engines.driver import driver_version, too_old, torch_build
from narrate.errors import InputError
from narrate.packages import pip_install
from narrate.text.chunking.chunks import Lengths
from narrate.text.language import LANGUAGES

MOST_PROCESSES = 64


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """A line of the table of engines: what can be known of one without importing it.

    `packages` are the modules it needs, `requirements` what brings them along.
    `home` is "module:Class"; the module has `VOICES`, and the class has `OPTIONS` (option name → how to read its text).
    `batches`: the class is a `BatchEngine`, otherwise it is an `Engine`, and the options `rows_options` say how many
    requests it takes at once. `lengths` are the lengths of chunks that suit it; if it `wants_gpu`, `slow_lengths` where
    there is none; `processor` is then a module whose `not_chosen` says why it should not run without one. `auto`: it
    may be chosen without being named. `unnamed` is the option that a text without "=" belongs to; it may be given
    several times. `remote`: servers elsewhere speak, who may want a key, and only they know their voices.
    """

    name: str
    home: str
    languages: tuple[str, ...]
    description: str
    packages: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    batches: bool = False
    rows_options: tuple[str, ...] = ()
    lengths: Lengths = Lengths()
    slow_lengths: Lengths = Lengths()
    wants_gpu: bool = False
    processor: str | None = None
    auto: bool = True
    unnamed: str | None = None
    remote: bool = False

    @property
    def module(self) -> str:
        return self.home.partition(":")[0]

    def missing(self) -> str | None:
        """Why the engine cannot run here, with the remedy; None if it can. Imports nothing."""
        absent = [package for package in self.packages if not _installed(package)]
        return f"{self.name} needs {' and '.join(absent)}: {pip_install(*self.requirements)}" if absent else None

    def voices(self) -> tuple[VoiceEntry, ...]:
        entries: tuple[VoiceEntry, ...] = import_module(self.module).VOICES
        return entries

    def understood(self) -> frozenset[str]:
        """The names of the options that the engine has. Raises `InputError` if it cannot run here."""
        return frozenset(self.load().OPTIONS) | ({"api_key"} if self.remote else frozenset())

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
        requirements=("torch", "qwen-tts>=0.1.1"),
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
        requirements=("pyopenjtalk-plus",),
    ),
    EngineEntry(
        name="espeak",
        home="narrate.engines.espeak:Espeak",
        batches=True,
        languages=("en", "zh", "ko", "de", "fr", "ru", "pt", "es", "it"),
        description="eSpeak NG, a small voice for nine languages",
        packages=("espeakng_loader",),
        requirements=("espeakng-loader",),
    ),
    EngineEntry(
        name="http",
        home="narrate.engines.http:Http",
        languages=tuple(LANGUAGES),
        description="speech servers: http:URL, or several with commas between them",
        packages=("httpx",),
        requirements=("httpx",),
        rows_options=("slots",),
        auto=False,
        unnamed="url",
        remote=True,
    ),
    EngineEntry(
        name="openai",
        home="narrate.engines.http:OpenAI",
        languages=tuple(LANGUAGES),
        description="OpenAI's speech server, which costs money",
        packages=("httpx",),
        requirements=("httpx",),
        rows_options=("slots",),
        auto=False,
        remote=True,
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


def engine_name(spec: str) -> str:
    """The name of the engine that makes the sound: "tone" for "tone:rtf=0.4", "espeak" for "pool:2*espeak" and for
    "ray:workers=2,engine=espeak"."""
    name, _, text = spec.partition(":")
    if name == "pool":
        return engine_name(text.partition("*")[2])
    if name == "ray":
        return engine_name(text.partition("engine=")[2] or "qwen")
    return "http" if name == "https" else name


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
    if name in ("http", "https") and text.startswith("//"):  # -e http://host means -e http:http://host
        name, text = "http", spec
    if name == "pool":
        return _load_pool(text, rows, options)
    if name == "ray":
        return _load_ray(text, rows, options)
    devices = _devices(options.get("device"))
    if len(devices) > 1:
        return _processes(spec, rows, [(device, {**options, "device": device}) for device in devices])
    entry = find_engine(name)
    kind = entry.load()
    if rows is not None:
        options = {**dict.fromkeys(entry.rows_options, rows), **options}
    options |= _read_options(entry, text, kind.OPTIONS)
    known = inspect.signature(kind).parameters
    if not entry.remote:
        options.pop("api_key", None)  # it is for servers
    for key in options:
        if key not in known:
            raise _no_flag(name, key)
    engine: Engine = Batched(kind(**options), rows) if entry.batches else kind(**options)
    return engine


def _load_pool(text: str, rows: Rows, options: dict[str, object]) -> Engine:
    """Several processes with the same engine, as in "2*espeak" or "4*tone:rtf=0.4"."""
    count, star, spec = text.partition("*")
    if not star or not count.isdigit() or not 1 <= int(count) <= MOST_PROCESSES:
        raise InputError(
            f"A pool is so many times an engine, as in -e 'pool:2*espeak', at most {MOST_PROCESSES} times."
        )
    return _processes(spec, rows, [(f"{spec} {number}", options) for number in range(1, int(count) + 1)])


def _load_ray(text: str, rows: Rows, options: dict[str, object]) -> Engine:
    """Actors of a Ray cluster, as in "host:6379,workers=4,engine=espeak"."""
    from narrate.engines.ray import RayWorkers, parse

    address, workers, spec = parse(text)
    if not _installed("ray"):
        raise InputError(f"-e ray needs the package ray: {pip_install('ray')}")
    one = load_engine(spec, rows=rows, **options)
    wants_gpu = find_engine(engine_name(spec)).wants_gpu
    return RayWorkers(one, spec, rows, options, address=address, workers=workers, wants_gpu=wants_gpu)


def _devices(named: object) -> list[str]:
    """What --device names; "all" are the GPUs of this machine."""
    if named != "all":
        return [each for each in str(named or "").split(",") if each]
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"]


def _processes(spec: str, rows: Rows, named: list[tuple[str, dict[str, object]]]) -> Engine:
    """A process for each of the named options. Those on processors share the cores among them."""
    from narrate.engines.members import WorkerMember
    from narrate.engines.processes import Child, Workers, shared_out

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    shares = (
        shared_out(cores, len(named)) if all(each.get("device") == "cpu" for _, each in named) else [()] * len(named)
    )
    members = [
        WorkerMember(name, Child, spec, rows, options, share)
        for (name, options), share in zip(named, shares, strict=True)
    ]
    return Workers(load_engine(spec, rows=rows, **named[0][1]), members)


def _read_options(entry: EngineEntry, text: str, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, object]:
    options: dict[str, Any] = {}
    for item in filter(None, text.split(",")):
        key, equals, value = item.partition("=")
        if entry.unnamed is not None and (not equals or key not in readers):
            options[entry.unnamed] = (*options.get(entry.unnamed, ()), *readers[entry.unnamed](item))
            continue
        if key not in readers:
            raise _no_option(entry.name, key, readers)
        try:
            options[f"{key}_" if iskeyword(key) else key] = readers[key](value)
        except ValueError as error:
            raise InputError(f"Engine {entry.name} cannot read the option {key}={value}: {error}") from None
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
    return too_old(driver_version(), torch_build())


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
