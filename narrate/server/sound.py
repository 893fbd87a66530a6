"""Sound as the answer to a request: as it is made, or whole."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from json import dumps
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from narrate.errors import NarrateError
from narrate.server.problems import error_of, problem_of
from narrate.server.speech import Order, Speech
from narrate.sinks import wav
from narrate.sinks.encoded_stream import FORMATS

EVENTS = "text/event-stream"
IN_MEMORY_BYTES = 4 << 20  # of a whole sound; a longer one waits in a file
BLOCK = 1 << 16


def headers_of(order: Order, speech: Speech) -> dict[str, str]:
    """What every answer with sound says of it."""
    return {
        "X-Sample-Rate": str(speech.sample_rate),
        "X-Channels": "1",
        "X-Request-Id": speech.id,
        "Content-Disposition": f'inline; filename="speech.{order.format}"',
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",  # a proxy that waits for more would make a listener wait
    }


class LiveSound(Response):
    """Sound that is sent while it is made. Its end is told in a trailer where the connection has such, and afterwards
    under the id of the request. If it breaks off, so does the connection: no client takes it for whole."""

    def __init__(self, order: Order, speech: Speech) -> None:
        super().__init__(media_type=FORMATS[order.format].media_type, headers=headers_of(order, speech))
        del self.headers["content-length"]
        self.speech = speech

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trailers = "http.response.trailers" in scope.get("extensions", {})
        if trailers:
            self.headers["Trailer"] = "X-Finish-Reason"
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        try:
            await send({**start, "trailers": True} if trailers else start)
            async for data in self.pieces():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if trailers and self.speech.outcome is not None:
                reason = self.speech.outcome.finish_reason.encode()
                await send({"type": "http.response.trailers", "headers": [(b"x-finish-reason", reason)]})
        except (NarrateError, asyncio.CancelledError):
            return  # without an end: the server closes the connection, and the log has said why
        finally:
            await self.speech.close()

    async def pieces(self) -> AsyncIterator[bytes]:
        async for data in sound_of(self.speech):
            yield data


class SpeechEvents(LiveSound):
    """The same as OpenAI's events: `speech.audio.delta` with a piece of the sound, `speech.audio.done` at the end."""

    def __init__(self, order: Order, speech: Speech, characters: int) -> None:
        super().__init__(order, speech)
        self.headers["content-type"] = EVENTS
        self._characters = characters

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for data in sound_of(self.speech):
                yield _event("speech.audio.delta", {"audio": b64encode(data).decode()})
        except NarrateError as error:
            problem = problem_of(error)
            yield _event("speech.audio.error", error_of(problem.status_code, str(problem.detail)))
            return
        outcome = self.speech.outcome
        frames = round((outcome.audio_seconds if outcome else 0.0) * 12.5)
        usage = {
            "input_tokens": self._characters,
            "output_tokens": frames,
            "total_tokens": self._characters + frames,
        }
        reason = outcome.finish_reason if outcome else "stop"
        yield _event("speech.audio.done", {"usage": usage, "finish_reason": reason})


def _event(kind: str, content: Mapping[str, object]) -> bytes:
    return f"event: {kind}\ndata: {dumps({'type': kind, **content})}\n\n".encode()


async def sound_of(speech: Speech) -> AsyncIterator[bytes]:
    """The bytes of the sound, without the chunks."""
    while (piece := await speech.take()) is not None:
        if isinstance(piece, bytes):
            yield piece


class WholeSound(Response):
    """Sound that is sent when all of it is made, with its length and how it ended in the headers."""

    def __init__(self, order: Order, speech: Speech, kept: IO[bytes], size: int) -> None:
        super().__init__(media_type=FORMATS[order.format].media_type, headers=headers_of(order, speech))
        self.headers["content-length"] = str(size)
        if speech.outcome is not None:
            self.headers["X-Finish-Reason"] = speech.outcome.finish_reason
            self.headers["X-Audio-Seconds"] = f"{speech.outcome.audio_seconds:.3f}"
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._kept:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            self._kept.seek(0)
            while data := self._kept.read(BLOCK):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def whole(order: Order, speech: Speech) -> WholeSound:
    """Wait until all is made. Raises what broke it off."""
    kept = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - the answer closes it
    try:
        async for data in sound_of(speech):
            kept.write(data)
        await speech.close()
        size = kept.tell()
        if order.format == "wav":
            kept.seek(0)
            kept.write(wav.header(speech.sample_rate, (size - wav.HEADER) // 2))
        return WholeSound(order, speech, kept, size)
    except BaseException:
        kept.close()
        await speech.close()
        raise
