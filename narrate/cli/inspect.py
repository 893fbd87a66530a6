"""`narrate inspect`: an audiobook read back."""

from __future__ import annotations

from pathlib import Path

from narrate.cli.command import Argument, Command
from narrate.settings.values import Values


def inspect(values: Values) -> int:
    from narrate.cli.listing import inspect_file
    from narrate.terminal.listen import NOT_ALL_SPOKEN

    return 0 if inspect_file(Path(values["file"])) else NOT_ALL_SPOKEN


COMMAND = Command(
    run=inspect,
    arguments=(Argument("file", "FILE", "An audiobook, or an EPUB to read and hear."),),
)
