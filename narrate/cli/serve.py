"""`narrate serve`: read to browsers and programs on this machine and others."""

from __future__ import annotations

from narrate.cli.command import Command
from narrate.errors import InputError
from narrate.settings.choices import kept_in
from narrate.settings.kinds import File, Many, Number, Text
from narrate.settings.option import ONCE, Option
from narrate.settings.table import OPTIONS
from narrate.settings.values import Values

END_SECONDS = 5  # in which answers that are being sent may end, once the server is told to
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(values: Values) -> None:
    _check(values)
    try:
        import uvicorn
    except ImportError:
        raise InputError("narrate serve needs more packages: pip install 'narrate-aloud[server]'.") from None
    from narrate.server.access import Access
    from narrate.server.app import create_app
    from narrate.server.service import Service, ServiceOptions
    from narrate.server.trace import LOGGING

    wyoming = address(values["wyoming"]) if values["wyoming"] else None
    access = Access(values["token"] or "", loopback=values["host"] in LOOPBACK, origins=values["cors"])
    options = ServiceOptions(values, store=kept_in(values), library=values["library"])
    with Service(options) as service:
        app = create_app(service, access, wyoming=wyoming)
        uvicorn.run(
            app,
            host=values["host"],
            port=values["port"],
            log_config=LOGGING,
            access_log=False,
            timeout_graceful_shutdown=END_SECONDS,
        )


def address(text: str) -> tuple[str, int]:
    """The host and the port of "10200" (this machine only) or "0.0.0.0:10200". Raises InputError."""
    host, colon, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535 or (colon and not host):
        raise InputError(f"--wyoming must be a port or HOST:PORT, such as 10200 or 0.0.0.0:10200, not {text}.")
    return host.strip("[]") or LOOPBACK[0], int(port)


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
        Option(
            "cors",
            Many(Text("ORIGIN", "the origin of a page, such as https://example.org")),
            "Let pages of this origin use the server; may be given several times.",
            places=ONCE,
            default=(),
        ),
        Option(
            "wyoming",
            Text("PORT", "a port or HOST:PORT"),
            "Serve Home Assistant on this port too, or on HOST:PORT. That protocol has no password.",
            places=ONCE,
        ),
        Option("library", File("FOLDER"), "Folder of books that listeners may choose from.", places=ONCE),
        *OPTIONS,
    ),
)
