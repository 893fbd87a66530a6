"""/api/tts: a text becomes sound; /api/voices: who can speak it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from narrate.server import voices
from narrate.server.sound import LiveSound, whole
from narrate.server.speech import Desk, Order
from narrate.sinks.encoded_stream import HIGHEST_RATE, LOWEST_RATE

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
Rate = Annotated[int, Field(ge=LOWEST_RATE, le=HIGHEST_RATE)]
NAMES = {"language": "lang"}  # fields that the table of settings calls otherwise


class SpeechRequest(BaseModel):
    """A text to be spoken. Every further field is a setting of the table, such as `seed` or `max-chars`."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    text: str = Field(description="What is to be spoken. A whole novel is welcome.")
    voice: str | None = Field(None, description="A voice of /api/voices, or one of OpenAI's names.")
    language: str | None = Field(None, description="Such as en. Found out from the text if it is left out.")
    format: Format = "mp3"
    speed: float | None = Field(None, description="From 0.5 to 2.")
    instruct: str | None = Field(None, description="How to speak, in your own words; only some engines can.")
    stream: bool = Field(True, description="Send the sound while it is made, and not all of it at its end.")
    sample_rate: Rate | None = Field(None, description="In Hz. Otherwise that of the engine; of pcm, 24000.")

    def wishes(self) -> dict[str, Any]:
        """By the names of the table of settings."""
        named = {"voice": self.voice, "language": self.language, "speed": self.speed, "instruct": self.instruct}
        wishes = {NAMES.get(name, name): value for name, value in named.items() if value is not None}
        return {**{name.replace("_", "-"): value for name, value in (self.model_extra or {}).items()}, **wishes}

    def order(self) -> Order:
        return Order(self.text, self.wishes(), self.format, rate=self.sample_rate, interface="api")


def router(desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["speech"])

    @routes.post("/tts", response_class=Response, responses=SOUND)
    async def speak(wanted: SpeechRequest, request: Request) -> Response:
        """Speak a text. The first bytes come with the first sentence."""
        order = wanted.order()
        speech = await desk.speak(order, request.receive)
        return LiveSound(order, speech) if wanted.stream else await whole(order, speech)

    @routes.get("/voices")
    def list_voices() -> dict[str, Any]:
        """The voices of all engines that can run here."""
        return {"voices": voices.listing(desk.service)}

    return routes


SOUND: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound, as `Content-Type` says.",
        "content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    400: {"description": "There is no such voice, engine or setting, or nothing to speak."},
    413: {"description": "The request is too large."},
    429: {"description": "Too many requests of one client; `Retry-After` says how long to wait."},
    503: {"description": "Too many texts are being spoken already; `Retry-After` says how long to wait."},
}
