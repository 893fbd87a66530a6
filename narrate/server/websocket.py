"""/v1/audio/speech/stream: text comes in while it is written, sound goes out. The messages have vLLM-Omni's names.

The client says `session.config` first, then `input.text` as often as it likes, and `input.done` at the end of an
utterance; more utterances may follow. `input.cancel` drops all that is not spoken yet; the answer is `input.cancelled`,
and no sound follows it. For each utterance the server says
`audio.start`, binary frames with sound, `audio.done`, and at its end `session.done`; with pcm there is a start and a
done for every sentence. `session.close` ends the connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from contextlib import aclosing, suppress
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from narrate.errors import NarrateError
from narrate.server.dictation import Utterance, named_language
from narrate.server.limits import Limits
from narrate.server.openai import CreateSpeech, check_model
from narrate.server.problems import Problem, error_of, problem_of
from narrate.server.speech import Desk, Order
from narrate.text.document import Chunk

_log = logging.getLogger(__name__)

CONFIG_SECONDS = 10.0  # within which a client says what it wants
FRAME_BYTES = 32_000  # of sound at once, so that little is on its way when a client cancels
MOST_WAITING = 16  # utterances that wait for those before them
OWN_FIELDS = {"format": "response_format", "instruct": "instructions"}  # narrate's own words for OpenAI's


class Goodbye(Exception):
    """The connection is to be closed, with this code and reason (RFC 6455)."""

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def router(desk: Desk, limits: Limits) -> APIRouter:
    routes = APIRouter()

    @routes.websocket("/v1/audio/speech/stream")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await Conversation(socket, desk, limits).run()

    return routes


class Conversation:
    """One connection."""

    def __init__(self, socket: WebSocket, desk: Desk, limits: Limits) -> None:
        self._socket, self._desk, self._limits = socket, desk, limits
        self._order = Order("")
        self._configured = False
        self._writing: Utterance | None = None  # what the client is saying
        self._waiting: deque[tuple[int, Utterance]] = deque()
        self._count = 0
        self._speaking: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()  # cancelled, and not quite over
        self._active = time.monotonic()  # when something was heard of either side

    async def run(self) -> None:
        goodbye = Goodbye()
        try:
            while True:
                await self._hear(await self._message())
        except Goodbye as said:
            goodbye = said
        except WebSocketDisconnect:
            return
        finally:
            self._drop()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*self._ending, return_exceptions=True)
        with suppress(RuntimeError, WebSocketDisconnect):  # the client was quicker
            if goodbye.reason:
                await self._error(Problem(408 if goodbye.code == 1000 else 400, goodbye.reason))
            await self._socket.close(goodbye.code, goodbye.reason[:100])

    async def _message(self) -> dict[str, Any]:
        """The next message. Raises `Goodbye` for one that is too large or no object, and when none comes."""
        while True:
            patience = self._limits.idle_seconds if self._configured else CONFIG_SECONDS
            left = self._active + patience - time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, left)):
                    text = await self._text()
            except TimeoutError:
                if time.monotonic() < self._active + patience or self._is_speaking:
                    continue  # sound went out meanwhile, or is still to be made
                raise Goodbye(1000, f"Nothing was said for {patience:g} seconds.") from None
            self._active = time.monotonic()
            if len(text) > self._limits.message_bytes:
                raise Goodbye(1009, f"A message has at most {self._limits.message_bytes // 1024} kB.")
            try:
                message = json.loads(text)
            except (ValueError, RecursionError):
                raise Goodbye(1007, "A message must be JSON.") from None
            if not isinstance(message, dict):
                raise Goodbye(1007, "A message must be a JSON object.")
            return message

    @property
    def _is_speaking(self) -> bool:
        """Something is being made that the client has finished, so that it has nothing to say now."""
        if self._speaking is None or self._speaking.done() or (self._writing is not None and self._writing.begun):
            return False
        self._active = time.monotonic()
        return True

    async def _text(self) -> str:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        if received.get("text") is None:
            raise Goodbye(1003, "A message must be text.")
        return str(received["text"])

    async def _hear(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        try:
            if kind == "session.close":
                await self._finish()
                raise Goodbye
            if kind == "session.config":
                self._configure(message)
            elif not self._configured:
                raise Goodbye(1008, "The first message must be session.config.")
            elif kind == "input.text":
                self._say(message.get("text"))
            elif kind == "input.done":
                self._done()
            elif kind == "input.cancel":
                await self._cancel()
            else:
                raise Problem(400, f"There is no message of the type {str(kind)[:50]!r}.")
        except (Problem, NarrateError) as error:
            await self._error(problem_of(error))

    def _configure(self, message: dict[str, Any]) -> None:
        """What holds for all that is said from now on. Raises `Problem`."""
        if self._writing is not None and self._writing.begun:
            raise Problem(400, "Say input.done or input.cancel before another session.config.")
        fields = {OWN_FIELDS.get(name, name): value for name, value in message.items() if value is not None}
        try:
            wanted = CreateSpeech(**{"response_format": "pcm", **fields, "input": ""})
        except ValidationError as error:
            first = error.errors()[0]
            raise Problem(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
        check_model(wanted.model, self._desk)
        wishes = wanted.wishes()
        self._desk.service.values(wishes)
        self._order = Order(
            "",
            wishes,
            wanted.response_format,
            language=named_language(wishes),
            rate=wanted.sample_rate,
            interface="websocket",
        )
        self._writing, self._configured = None, True

    def _say(self, text: object) -> None:
        if not isinstance(text, str):
            raise Problem(400, "input.text needs a text.")
        if self._writing is None:
            if len(self._waiting) >= MOST_WAITING:
                raise Problem(429, "Too many utterances are waiting. Wait for session.done.")
            self._writing = Utterance(self._desk, self._limits, self._order)
            self._waiting.append((self._count, self._writing))
            self._count += 1
            self._go_on()
        self._writing.say(text)

    def _done(self) -> None:
        """The utterance is complete; one without a word has its session.done too."""
        if self._writing is None:
            self._say("")
        if self._writing is not None:
            self._writing.end()
        self._writing = None

    async def _cancel(self) -> None:
        """Be silent at once: nothing of what was said is spoken any more, and no frame of it follows the answer."""
        dropped = self._drop()
        for index in dropped:
            await self._send("session.done", utterance_index=index, finish_reason="cancelled", total_sentences=0)
        await self._send("input.cancelled", utterance_indexes=dropped)

    def _drop(self) -> list[int]:
        """Forget all utterances; returns their numbers. What is being made ends by itself."""
        dropped = [index for index, _ in self._waiting]
        self._waiting.clear()
        self._writing = None
        if self._speaking is not None and not self._speaking.done():
            self._speaking.cancel()
            self._ending.add(self._speaking)
            self._speaking.add_done_callback(self._ending.discard)
        self._speaking = None
        return dropped

    async def _finish(self) -> None:
        """Let all be spoken that was said."""
        if self._writing is not None:
            self._done()
        while self._speaking is not None and not self._speaking.done():
            await asyncio.wait([self._speaking])

    def _go_on(self) -> None:
        if self._waiting and (self._speaking is None or self._speaking.done()):
            self._speaking = asyncio.create_task(self._speak_all())

    async def _speak_all(self) -> None:
        with suppress(WebSocketDisconnect):
            while self._waiting:
                await self._speak_next(*self._waiting[0])

    async def _speak_next(self, index: int, utterance: Utterance) -> None:
        sentences, reason = 0, "error"
        try:
            sentences = await self._speak(index, utterance)
            reason = utterance.outcome.finish_reason if utterance.outcome else "stop"
        except WebSocketDisconnect:
            raise
        except Exception as error:
            if not isinstance(error, Problem | NarrateError):
                _log.error("A text that was dictated ended in a defect.", exc_info=error)
            await self._error(problem_of(error), utterance_index=index)
            if self._writing is utterance:
                self._writing = None
        if self._waiting and self._waiting[0][0] == index:
            self._waiting.popleft()
        await self._send("session.done", utterance_index=index, finish_reason=reason, total_sentences=sentences)

    async def _speak(self, index: int, utterance: Utterance) -> int:
        """Send one utterance; returns how many sentences it had."""
        by_sentence = utterance.format == "pcm"
        sentences, sent, open_ = 0, 0, False
        async with aclosing(utterance.pieces()) as pieces:
            async for piece in pieces:
                if isinstance(piece, Chunk):
                    if open_ and by_sentence:
                        await self._send_done(index, sentences - 1, sent)
                        open_ = False
                    sentences += 1
                    if not open_:
                        open_, sent = True, 0
                        await self._send(
                            "audio.start",
                            utterance_index=index,
                            sentence_index=sentences - 1,
                            sentence_text=piece.text if by_sentence else "",
                            format=utterance.format,
                            sample_rate=utterance.sample_rate,
                        )
                    continue
                for at in range(0, len(piece), FRAME_BYTES):
                    await self._socket.send_bytes(piece[at : at + FRAME_BYTES])
                    self._active = time.monotonic()
                sent += len(piece)
        if open_:
            await self._send_done(index, sentences - 1 if by_sentence else 0, sent)
        return sentences

    async def _send_done(self, index: int, sentence: int, sent: int) -> None:
        await self._send("audio.done", utterance_index=index, sentence_index=sentence, total_bytes=sent)

    async def _error(self, problem: Problem, **more: object) -> None:
        told = error_of(problem.status_code, str(problem.detail))["error"]
        assert isinstance(told, dict)
        await self._send("error", message=told["message"], error_type=told["type"], **more)

    async def _send(self, kind: str, **content: object) -> None:
        await self._socket.send_text(json.dumps({"type": kind, **content}))
