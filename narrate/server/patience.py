"""HTTP/1.1 by uvicorn, which by itself waits for ever for the rest of a request's head."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0  # within which a connection says what it wants


class Patient(H11Protocol):
    """Closes a connection whose request is not complete up to its body in time."""

    head_seconds = HEAD_SECONDS
    _expecting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._relax()
        elif self._expecting is None and not self.transport.is_closing():
            self._expect()

    def handle_websocket_upgrade(self, *arguments: Any) -> None:
        self._relax()
        super().handle_websocket_upgrade(*arguments)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._expecting = self.loop.call_later(self.head_seconds, self._give_up)

    def _relax(self) -> None:
        if self._expecting is not None:
            self._expecting.cancel()
            self._expecting = None

    def _give_up(self) -> None:
        self._expecting = None
        self.transport.close()
