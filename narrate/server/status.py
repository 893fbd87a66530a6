"""For machines that watch the server: /health, /ready and /metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from narrate import __version__
from narrate.server.metrics import MEDIA_TYPE
from narrate.server.problems import Problem
from narrate.server.speech import Desk


def router(desk: Desk) -> APIRouter:
    routes = APIRouter(tags=["status"])

    @routes.get("/health")
    async def health() -> dict[str, Any]:
        """The server runs."""
        return {"status": "ok", "version": __version__}

    @routes.get("/ready")
    async def ready() -> dict[str, Any]:
        """The server would take another text now; 503 if so many wait that it would not."""
        if desk.slots.full:
            raise Problem(503, "Too many texts are waiting.", retry_after=5)
        return {"status": "ready"}

    @routes.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Counts and histograms in Prometheus' words."""
        return Response(desk.metrics.text(), media_type=MEDIA_TYPE)

    return routes
