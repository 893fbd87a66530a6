"""What a program is told when something goes wrong: one plain sentence, in OpenAI's shape below /v1."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from narrate.errors import ClosedPipe, InputError, NarrateError

_log = logging.getLogger(__name__)

OPENAI = "/v1"
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Problem(HTTPException):
    """An answer that refuses: `param` is the field that is wrong, `code` a word that programs can look for."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        headers = {"Retry-After": str(max(1, round(retry_after)))} if retry_after is not None else None
        super().__init__(status, message, headers)
        self.param, self.code = param, code


def error_of(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, object]:
    """An error as OpenAI's clients read it."""
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer(path: str, problem: HTTPException) -> Response:
    """The problem as an answer to a request for this path."""
    message = str(problem.detail)
    if path.startswith(OPENAI):
        body = error_of(problem.status_code, message, getattr(problem, "param", None), getattr(problem, "code", None))
    else:
        body = {"detail": message}
    # Characters of no use in UTF-8, such as half of a pair, may be in what the client sent; so nothing but ASCII.
    return Response(json.dumps(body), problem.status_code, problem.headers, "application/json")


async def refuse(scope: Scope, receive: Receive, send: Send, problem: HTTPException) -> None:
    """Answer a request, or a WebSocket that is not open yet, from outside of the program of web addresses."""
    response = answer(scope["path"], problem)
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    await response(scope, receive, send)


def problem_of(error: Exception) -> Problem:
    """What goes wrong below, as an answer."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ClosedPipe):
        return Problem(499, "The client has left.")
    if isinstance(error, InputError):
        return Problem(400, str(error))
    if isinstance(error, NarrateError):
        return Problem(500, str(error) or "It could not be spoken.")
    return Problem(500, f"This is a defect of the server ({type(error).__name__}). Its log says more.")


def answer_problems(app: FastAPI) -> None:
    """Have the program answer every error of ours in plain words."""

    async def http(request: Request, error: Any) -> Response:
        return answer(request.url.path, error)

    async def ours(request: Request, error: Any) -> Response:
        return answer(request.url.path, problem_of(error))

    async def invalid(request: Request, error: Any) -> Response:
        first: Mapping[str, Any] = error.errors()[0] if error.errors() else {}
        place = [str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path")]
        what = str(first.get("msg", "The request is not valid")).removeprefix("Value error, ")
        where = ".".join(place)
        message = f"{where}: {what}." if where else f"{what}."
        status = 400 if request.url.path.startswith(OPENAI) else 422
        return answer(request.url.path, Problem(status, message.replace("..", "."), param=where or None))

    async def defect(request: Request, error: Exception) -> Response:
        _log.error("A request ended in a defect.", exc_info=error)
        return answer(request.url.path, problem_of(error))

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(NarrateError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, defect)
