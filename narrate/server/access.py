"""Who may use the server: its password, the names that it answers to, and the pages that may speak to it.

A server on loopback can be reached by every page that a browser on this machine shows. So it answers only under the
names of this machine (a page cannot choose the name `Host` when it points its own name here), and refuses what pages
of other sites ask for, unless their origin was allowed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from narrate.server.limits import Clients
from narrate.server.metrics import Metrics
from narrate.server.problems import Problem, refuse

COOKIE = "narrate"
COOKIE_SECONDS = 365 * 24 * 3600
OPEN = ("/health", "/ready")  # say nothing but that the server runs
WRONG_TOKEN_COST = 20.0  # requests that a wrong password counts for
PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_LOG_IN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>narrate</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<form style="font: 1.2rem sans-serif; margin: 3rem auto; max-width: 20rem"><p>%s</p>
<label>Password<br><input name="token" type="password" autocomplete="current-password" required autofocus
 style="font: inherit; width: 100%%"></label><p><button style="font: inherit">Go on</button></form></html>"""


@dataclass(frozen=True, slots=True)
class Access:
    """`token` is the password, "" for none. `loopback`: only this machine can reach the server. `origins` are those of
    other pages that may use it, such as https://example.org."""

    token: str = ""
    loopback: bool = True
    origins: tuple[str, ...] = ()

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the password."""
        return hmac.new(self.token.encode(), b"narrate cookie", sha256).hexdigest()

    def knows(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def knows_cookie(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self.cookie.encode())


class Guard:
    """Lets a request through, or refuses it, before anything is done for it."""

    def __init__(self, app: ASGIApp, access: Access, clients: Clients, metrics: Metrics) -> None:
        self.app, self._access, self._clients, self._metrics = app, access, clients, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._stranger(scope, headers) or self._busy(scope)
        if refusal is not None:
            await self._refuse(scope, receive, send, *refusal)
            return
        if not self._access.token or scope["path"] in OPEN or self._is_preflight(scope, headers):
            await self.app(scope, receive, send)
            return
        await self._with_token(scope, receive, send, headers)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, why: str, problem: Problem) -> None:
        self._metrics.refused.labels(why).inc()
        await refuse(scope, receive, send, problem)

    def _busy(self, scope: Scope) -> tuple[str, Problem] | None:
        wait = self._clients.wait_seconds(client_of(scope))
        if wait <= 0 or scope["path"] in OPEN:
            return None
        return "rate", Problem(429, "Too many requests. Try again a little later.", retry_after=wait)

    def _stranger(self, scope: Scope, headers: Headers) -> tuple[str, Problem] | None:
        """Why a request is refused whose sender should not be speaking to this server at all."""
        host = headers.get("host", "")
        if self._access.loopback and not is_loopback(host):
            return "host", Problem(403, "This server answers only to its own machine, under the name localhost.")
        if self._is_cross_site(scope, headers, host):
            return "cross-site", Problem(
                403, "Pages of other sites may not use this server. To allow one, start it with --cors ORIGIN."
            )
        return None

    def _is_cross_site(self, scope: Scope, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            return not (self._is_allowed(origin) or _same(origin, host))
        visits = scope.get("method") == "GET" and headers.get("sec-fetch-mode") == "navigate"
        return headers.get("sec-fetch-site") in ("cross-site", "same-site") and not visits

    def _is_allowed(self, origin: str) -> bool:
        return origin in self._access.origins or "*" in self._access.origins

    def _is_preflight(self, scope: Scope, headers: Headers) -> bool:
        """A browser asks whether it may ask; it cannot send a password with that."""
        return scope.get("method") == "OPTIONS" and self._is_allowed(headers.get("origin", ""))

    async def _with_token(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        named = next((value for name, value in query if name == "token"), None)
        if kind.lower() == "bearer" and self._access.knows(bearer.strip()):
            await self.app(scope, receive, send)
        elif self._access.knows(named):
            await self._welcome(scope, receive, send, headers, [pair for pair in query if pair[0] != "token"])
        elif self._access.knows_cookie(_cookie(headers)):
            await self.app(scope, receive, send)
        else:
            if bearer or named:
                self._clients.charge(client_of(scope), WRONG_TOKEN_COST)
            await self._ask(scope, receive, send, headers, wrong=bool(bearer or named))

    async def _welcome(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, query: list[tuple[str, str]]
    ) -> None:
        """The password stood in the address: a browser keeps a cookie instead, and the address loses it."""
        if scope["type"] != "http" or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            await self.app(scope, receive, send)
            return
        rest = urlencode(query)
        path = "/" + scope["path"].lstrip("/")  # two slashes would lead to another site
        response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        response.set_cookie(
            COOKIE,
            self._access.cookie,
            COOKIE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=scope.get("scheme") == "https",
        )
        await response(scope, receive, send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send, headers: Headers, *, wrong: bool) -> None:
        message = "This password is wrong." if wrong else "This server needs its password."
        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            self._metrics.refused.labels("token").inc()
            page: Response = HTMLResponse(_LOG_IN % message, 401, {"Cache-Control": "no-store"})
            await page(scope, receive, send)
            return
        problem = Problem(401, f"{message} Send it as `Authorization: Bearer …`.", code="invalid_api_key")
        problem.headers = {"WWW-Authenticate": "Bearer"}
        await self._refuse(scope, receive, send, "token", problem)


def client_of(scope: Scope) -> str:
    """The address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_loopback(host: str) -> bool:
    """True for a `Host` that names this machine itself, with or without a port."""
    name = _without_port(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _same(origin: str, host: str) -> bool:
    """True if a page of this origin came from this server. The scheme may differ: a proxy may have added TLS."""
    scheme, _, place = origin.lower().partition("://")
    port = PORTS.get(scheme)
    return bool(place) and place.removesuffix(f":{port}") == host.strip().lower().removesuffix(f":{port}")


def _cookie(headers: Headers) -> str | None:
    for part in "; ".join(headers.getlist("cookie")).split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None
