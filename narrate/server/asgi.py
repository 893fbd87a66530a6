"""The server for other ASGI servers than uvicorn, such as hypercorn, which speaks HTTP/2. Settings come from the user's
settings file and the environment:

    NARRATE_TOKEN=… hypercorn --certfile cert.pem --keyfile key.pem --bind 0.0.0.0:8443 'narrate.server.asgi:create()'

`NARRATE_TOKEN` is the password, without which only this machine is served; `NARRATE_CORS` names origins, with commas
between them; `NARRATE_LIBRARY` is a folder of books.
"""

from __future__ import annotations

import logging.config
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from narrate.server.access import Access
from narrate.server.app import create_app
from narrate.server.service import Service, ServiceOptions
from narrate.server.trace import LOGGING
from narrate.settings.choices import kept_in
from narrate.settings.layers import of_environment, of_user
from narrate.settings.table import OPTIONS
from narrate.settings.values import Values


def create() -> FastAPI:
    """The server as an ASGI program that opens and closes what it needs itself. Raises InputError."""
    logging.config.dictConfig(LOGGING)
    token, library = os.environ.get("NARRATE_TOKEN", ""), os.environ.get("NARRATE_LIBRARY")
    origins = tuple(filter(None, os.environ.get("NARRATE_CORS", "").split(",")))
    values = Values(
        OPTIONS,
        [of_environment(), of_user()],
        {"token": token, "library": Path(library) if library else None, "host": "", "port": 0},
    )
    service = Service(ServiceOptions(values, store=kept_in(values), library=values["library"]))
    app = create_app(service, Access(token, loopback=not token, origins=origins))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        with service:
            async with inner(app):
                yield

    app.router.lifespan_context = opened
    return app
