"""What `narrate setup` keeps in the settings file: who reads the listener's language, and which device plays."""

from __future__ import annotations

import sys
from typing import TextIO

from narrate.cli.findings import can_run
from narrate.cli.listener import own_language
from narrate.engines import VoiceEntry
from narrate.engines.table import ENGINES, EngineEntry
from narrate.errors import InputError, SinkError
from narrate.settings.layers import user_file
from narrate.settings.writing import keep_setting
from narrate.sinks import portaudio
from narrate.terminal.wrap import wrapped
from narrate.text.language import LANGUAGES

MOST_SHOWN = 12  # voices of a language, so that the question stays on the screen


def somebody_there(stderr: TextIO) -> bool:
    """Whether a question can be asked."""
    return sys.stdin.isatty() and stderr.isatty()


def keep_named(voice: str | None, device: str | None, stderr: TextIO) -> None:
    """Keep the voice and the sound device that the command line names. Raises `NarrateError` for what is not there."""
    if voice is not None:
        _keep_voice(*_find_voice(voice), stderr)
    if device is not None:
        _keep_device(portaudio.find_device(device).name, stderr)


def ask_the_rest(voice: str | None, device: str | None, stderr: TextIO) -> None:
    """Ask for what the command line did not name, where there is something to choose."""
    language = own_language()
    voices = [(entry, each) for entry in ENGINES if entry.auto and can_run(entry) for each in entry.voices()]
    voices = [(entry, each) for entry, each in voices if language in each.languages][:MOST_SHOWN]
    if voice is None and len(voices) > 1:
        lines = [f"{each.name:<16}{entry.name:<11}{each.description}" for entry, each in voices]
        chosen = _choose(f"Which voice shall read {LANGUAGES[language]}?", lines, stderr)
        if chosen is not None:
            _keep_voice(*voices[chosen], stderr)
    try:
        devices = portaudio.devices()
    except SinkError as error:
        _say(str(error), stderr)
        return
    if device is None and len(devices) > 1:
        chosen = _choose("Which device shall play?", [each.name for each in devices], stderr)
        if chosen is not None:
            _keep_device(devices[chosen].name, stderr)


def _choose(question: str, lines: list[str], stderr: TextIO) -> int | None:
    """The number of the line that was chosen, from 0; None to leave it as it is."""
    print(question, file=stderr)
    for number, line in enumerate(lines, 1):
        print(f"{number:>4}  {line}", file=stderr)
    while True:
        print("A number, or Enter to leave it to narrate: ", end="", file=stderr, flush=True)
        answer = sys.stdin.readline().strip()
        if not answer:
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(lines):
            return int(answer) - 1
        print(f"{answer} is none of them.", file=stderr)


def _find_voice(name: str) -> tuple[EngineEntry, VoiceEntry]:
    for entry in ENGINES:
        for voice in entry.voices() if entry.auto else ():
            if voice.name == name:
                return entry, voice
    raise InputError(f"There is no voice '{name}'. `narrate voices` lists them.")


def _keep_voice(entry: EngineEntry, voice: VoiceEntry, stderr: TextIO) -> None:
    language = own_language() if own_language() in voice.languages else voice.languages[0]
    for name, value in (("engine", entry.name), ("voice", voice.name)):
        keep_setting(user_file(), f"voice.{language}", name, value)
    _say(f"{voice.name} of {entry.name} reads {LANGUAGES[language]} from now on ({user_file()}).", stderr)


def _keep_device(name: str, stderr: TextIO) -> None:
    keep_setting(user_file(), "", "sound-device", name)
    _say(f"{name} plays from now on ({user_file()}).", stderr)


def _say(line: str, stderr: TextIO) -> None:
    for row in wrapped(line, stderr):
        print(row, file=stderr)
