"""`narrate serve`: read to browsers and programs on this machine and others."""

from __future__ import annotations

from narrate.cli.command import Command
from narrate.errors import InputError
from narrate.settings.choices import kept_in
from narrate.settings.kinds import File, Number, Text
from narrate.settings.option import ONCE, Option
from narrate.settings.table import OPTIONS
from narrate.settings.values import Values

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(values: Values) -> None:
    _check(values)
    try:
        import uvicorn
    except ImportError:
        raise InputError("narrate serve needs more packages: pip install 'narrate-aloud[server]'.") from None
    from narrate.server.app import create_app
    from narrate.server.service import Service, ServiceOptions

    options = ServiceOptions(values, store=kept_in(values), library=values["library"])
    with Service(options) as service:
        uvicorn.run(create_app(service), host=values["host"], port=values["port"])


def _check(values: Values) -> None:
    if values["host"] not in LOOPBACK and not values["token"]:
        raise InputError(
            f"Whoever reaches {values['host']} could use this server. Give it a password with --token, or leave --host "
            f"out to serve this machine only."
        )


COMMAND = Command(
    run=serve,
    options=(
        Option(
            "host",
            Text("ADDRESS"),
            "Address to serve; 0.0.0.0 is all of this machine.",
            places=ONCE,
            default="127.0.0.1",
        ),
        Option("port", Number(1, 65535, metavar="N", whole=True), "Port to serve.", places=ONCE, default=8040),
        Option("token", Text(), "Password that browsers and programs must give.", places=ONCE),
        Option("library", File("FOLDER"), "Folder of books that listeners may choose from.", places=ONCE),
        *OPTIONS,
    ),
)
