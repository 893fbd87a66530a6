"""A server in a thread of the test, with a real socket, and what it keeps at hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from narrate.server.access import Access
from narrate.server.app import create_app
from narrate.server.limits import Limits
from narrate.server.patience import Patient
from narrate.server.service import Service, ServiceOptions
from narrate.server.speech import Desk
from narrate.settings.option import Place
from narrate.settings.table import OPTIONS
from narrate.settings.values import Layer, Setting, Values
from tests.served import until

SENTENCE = "It was a dark and stormy night, and the rain fell in torrents. "
NOVEL = " ".join(f"It was night number {number}, and the rain fell in torrents on the roof." for number in range(2000))
"""Hours of sound, of which no two sentences are the same."""


@dataclass(frozen=True, slots=True)
class Serving:
    """`client` is one of ours; a new one for each request would take longer than the request."""

    port: int
    app: Any
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def desk(self) -> Desk:
        desk: Desk = self.app.state.desk
        return desk

    def outcome(self, identity: str) -> dict[str, Any]:
        """How the speech of this request ended; waits until it has."""
        until(lambda: self.desk.outcomes.get(identity) is not None)
        found = self.desk.outcomes.get(identity)
        assert found is not None
        return found.to_json()

    def counted(self, name: str, **labels: str) -> float:
        return self.desk.metrics.registry.get_sample_value(f"narrate_{name}", labels) or 0.0


def settings_of(**settings: object) -> Values:
    layer = Layer({name: Setting(value, Place.COMMAND, f"--{name}") for name, value in settings.items()})
    return Values(OPTIONS, [layer])


@contextmanager
def serving(
    engine: str = "tone",
    *,
    access: Access | None = None,
    limits: Limits | None = None,
    store: Path | None = None,
    **settings: object,
) -> Iterator[Serving]:
    with Service(ServiceOptions(settings_of(engine=engine, **settings), store=store)) as service:
        app = create_app(service, access, limits)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, http=Patient, log_config=None, timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            port = server.servers[0].sockets[0].getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                yield Serving(port, app, client)
        finally:
            server.should_exit = True
            thread.join(20)


def speak(server: Serving, text: str = SENTENCE, **wishes: object) -> httpx.Response:
    return server.client.post("/api/tts", json={"text": text, **wishes})
