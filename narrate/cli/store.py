"""`narrate store`: the sound that is kept."""

from __future__ import annotations

import sys

import typer

from narrate.cli.command import Command
from narrate.settings.choices import store_folder
from narrate.settings.kinds import Switch
from narrate.settings.option import ONCE, Option
from narrate.settings.table import named
from narrate.settings.values import Values


def store(values: Values) -> None:
    from narrate.cli.listing import show_store

    if values["clear"] and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm("Remove all sound that is kept? It has to be made again.", err=True, abort=True)
    show_store(store_folder(values), clear=values["clear"], verify=values["verify"])


COMMAND = Command(
    run=store,
    options=(
        *named("store"),
        Option("clear", Switch(), "Remove all of it.", places=ONCE, default=False),
        Option("verify", Switch(), "Read all of it and remove what is damaged.", places=ONCE, default=False),
    ),
)
