"""All commands, and how one is found. To add one: a line here, and a module of its name with `COMMAND` in it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from narrate.cli.command import Command

READ = "read"  # the command that needs no name
COMMANDS = {
    "sample": "Read a short story that comes with narrate.",
    "chunks": "Show what will be spoken, sentence by sentence.",
    "voices": "List the voices.",
    "devices": "List the sound devices, for --sound-device.",
    "books": "List the books that you have read, how far, and your marks; open one of them.",
    "store": "Show how much finished sound is kept, check it or remove it.",
    "check": "Hear with a recogniser whether the stored sound of a book says what is written.",
    "review": "Hear the sentences that a check found wrong, and keep them or have them taken again.",
    "inspect": "Check an audiobook: chapters, tags, loudness, faults.",
    "config": "Show which settings hold and where they were set, or edit them.",
    "serve": "Read to browsers and programs, on this machine or others.",
    "bench": "Measure speed, gaps, memory and quality.",
    "setup": "Fetch the weights of the neural voice, and measure how quick it is here.",
    "doctor": "Say what this machine can do, and what would make it do more.",
    "completions": "Print what completes words in bash, zsh or fish.",
    "help": "Show the help of narrate or of a command.",
}


def find_command(name: str) -> Command:
    """The command of that name; its module is imported only now."""
    command: Command = import_module(f"narrate.cli.{name}").COMMAND
    return command
