"""Which request a line of the log is about: X-Request-Id and W3C traceparent, honoured and handed on."""

from __future__ import annotations

import logging
import re
import secrets
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from narrate.server.metrics import Metrics
from narrate.text.characters import one_line

_log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_QUIET = ("/health", "/ready", "/metrics")  # asked every few seconds by machines

_current: ContextVar[Request | None] = ContextVar("request", default=None)


@dataclass(frozen=True, slots=True)
class Request:
    """What a request is called in the log: its own id and, if the client sent one, the id of its trace."""

    id: str
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.id} trace={self.trace}" if self.trace else self.id


def new_request(given: str = "", parent: str = "") -> Request:
    """The request that the client calls `given`, if that is a sane name, in the trace of its traceparent."""
    identity = given if _ID.fullmatch(given) else secrets.token_hex(8)
    match = _PARENT.fullmatch(parent.strip())
    trace = match[2] if match and match[1] != "ff" and set(match[2]) != {"0"} and set(match[3]) != {"0"} else ""
    return Request(identity, trace)


def begin_request(request: Request) -> None:
    """From here on, this task and the threads that it starts are about this request."""
    _current.set(request)


def request_id() -> str:
    """The id of the request that this task or thread is about; "-" if it is about none."""
    request = _current.get()
    return request.id if request else "-"


class NameRequest(logging.Filter):
    """Gives every line of the log the name of its request, as `%(request)s`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = str(_current.get() or "-")
        return True


class ToldAlready(logging.Filter):
    """Leaves out what uvicorn says of an answer that was broken off: the line before said why."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.getMessage() != "ASGI callable returned without completing response."


class Plain(logging.Formatter):
    """One line for each record: what strangers sent may be in it, line breaks and all."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        record.message = one_line(record.message)
        return super().formatMessage(record)


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request": {"()": "narrate.server.trace.NameRequest"},
        "told": {"()": "narrate.server.trace.ToldAlready"},
    },
    "formatters": {
        "plain": {
            "()": "narrate.server.trace.Plain",
            "format": "%(asctime)s %(levelname)s [%(request)s] %(message)s",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["request", "told"]}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"uvicorn": {"level": "INFO"}, "uvicorn.access": {"level": "CRITICAL"}},
}
"""For `logging.config.dictConfig`: readable lines on standard error."""


class Traced:
    """Names every request, counts it, and says in the log how it ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request = new_request(headers.get("x-request-id", ""), headers.get("traceparent", ""))
        begin_request(request)
        start = time.monotonic()
        status, sent, first, ended = 0, 0, None, False

        async def named(message: Message) -> None:
            nonlocal status, sent, first, ended
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                answered = MutableHeaders(raw=list(message.get("headers", [])))
                answered.setdefault("X-Request-Id", request.id)
                message["headers"] = answered.raw
            elif kind == "http.response.body":
                sent += len(message.get("body", b""))
                first = first or (time.monotonic() if sent else None)
                ended = not message.get("more_body", False)
            elif kind == "websocket.close":
                status = status or 403
                ended = True
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception:
            status, ended = status or 500, False
            raise
        finally:
            seconds = time.monotonic() - start
            self._tell(scope, status or 499, seconds, sent, first and first - start, ended)

    def _tell(self, scope: Scope, status: int, seconds: float, sent: int, first: float | None, ended: bool) -> None:
        method = scope.get("method", "WEBSOCKET")
        route = getattr(scope.get("route"), "path", "other")
        method = method if method in _METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        where = scope.get("raw_path", b"").decode("ascii", "replace")[:200]  # without the query: it may hold a token
        rest = f", first byte after {first:.2f} s" if first is not None and seconds - first > 0.05 else ""
        broken = "" if ended or status == 101 else ", broken off"
        level = logging.DEBUG if (where in _QUIET or where.endswith(_OFTEN)) and status == 200 else logging.INFO
        _log.log(level, "%s %s %d in %.2f s, %d bytes%s%s", method, where, status, seconds, sent, rest, broken)


_OFTEN = ("/position", ".m4s", ".m3u8")  # of every listener, every second or so
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET")
