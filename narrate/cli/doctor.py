"""`narrate doctor`: what this machine can do, how fast, what to install next; and a sentence is spoken to try it."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from narrate import __version__
from narrate.cli.command import Command
from narrate.cli.findings import ENGLISH, SENTENCES, Finding, everything, gpu, quick_to_load, speed_of
from narrate.cli.listener import own_language
from narrate.clip import Clip, Samples
from narrate.engines.choose import choose_engine
from narrate.engines.qwen.processor import this_processor
from narrate.engines.table import find_engine
from narrate.errors import NarrateError
from narrate.folders import home
from narrate.settings.kinds import Switch
from narrate.settings.option import ONCE, Option
from narrate.settings.values import Values
from narrate.sinks import Sink, open_sink, portaudio
from narrate.terminal.wording import rounded
from narrate.terminal.wrap import wrapped
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES

COLUMN = 14  # in which the answers stand
SHOWN = ("en", "ja")  # what most listeners here read, beside their own language


def summary(seconds: float = 1.5) -> Iterator[Finding]:
    """The ten lines. The speeds of the voices are measured for about so many seconds in all."""
    yield Finding("narrate", f"{__version__}, Python {platform.python_version()}, {_system()}, {platform.machine()}")
    yield Finding("processor", str(this_processor()).rpartition(", ")[0])
    yield gpu()
    yield _neural_voice()
    shown = tuple(dict.fromkeys((own_language(), *SHOWN)))
    for language in shown:
        yield _language(language, seconds / len(shown))
    yield _others([language for language in LANGUAGES if language not in shown])
    yield _sound()
    yield _folder(home())
    yield _trial(own_language())


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _neural_voice() -> Finding:
    """Whether its packages and its weights are here."""
    entry = find_engine("qwen")
    if (missing := entry.missing()) is not None:
        return Finding("neural voice", "not installed", missing.partition(": ")[2])
    from narrate.engines.qwen import hardware, hub, models

    device = hardware.choose_device(None)
    here = [name.rpartition("/")[2] for name in models.RELEASED if hub.found(name)]
    if not here:
        size = hub.about_gigabytes(models.for_processor())
        return Finding("neural voice", f"qwen, on {device}; its weights are not here", f"narrate setup ({size})")
    return Finding("neural voice", f"qwen, on {device}, with {', '.join(here)}")


def _language(language: str, seconds: float) -> Finding:
    """Who reads it, and how fast."""
    name = LANGUAGES[language]
    try:
        choice = choose_engine(language)
    except NarrateError:
        return Finding(name, "nobody can read it", _remedy(language))
    if not quick_to_load(find_engine(choice.name)):
        return Finding(name, choice.name)
    speed = speed_of(choice.name, language, seconds)
    times = f"fails: {speed.failure}" if speed.failure else f"{rounded(speed.times)} times as fast as speech"
    return Finding(name, f"{choice.name}, {times}")


def _remedy(language: str) -> str | None:
    """What would bring a small voice for the language."""
    from narrate.engines.table import ENGINES

    small = [entry for entry in ENGINES if entry.auto and not entry.wants_gpu and language in entry.languages]
    return next((missing.partition(": ")[2] for entry in small if (missing := entry.missing())), None)


def _others(languages: list[str]) -> Finding:
    readers: dict[str, list[str]] = {}
    for language in languages:
        reader = "nobody"
        with suppress(NarrateError):
            reader = choose_engine(language).name
        readers.setdefault(reader, []).append(language)
    return Finding("others", "; ".join(f"{name} reads {' '.join(codes)}" for name, codes in readers.items()))


def _sound() -> Finding:
    try:
        return Finding("sound", f"the device {portaudio.find_device().name!r}")
    except NarrateError as error:
        return Finding("sound", str(error))


def _folder(folder: Path) -> Finding:
    """Whether finished sound and places can be kept."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError:
        remedy = "NARRATE_HOME names another folder; without one, nothing is remembered from one time to the next"
        return Finding("kept", f"nothing: {folder} cannot be written to", remedy)
    return Finding("kept", f"in {folder} ({shutil.disk_usage(there).free / 1e9:.0f} GB are free)")


def _trial(language: str) -> Finding:
    """A sentence, from its text to a device, or, where there is none, to a file."""
    import narrate

    try:
        start = time.perf_counter()
        samples, sample_rate = narrate.synthesize(SENTENCES.get(language, ENGLISH), language=language)
        made = f"a sentence of {len(samples) / sample_rate:.1f} s was made in {time.perf_counter() - start:.1f} s"
    except NarrateError as error:
        return Finding("tried", f"nothing could be spoken: {error}")
    try:
        from narrate.sinks.speaker import Speaker

        device = portaudio.find_device()
        _deliver(Speaker(sample_rate, str(device.number)), samples, sample_rate)
        return Finding("tried", f"{made} and played on {device.name!r}")
    except NarrateError:
        pass  # the line above says why
    try:
        with tempfile.TemporaryDirectory() as folder:
            _deliver(open_sink(Path(folder, "sentence.wav"), sample_rate), samples, sample_rate)
    except (NarrateError, OSError) as error:
        return Finding("tried", f"{made}; no device played it, and no file could be written: {error}")
    return Finding("tried", f"{made} and written to a file; no device played it")


def _deliver(sink: Sink, samples: Samples, sample_rate: int) -> None:
    chunk = Chunk(0, 0, "", ENGLISH, ENGLISH, "en", 0.0, 0, 0)
    with sink:
        sink.begin(chunk)
        sink.write(Clip(chunk, samples, sample_rate))
        sink.drain()


def doctor(values: Values) -> None:
    column = 17 if values["all"] else COLUMN
    for finding in everything() if values["all"] else summary():
        for line in finding.rows(column):
            for row in wrapped(line, sys.stdout, indent=column):
                print(row, flush=True)
    if not values["all"]:
        print(f"\n{'':<{COLUMN}}narrate doctor --all says more, for a report of a defect.")


COMMAND = Command(
    run=doctor,
    options=(Option("all", Switch(), "Say everything, with the versions of packages.", places=ONCE, default=False),),
)
