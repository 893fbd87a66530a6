"""The program of web addresses, put together from the modules of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette_compress import CompressMiddleware, remove_compress_type

from narrate import __version__
from narrate.server import docs, front, openai, status, takes, tts, websocket
from narrate.server.access import Access, Guard
from narrate.server.caching import Revalidated
from narrate.server.description import describe
from narrate.server.limits import Bounded, Clients, Limits, Slots
from narrate.server.metrics import Metrics
from narrate.server.problems import answer_problems
from narrate.server.service import Service
from narrate.server.sound import EVENTS
from narrate.server.speech import Desk
from narrate.server.tidy import tidying
from narrate.server.trace import Traced


def create_app(
    service: Service,
    access: Access | None = None,
    limits: Limits | None = None,
    *,
    wyoming: tuple[str, int] | None = None,
) -> FastAPI:
    """The whole server as an ASGI program. The service must be open as long as it runs. `wyoming` is an address to
    serve Home Assistant on, which has no password; None is none."""
    access, limits = access or Access(), limits or Limits()
    metrics = Metrics()
    metrics.watch(service)
    desk = Desk(service, metrics, Slots(limits, metrics))
    listening = front.Listening(service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(tidying())
            await stack.enter_async_context(listening.lifespan(app))
            if wyoming is not None:
                from narrate.server.wyoming import listening as at_home

                await stack.enter_async_context(at_home(desk, limits, *wyoming))
            yield

    app = FastAPI(title="narrate", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service, app.state.desk, app.state.listening = service, desk, listening
    app.include_router(tts.router(desk))
    app.include_router(openai.router(desk))
    app.include_router(websocket.router(desk, limits))
    app.include_router(status.router(desk))
    app.include_router(takes.router(service))
    answer_problems(app)
    listening.join(app)
    describe(app)
    app.include_router(docs.router(app))

    remove_compress_type(EVENTS)  # each event must arrive when it is sent
    app.add_middleware(Revalidated)  # the last one that is added sees a request first
    app.add_middleware(CompressMiddleware)
    app.add_middleware(Bounded, limits=limits, metrics=metrics)
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(access.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-Id", "X-Sample-Rate", "X-Finish-Reason", "X-Audio-Seconds"],
        )
    app.add_middleware(Guard, access=access, clients=Clients(limits), metrics=metrics)
    app.add_middleware(Traced, metrics=metrics)
    return app
