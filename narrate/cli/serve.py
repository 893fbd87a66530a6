"""`narrate serve`: read to browsers and programs on this machine and others."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from narrate.cli.command import Command
from narrate.clock import OFF
from narrate.errors import InputError, NarrateError
from narrate.packages import pip_install
from narrate.settings.choices import kept_in
from narrate.settings.table import OPTIONS, SERVING
from narrate.settings.values import Values

if TYPE_CHECKING:
    from fastapi import FastAPI

    from narrate.server.service import Service

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PACKAGES = "fastapi starlette-compress uvicorn h11 websockets python-multipart prometheus-client wyoming".split()
GOODBYE_SECONDS = 5  # how long requests may take to end when the server does
CHOSEN = ("engine", "voice", "lang")  # whoever sets one of them says whose voice will be needed


def serve(values: Values) -> None:
    _check(values)
    try:
        import uvicorn  # noqa: F401
    except ImportError:
        raise InputError(f"narrate serve needs more packages. Try: {pip_install(*PACKAGES)}") from None
    from narrate.server.access import Access
    from narrate.server.app import create_app
    from narrate.server.service import Service, ServiceOptions

    wyoming = host_and_port(values["wyoming"]) if values["wyoming"] else None
    access = Access(values["token"] or "", loopback=values["host"] in LOOPBACK, origins=values["cors"])
    options = ServiceOptions(values, store=kept_in(values), library=values["library"])
    with _listening(values["host"], values["port"]) as listening, ExitStack() as stack:
        service = stack.enter_context(Service(options))
        _warm(service, values, stack)
        app = create_app(service, access, wyoming=wyoming)
        print(f"narrate: open {address(values)} in a browser. Ctrl-C ends the server.", flush=True)
        _run(app, listening)


def host_and_port(text: str) -> tuple[str, int]:
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
    library = values["library"]
    if library is not None and not library.is_dir():
        raise InputError(f"The library {library} is not a folder. Name the folder that holds your books.")


def _listening(host: str, port: int) -> socket.socket:
    """The socket that browsers will reach. Raises `NarrateError` if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NarrateError(f"The port {port} of {host} cannot be served ({why}). Choose another with --port.") from None


def _warm(service: Service, values: Values, stack: ExitStack) -> None:
    """Load the voice that was chosen, so that the first listener need not wait for it. Raises `NarrateError`."""
    if not any(values.setting(name).place for name in CHOSEN):
        return
    language = values["lang"] or "en"
    who = service.speaking({}, language)
    seat = service.seat(who, language)
    stack.callback(seat.close)
    seat.prepare(who.voice, OFF)


def address(values: Values) -> str:
    """What to open in a browser; from outside, where the server can be reached from there."""
    host = values["host"]
    if host in ("0.0.0.0", "::"):
        host = _own_address(host)
    shown = f"[{host}]" if ":" in host else host
    query = f"?{urlencode({'token': values['token']})}" if values["token"] else ""
    return f"http://{shown}:{values['port']}/{query}"


def _own_address(host: str) -> str:
    """This machine's address in its network. Nothing is sent to find it out."""
    family, somewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((somewhere, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if ":" in host else "127.0.0.1"


def _run(app: FastAPI, listening: socket.socket) -> None:
    """Serve until somebody ends the program. Those who follow a reading are told, and all places are kept."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.desk.say_goodbye()
            await asyncio.to_thread(app.state.listening.readings.say_goodbye)
            await super().shutdown(sockets)

    from narrate.server.patience import Patient
    from narrate.server.trace import LOGGING

    config = uvicorn.Config(
        app,
        http=Patient,
        log_config=LOGGING,
        access_log=False,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
        server_header=False,
    )
    Server(config).run(sockets=[listening])


COMMAND = Command(run=serve, options=(*SERVING, *OPTIONS))
