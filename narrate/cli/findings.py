"""All that can be told of this machine, for `narrate doctor --all`: versions, GPU, models, speed of every voice."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

from narrate import __version__
from narrate.clock import OFF
from narrate.engines import Engine, Request
from narrate.engines.choose import choose_engine
from narrate.engines.driver import answer_of, driver_version, too_old, torch_build
from narrate.engines.qwen.processor import this_processor
from narrate.engines.table import ENGINES, EngineEntry, load_engine
from narrate.errors import NarrateError
from narrate.sinks import portaudio
from narrate.terminal.wording import rounded
from narrate.text.characters import with_capital
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

SENTENCES = {
    "ja": "雨が一日じゅう降っていたので、灯台の明かりは昼のうちから点いていた。",
    "zh": "那天下了一整天的雨，灯塔的光从中午就亮了。",
}
ENGLISH = "It had rained all day, and so the lamp in the lighthouse was lit before noon."
_PACKAGES = ("torch", "qwen-tts", "transformers", "numpy", "soundfile", "sounddevice", "av")


ANSWERS = 17  # the column in which they stand


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` says what to do about it, if there is something."""

    what: str
    answer: str
    remedy: str | None = None

    def rows(self, column: int = ANSWERS) -> list[str]:
        line = f"{self.what:<{column}}{self.answer}"
        return [line, f"{'':<{column}}→ {self.remedy}"] if self.remedy else [line]


class Speed(NamedTuple):
    """`times`: seconds of sound per second. `first`: seconds until the first sentence was made. `failure`: why none."""

    times: float = 0.0
    first: float = 0.0
    failure: str | None = None


def everything(seconds: float = 5.0) -> Iterator[Finding]:
    """Findings one after the other, the speed of the voices last, for which it takes `seconds` in all."""
    yield Finding("narrate", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield Finding("processor", f"{this_processor()}; {os.cpu_count()} processors in the machine")
    yield gpu()
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    yield _loudspeaker()
    yield from _qwen()
    for language in ("en", "ja", "zh"):
        yield _chosen(language)
    able = [entry for entry in ENGINES if entry.auto and quick_to_load(entry)]
    for entry in able:
        speed = speed_of(entry.name, entry.languages[0], seconds / len(able))
        answer = f"{rounded(speed.times)} times as fast as speech; first sentence in {speed.first:.1f} s"
        yield Finding(f"{entry.name} speed", f"fails: {speed.failure}" if speed.failure else answer)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def gpu() -> Finding:
    """The GPU; and if torch cannot use it because of its driver, that, and what to do."""
    found = _graphics()
    too_old_for_it = too_old(driver_version(), torch_build())
    return replace(found, remedy=f"{with_capital(too_old_for_it)}.") if too_old_for_it else found


def _graphics() -> Finding:
    query = "name,driver_version,memory.total,memory.free,compute_cap"
    if tool := shutil.which("nvidia-smi"):
        if rows := answer_of([tool, f"--query-gpu={query}", "--format=csv,noheader"]):
            return Finding("GPU", "; ".join(rows.splitlines()))
        return Finding("GPU", "nvidia-smi finds none", "Look whether the driver is loaded: nvidia-smi says why not.")
    if tool := shutil.which("rocm-smi"):
        return Finding(
            "GPU", answer_of([tool, "--showproductname", "--csv"]).replace("\n", " ") or "rocm-smi finds none"
        )
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return Finding("GPU", "Apple")
    return Finding("GPU", "none found; the neural voice needs a quick processor then, the embedded ones do not")


def _loudspeaker() -> Finding:
    try:
        return Finding("loudspeaker", portaudio.find_device().name)
    except NarrateError as error:
        return Finding("loudspeaker", "none", str(error))


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


def can_run(entry: EngineEntry) -> bool:
    """Installed, and with its weights, if it has some."""
    if entry.missing() is not None:
        return False
    if not entry.wants_gpu:
        return True
    from narrate.engines.qwen import hub, models

    return any(map(hub.found, models.RELEASED[:2]))


def quick_to_load(entry: EngineEntry) -> bool:
    """It can run; and the neural voice, which loads for half a minute, only with a GPU."""
    if entry.missing() is None and entry.wants_gpu:
        from narrate.engines.qwen import hardware

        if hardware.choose_device(None) == "cpu":
            return False
    return can_run(entry)


def speed_of(engine_name: str, language: str, seconds: float) -> Speed:
    """How quick a voice is once it is loaded and has said one sentence, measured for about so many seconds."""
    try:
        with closing(load_engine(engine_name)) as engine:
            start = time.perf_counter()
            _speak(engine, language, 1)
            first = time.perf_counter() - start
            start, sound, spent = time.perf_counter(), 0.0, 0.0
            while spent < seconds:
                sound += _speak(engine, language, 8)
                spent = time.perf_counter() - start
    except Exception as error:  # a report says what is wrong and goes on
        return Speed(failure=f"{type(error).__name__}: {error}")
    return Speed(sound / spent, first)


def _speak(engine: Engine, language: str, count: int) -> float:
    """Seconds of sound made from so many sentences."""
    voice = Voice(language=language)
    sentence = SENTENCES.get(language, ENGLISH)
    engine.prepare(voice, OFF)
    texts = [f"{number}. {sentence}" for number in range(count)]
    chunks = [Chunk(number, 0, "", text, text, language, 0.0, 0, 0) for number, text in enumerate(texts)]
    requests = [Request(str(chunk.index), chunk, voice) for chunk in chunks]
    return sum(clip.seconds for clips in engine.synthesize(iter(requests)) for clip in clips)
