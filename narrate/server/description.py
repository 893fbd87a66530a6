"""The server's description for programs, openapi.json: each address with its sentence and with what can go wrong."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

from narrate.server.problems import OPENAI

EVERYWHERE = {
    "401": "The password is missing or wrong, where the server has one.",
    "403": "A page of another site asks, or the server is reached by a name that is not its own.",
    "429": "Too many requests of one client; `Retry-After` says how long to wait.",
    "500": "It could not be done; the message says why.",
}
"""What may be answered at every address."""
SOMETIMES = {
    "400": "The request is understood, and cannot be followed: the message says why.",
    "404": "There is no such thing, or not any more.",
    "413": "The request is too large.",
    "422": "A value is missing, or is none that its field can have.",
}
ANSWERED = "What was asked for."
_THEIRS = "Successful Response"
_FIRST_SENTENCE = re.compile(r"(.+?[.!?])(?=\s|$)", re.DOTALL)


def describe(app: FastAPI) -> None:
    """Have the program describe itself with our sentences instead of the names of its functions."""
    theirs = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = theirs()
            for path, methods in document["paths"].items():
                for operation in methods.values():
                    _describe(path, operation)
        return theirs()

    app.openapi = described  # type: ignore[method-assign]


def _describe(path: str, operation: dict[str, Any]) -> None:
    said = " ".join(operation.get("description", "").split())
    if (first := _FIRST_SENTENCE.match(said)) is not None:
        operation["summary"] = first[1].rstrip(".")
    responses = operation["responses"]
    if path.startswith(OPENAI) and "422" in responses:  # OpenAI's clients know 400 only
        del responses["422"]
        responses.setdefault("400", {})
    if "{" in path:
        responses.setdefault("404", {})
    for status, words in {**SOMETIMES, **EVERYWHERE}.items():
        if status in EVERYWHERE:
            responses.setdefault(status, {})
        if status in responses and not _ours(responses[status]):
            responses[status]["description"] = words
    for response in responses.values():
        if response.get("description") == _THEIRS:
            response["description"] = ANSWERED


def _ours(response: dict[str, Any]) -> bool:
    """True for words that a route gives itself: they are a sentence."""
    return str(response.get("description", "")).endswith(".")
