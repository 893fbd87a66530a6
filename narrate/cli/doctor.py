"""What this machine can do, and what would make it do more: versions, GPU, models, and a speed check of every voice."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from narrate.cli.command import Command
from narrate.clock import OFF
from narrate.engines import Engine, Request
from narrate.engines.choose import choose_engine
from narrate.engines.qwen.processor import this_processor
from narrate.engines.table import ENGINES, EngineEntry, load_engine
from narrate.errors import NarrateError
from narrate.settings.values import Values
from narrate.terminal.wrap import wrapped
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

_SENTENCES = {
    "ja": "雨が一日じゅう降っていたので、灯台の明かりは昼のうちから点いていた。",
    "zh": "那天下了一整天的雨，灯塔的光从中午就亮了。",
}
_ENGLISH = "It had rained all day, and so the lamp in the lighthouse was lit before noon."
_PACKAGES = ("torch", "qwen-tts", "transformers", "numpy", "soundfile", "sounddevice", "av")


ANSWERS = 17  # the column in which they stand


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` says what to do about it, if there is something."""

    what: str
    answer: str
    remedy: str | None = None

    def __str__(self) -> str:
        line = f"{self.what:<{ANSWERS}}{self.answer}"
        return f"{line}\n{'':<{ANSWERS}}→ {self.remedy}" if self.remedy else line


def report(seconds: float = 5.0) -> Iterator[Finding]:
    """Findings one after the other, the speed of the voices last, for which it takes `seconds` in all."""
    yield Finding("narrate", f"{_version('narrate-aloud')}, Python {platform.python_version()}, {platform.platform()}")
    yield Finding("processor", f"{this_processor()}; {os.cpu_count()} processors in the machine")
    yield _gpu()
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    yield _loudspeaker()
    yield from _qwen()
    for language in ("en", "ja", "zh"):
        yield _chosen(language)
    able = [entry for entry in ENGINES if entry.auto and _quick_to_load(entry)]
    for entry in able:
        yield _speed(entry, seconds / len(able))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _gpu() -> Finding:
    query = "name,driver_version,memory.total,memory.free,compute_cap"
    if tool := shutil.which("nvidia-smi"):
        if rows := _ask([tool, f"--query-gpu={query}", "--format=csv,noheader"]):
            return Finding("GPU", "; ".join(rows.splitlines()))
        return Finding("GPU", "nvidia-smi finds none", "Look whether the driver is loaded: nvidia-smi says why not.")
    if tool := shutil.which("rocm-smi"):
        return Finding("GPU", _ask([tool, "--showproductname", "--csv"]).replace("\n", " ") or "rocm-smi finds none")
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return Finding("GPU", "Apple")
    return Finding("GPU", "none found", "The neural voice needs a quick processor then; the embedded voices do not.")


def _ask(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _loudspeaker() -> Finding:
    try:
        import sounddevice

        return Finding("loudspeaker", str(sounddevice.query_devices(kind="output")["name"]))
    except Exception as error:  # PortAudio raises what it likes, and a missing library is an OSError
        return Finding("loudspeaker", f"none ({error})", "Write a file instead: narrate book.txt -o book.wav")


def _qwen() -> Iterator[Finding]:
    """What the neural voice would run on, and whether a model for it is here. Loads nothing."""
    entry = next(entry for entry in ENGINES if entry.name == "qwen")
    if (missing := entry.missing()) is not None:
        yield Finding("qwen", "absent", missing)
        return
    from narrate.engines.qwen import hardware

    device = hardware.choose_device(None)
    runtime = hardware.choose_runtime("auto", device)
    free = hardware.free_bytes(device)
    memory = f"{free / 2**30:.1f} GB free" if free is not None else "free memory unknown"
    count = this_processor().threads
    threads = f", {count} thread{'s' * (count > 1)}" if device == "cpu" else ""
    yield Finding("qwen", f"on {device} ({memory}), {hardware.choose_dtype(device, None)}{threads}")
    why = {
        "fast": "narrate's own: refilled slots, sound from the first frames"
        + ", CUDA graphs" * device.startswith("cuda"),
        "stock": "the package's, in batches: narrate's own has not been tried on Apple's GPUs (--runtime fast does)",
    }
    yield Finding("runtime", f"{runtime}: {why[runtime]}")
    yield from _models(device)


def _models(device: str) -> Iterator[Finding]:
    """Which weights are here, and how quick they are on the processor, if there is no GPU."""
    from narrate.engines.qwen import hub, models, trial

    here = [name for name in models.RELEASED if hub.found(name)]
    if not here:
        size = hub.about_gigabytes(models.for_processor())
        wanted = f"`narrate setup` fetches one that suits this machine ({size} for the small one)."
        yield Finding("models", f"none on this machine yet; they would lie in {hub.cache_folder()}", wanted)
        return
    yield Finding("models", ", ".join(here))
    if device != "cpu" or not {*here} & {*models.RELEASED[:2]}:
        return
    try:
        speed = trial.known_speed(measure=False)
    except NarrateError as error:
        yield Finding("qwen speed", "unknown", str(error))
        return
    if speed is None:
        yield Finding("qwen speed", "not measured on this machine yet", "`narrate setup` measures it.")
    elif speed.rtf >= trial.FAILED:
        yield Finding("qwen speed", "a trial failed", "`narrate setup` tries it again.")
    else:
        remedy = (
            None if speed.quick_enough else "Too slow to listen to without gaps: write a file (-e qwen -o book.wav)."
        )
        yield Finding("qwen speed", f"{speed.rtf:.2f} s for a second of speech, with {speed.rows} rows at once", remedy)


def _chosen(language: str) -> Finding:
    try:
        choice = choose_engine(language)
    except NarrateError as error:
        return Finding(LANGUAGES[language], "nobody can read it", str(error))
    return Finding(LANGUAGES[language], choice.why, choice.better)


def _quick_to_load(entry: EngineEntry) -> bool:
    """Installed; and for the neural voice, which loads for half a minute, with a GPU and a model here."""
    if entry.missing() is not None:
        return False
    if not entry.wants_gpu:
        return True
    from narrate.engines.qwen import hardware, hub, models

    return hardware.choose_device(None) != "cpu" and any(map(hub.found, models.RELEASED[:2]))


def _speed(entry: EngineEntry, seconds: float) -> Finding:
    """Seconds of sound per second, once the voice is loaded and has said one sentence."""
    language = entry.languages[0]
    try:
        with closing(load_engine(entry.name)) as engine:
            start = time.perf_counter()
            _speak(engine, language, lambda: False)
            first = time.perf_counter() - start
            start = time.perf_counter()
            sound = _speak(engine, language, lambda: time.perf_counter() - start < seconds)
            spent = time.perf_counter() - start
    except Exception as error:  # a report says what is wrong and goes on
        return Finding(f"{entry.name} speed", f"fails: {type(error).__name__}: {error}")
    return Finding(
        f"{entry.name} speed", f"{sound / spent:.1f} times as fast as speech; first sentence in {first:.1f} s"
    )


def _speak(engine: Engine, language: str, more: Callable[[], bool]) -> float:
    """Seconds of sound made from one sentence and, while there is time for `more`, further ones."""
    voice = Voice(language=language)
    sentence = _SENTENCES.get(language, _ENGLISH)
    engine.prepare(voice, OFF)

    def requests() -> Iterator[Request]:
        number = 0
        while number == 0 or more():
            text = f"{number}. {sentence}"
            yield Request(str(number), Chunk(number, 0, "", text, text, language, 0.0, 0, 0), voice)
            number += 1

    return sum(clip.seconds for clips in engine.synthesize(requests()) for clip in clips)


def doctor(values: Values) -> None:
    for finding in report():
        for line in str(finding).splitlines():
            for row in wrapped(line, sys.stdout, indent=ANSWERS):
                print(row, flush=True)


COMMAND = Command(run=doctor)
