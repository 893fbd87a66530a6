"""The program of web addresses, put together from the modules of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrate import __version__
from narrate.server.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app(service: Service) -> FastAPI:
    """The whole server as an ASGI program. The service must be open as long as it runs."""
    from fastapi import FastAPI

    app = FastAPI(title="narrate", version=__version__)
    app.state.service = service
    return app
