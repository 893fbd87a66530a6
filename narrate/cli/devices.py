"""`narrate devices`: where sound can be played."""

from __future__ import annotations

from narrate.cli.command import Command
from narrate.settings.values import Values


def devices(values: Values) -> None:
    from narrate.cli.listing import list_devices

    list_devices()


COMMAND = Command(run=devices)
