"""What a family's browser needs, put together: the page, its texts, its readings and their files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from narrate.folders import home
from narrate.server import reading_routes
from narrate.server.documents import Documents
from narrate.server.exports import Exports
from narrate.server.readings import Readings
from narrate.server.service import Service

PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "player.js": ("player.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "manifest.webmanifest": ("manifest.webmanifest", "application/manifest+json"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Listening:
    """Texts, readings and files of one server, for as long as it runs."""

    def __init__(self, service: Service) -> None:
        self.documents = Documents(home() / "served", service.options.library, service.bookmarks)
        self.readings = Readings(service, self.documents)
        self.exports = Exports(service, self.documents.folder / "files")

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self.documents.open()
        try:
            yield
        finally:
            await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End all readings; their places are kept."""
        self.exports.close()
        self.readings.close()
        self.documents.close()

    def join(self, app: FastAPI) -> None:
        """Give the program the addresses of this."""
        app.include_router(reading_routes.document_router(self.documents))
        app.include_router(reading_routes.reading_router(self.readings))
        app.include_router(reading_routes.sound_router(self.readings))
        app.include_router(reading_routes.export_router(self.readings, self.exports))
        app.include_router(_page_router())
        reading_routes.answer_listeners(app)


def _page_router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    for path, (name, media_type) in PAGE.items():
        routes.add_api_route(f"/{path}", _sending(name, media_type), methods=["GET", "HEAD"])
    return routes


def _sending(name: str, media_type: str):  # type: ignore[no-untyped-def]
    data = files("narrate.server").joinpath("page", name).read_bytes()

    def send() -> Response:
        return Response(data, media_type=media_type, headers=HEADERS)

    return send
