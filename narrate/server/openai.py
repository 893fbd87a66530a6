"""OpenAI's speech API: /v1/audio/speech, /v1/audio/voices and /v1/models, for the clients that speak it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from narrate.server import voices
from narrate.server.problems import Problem
from narrate.server.sound import LiveSound, SpeechEvents, whole
from narrate.server.speech import Desk, Order
from narrate.server.tts import SOUND, Format, Rate
from narrate.text.language import LANGUAGES

OWN = "narrate"  # the model that takes the best engine for a language
THEIRS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")  # what clients ask for that were written for OpenAI: the same
MADE = 1_767_225_600  # 2026; the list of models wants a time, in seconds since 1970
_CODES = {name.lower(): code for code, name in LANGUAGES.items()}


class VoiceId(BaseModel):
    id: str


class CreateSpeech(BaseModel):
    """OpenAI's request, and what open servers add to it: `language`, `stream`, `sample_rate`, `seed`."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    input: str = Field(description="What is to be spoken; as long as you like.")
    model: str = Field(OWN, description="narrate, the name of an engine, or one of OpenAI's, which mean narrate.")
    voice: str | VoiceId | None = Field(None, description="A voice of /v1/audio/voices, or one of OpenAI's names.")
    response_format: Format = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4)] = Field(1.0, description="From 0.5 to 2 can be spoken here.")
    instructions: str | None = Field(None, description="How to speak; engines that cannot follow refuse.")
    stream_format: Literal["audio", "sse"] = "audio"
    stream: bool = Field(True, description="false: answer when all is made, with Content-Length and X-Finish-Reason.")
    language: str | None = Field(None, description="A code or an English name. Otherwise found out from the text.")
    sample_rate: Rate | None = None
    seed: int | None = None

    def wishes(self) -> dict[str, Any]:
        """By the names of the table of settings. Raises `Problem`."""
        voice = self.voice.id if isinstance(self.voice, VoiceId) else self.voice
        language = _CODES.get((self.language or "").lower(), self.language)
        found = {
            "voice": voice,
            "lang": None if language in ("", "Auto", "auto") else language,
            "speed": self.speed if self.speed != 1.0 else None,
            "instruct": self.instructions or None,
            "seed": self.seed,
            "engine": self.model if self.model not in (OWN, *THEIRS) else None,
        }
        if not 0.5 <= self.speed <= 2:
            raise Problem(400, f"speed: from 0.5 to 2 can be spoken here, and not {self.speed:g}.", param="speed")
        return {name: value for name, value in found.items() if value is not None}

    def order(self) -> Order:
        return Order(self.input, self.wishes(), self.response_format, rate=self.sample_rate, interface="openai")


def router(desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/audio/speech", response_class=Response, responses=SOUND)
    async def create_speech(wanted: CreateSpeech, request: Request) -> Response:
        """Speak a text. It is sent while it is made, as bytes or as events."""
        check_model(wanted.model, desk)
        order = wanted.order()
        speech = await desk.speak(order, request.receive)
        if wanted.stream_format == "sse":
            return SpeechEvents(order, speech, len(wanted.input))
        return LiveSound(order, speech) if wanted.stream else await whole(order, speech)

    @routes.get("/audio/speech/{identity}")
    def outcome(identity: str) -> dict[str, Any]:
        """How a text of this X-Request-Id ended that was spoken lately: `finish_reason`, seconds, what failed."""
        found = desk.outcomes.get(identity)
        if found is None:
            raise Problem(404, "There is no such speech among the last ones.")
        return found.to_json()

    @routes.get("/audio/voices")
    def list_voices() -> dict[str, Any]:
        """The voices that can be asked for; OpenAI's names stand for one of them that suits the language."""
        listed = voices.listing(desk.service)
        return {
            "object": "list",
            "voices": [voice["id"] for voice in listed],
            "data": listed,
            "aliases": [*voices.ALIASES],
        }

    @routes.get("/models")
    def list_models() -> dict[str, Any]:
        """narrate takes the best engine for the language of a text, and so do OpenAI's names; others are engines."""
        return {"object": "list", "data": models(desk)}

    @routes.get("/models/{model}")
    def get_model(model: str) -> dict[str, Any]:
        """One of the models."""
        check_model(model, desk)
        return next(each for each in models(desk) if each["id"] == model)

    return routes


def models(desk: Desk) -> list[dict[str, Any]]:
    """All models, as OpenAI lists them."""
    names = (OWN, *voices.engines(desk.service), *THEIRS)
    return [{"id": name, "object": "model", "created": MADE, "owned_by": "narrate"} for name in names]


def check_model(model: str, desk: Desk) -> None:
    """Raise `Problem` 404 for a model that does not exist."""
    known = sorted(each["id"] for each in models(desk))
    if model not in known:
        raise Problem(
            404,
            f"The model '{model[:100]}' does not exist. There are: {', '.join(known)}.",
            param="model",
            code="model_not_found",
        )
