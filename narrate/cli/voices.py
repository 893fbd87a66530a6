"""`narrate voices`: who can speak here."""

from __future__ import annotations

from narrate.cli.command import Command
from narrate.settings.kinds import Text
from narrate.settings.option import ONCE, Option
from narrate.settings.table import named
from narrate.settings.values import Values


def voices(values: Values) -> None:
    from narrate.cli.listing import list_voices

    list_voices(values["engine"], lambda engine: values.of_engine(engine)["api-key"])


COMMAND = Command(
    run=voices,
    options=(
        Option(
            "engine",
            Text("NAME"),
            "List the voices of this engine only, or those of a server, as in -e http:URL.",
            short="e",
            places=ONCE,
        ),
        *named("api-key"),
    ),
)
