"""What a browser has already is not sent again: an ETag for each answer, and 304 for whoever names it (RFC 9110)."""

from __future__ import annotations

from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVENTS = "text/event-stream"
MOST_BYTES = 1 << 22  # of an answer that is looked at as a whole
KEPT = ("cache-control", "content-location", "date", "etag", "expires", "vary", "x-request-id", "set-cookie")


class Revalidated:
    """Gives complete answers to GET an ETag if they have none, and leaves out the body that a client has already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        begun: Message | None = None
        dropped = False

        async def answer(message: Message) -> None:
            nonlocal begun, dropped
            if message["type"] == "http.response.start" and _may_be_known(message):
                begun = message  # until it is known whether the answer is complete
                return
            if begun is not None:
                start, begun = begun, None
                dropped = _is_known(start, message, known)
                await send(_unchanged(start) if dropped else start)
                if dropped:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            if not dropped:
                await send(message)

        await self.app(scope, receive, answer)


def _may_be_known(start: Message) -> bool:
    """False for what is made anew each time. Nobody waits there for the beginning."""
    headers = Headers(raw=start.get("headers", []))
    fresh = "no-store" in headers.get("cache-control", "") or headers.get("content-type", "").startswith(EVENTS)
    return start["status"] == 200 and not fresh


def _is_known(start: Message, body: Message, known: str) -> bool:
    """Give the answer an ETag; True if it is one that the client has."""
    headers = MutableHeaders(raw=list(start.get("headers", [])))
    data = body.get("body", b"")
    if "etag" not in headers and body["type"] == "http.response.body" and not body.get("more_body", False):
        if not data or len(data) > MOST_BYTES:
            return False
        # A weak one: what is compressed on its way stays the same.
        headers["ETag"] = f'W/"{blake2b(data, digest_size=12).hexdigest()}"'
        start["headers"] = headers.raw
    tag = headers.get("etag", "")
    return bool(tag) and (known.strip() == "*" or _bare(tag) in map(_bare, known.split(",")))


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/")


def _unchanged(start: Message) -> Message:
    kept = [(name, value) for name, value in start["headers"] if name.decode("latin-1").lower() in KEPT]
    return {**start, "status": 304, "headers": kept}
