"""Takes for another narrate: `-e http:URL` makes this server's engines a part of another machine's readings.

The text is spoken as it is, as one chunk. Nothing is judged, cut or kept here: that is the business of whoever asks.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from narrate.clip import Samples
from narrate.clock import OFF
from narrate.engines import Request
from narrate.engines.choose import choose_engine
from narrate.engines.table import ENGINES, find_engine
from narrate.errors import InputError, NarrateError
from narrate.server.service import Service
from narrate.settings.choices import Speaking
from narrate.sinks import wav
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES

if TYPE_CHECKING:
    from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class TakeRequest:
    """What is asked for. `due_seconds`: an ear wants it in so many seconds; None if it is for a file."""

    text: str
    language: str
    take: int = 0
    attempt: int = 0
    engine: str = "auto"
    voice: str | None = None
    seed: int = 0
    instruct: str | None = None
    describe: str | None = None
    due_seconds: float | None = None


def engines(service: Service, engine: str) -> dict[str, Any]:
    """Who speaks each language here, and what shapes the sound. Raises InputError for an engine that is not here."""
    found: dict[str, Any] = {}
    voices: dict[str, None] = {}
    for language in LANGUAGES:
        try:
            name = choose_engine(language).name if engine == "auto" else find_engine(engine).name
            entry = find_engine(name)
            if language not in entry.languages:
                continue
            with closing(service.seat(_speaking(service, engine, language), language)) as seat:
                found[language] = {
                    "name": seat.name,
                    "fingerprint": dict(seat.fingerprint),
                    "deterministic": seat.abilities.deterministic,
                    "uses_seed": seat.abilities.uses_seed,
                }
                voices |= dict.fromkeys(voice.name for voice in entry.voices() if language in voice.languages)
        except InputError:
            continue
    if not found:
        known = ", ".join(entry.name for entry in ENGINES)
        raise InputError(f"There is no engine '{engine}' here. There may be: auto, {known}.")
    return {"languages": found, "voices": list(voices)}


def _speaking(service: Service, engine: str, language: str, wishes: Mapping[str, object] | None = None) -> Speaking:
    named = {} if engine == "auto" else {"engine": engine}
    return service.speaking({**named, "lang": language, **(wishes or {})}, language)


def sound(service: Service, asked: TakeRequest) -> Iterator[bytes]:
    """The take as a WAV file of 32-bit floats, as it is made. Raises `NarrateError` before the first byte."""
    wishes = {
        name: value
        for name, value in {"voice": asked.voice, "instruct": asked.instruct, "describe": asked.describe}.items()
        if value is not None
    }
    who = _speaking(service, asked.engine, asked.language, wishes)
    voice = replace(who.voice, language=asked.language, seed=asked.seed)
    seat = service.seat(replace(who, voice=voice), asked.language)
    chunk = Chunk(0, 0, "", asked.text, asked.text, asked.language, 0.0, 0, len(asked.text), take=asked.take)
    due = None if asked.due_seconds is None else OFF.now() + asked.due_seconds
    request = Request(f"take-{secrets.token_hex(8)}", chunk, voice, attempt=asked.attempt)
    if due is not None:
        request = replace(request, due=lambda: due)
    return _made(seat, request)


def _made(seat: Any, request: Request) -> Iterator[bytes]:
    with closing(seat):
        seat.prepare(request.voice, OFF)
        begun = False
        for clips in seat.synthesize(iter([request])):
            for clip in clips:
                if clip.failure:
                    raise NarrateError(clip.failure)
                if not begun:
                    begun = True
                    yield wav.header(clip.sample_rate, len(clip.samples) if clip.final else None, floats=True)
                yield as_bytes(clip.samples)
        if not begun:
            raise NarrateError("the engine returned nothing")


def as_bytes(samples: Samples) -> bytes:
    return np.ascontiguousarray(samples, "<f4").tobytes()


def router(service: Service) -> APIRouter:
    """The addresses of this module."""
    from fastapi import APIRouter, HTTPException
    from fastapi.responses import StreamingResponse

    routes = APIRouter(prefix="/api", tags=["engines"])

    @routes.get("/engine")
    def engine(engine: str = "auto") -> dict[str, Any]:
        """Who speaks each language here, and what shapes the sound of a take."""
        try:
            return engines(service, engine)
        except InputError as error:
            raise HTTPException(404, str(error)) from None

    @routes.get("/engine/rate")
    def rate(engine: str = "auto", language: str = "en", voice: str | None = None) -> dict[str, int]:
        """The sample rate in Hz of an engine; it is loaded now."""
        try:
            who = _speaking(service, engine, language, {"voice": voice} if voice else None)
            with closing(service.seat(who, language)) as seat:
                seat.prepare(replace(who.voice, language=language), OFF)
                return {"sample_rate": seat.sample_rate or 0}
        except NarrateError as error:
            raise HTTPException(404, str(error)) from None

    @routes.post("/take", response_class=StreamingResponse, responses={200: {"content": {"audio/wav": {}}}})
    def take(asked: TakeRequest) -> Any:
        """One text as one take, not judged and not kept: WAV with 32-bit floats, while it is made."""
        parts = sound(service, asked)
        first = next(parts)  # what cannot be spoken is an answer of its own, not a sound that breaks off
        return StreamingResponse(_all(first, parts), media_type="audio/wav")

    return routes


def _all(first: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from parts
