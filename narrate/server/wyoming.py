"""Wyoming: the voice of Home Assistant. A line of JSON for each event, then its data, then sound.

`describe` is answered by `info`. `synthesize` brings a whole text; `synthesize-start`, `-chunk` and `-stop` bring one
that is still being written, in pieces that cut words. Sound is `audio-start`, `audio-chunk`, `audio-stop`; a text that
came in pieces ends with `synthesize-stopped`. Events that this program does not know are passed over.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from narrate import __version__
from narrate.errors import InputError, NarrateError
from narrate.server import voices
from narrate.server.dictation import Utterance
from narrate.server.limits import Limits
from narrate.server.problems import Problem, problem_of
from narrate.server.speech import Desk, Order
from narrate.server.trace import begin_request, new_request
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES

_log = logging.getLogger(__name__)

LINE_BYTES = 1 << 16  # of an event, before its data
PIECE_BYTES = 8192  # of sound in one event
MOST_CONNECTIONS = 64


@asynccontextmanager
async def listening(desk: Desk, limits: Limits, host: str, port: int) -> AsyncIterator[asyncio.Server]:
    """Serve Wyoming on this address inside the block. Raises InputError if the address cannot be had."""
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            if len(talks) <= MOST_CONNECTIONS:
                await Talk(desk, limits, reader, writer).run()
        except asyncio.CancelledError:
            return  # the server ends
        finally:
            talks.discard(task)
            writer.close()

    try:
        server = await asyncio.start_server(serve, host, port, limit=LINE_BYTES)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise InputError(f"Wyoming cannot be served on {host}:{port}: {why}. Choose another port.") from None
    try:
        yield server
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


class Talk:
    """One connection."""

    def __init__(self, desk: Desk, limits: Limits, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._desk, self._limits, self._reader, self._writer = desk, limits, reader, writer
        self._utterance: Utterance | None = None  # what is being dictated
        self._speaking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        begin_request(new_request())
        try:
            while (event := await self._event()) is not None:
                await self._hear(event)
        except (ConnectionError, EOFError):
            return
        finally:
            if self._speaking is not None:
                self._speaking.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await self._speaking

    async def _event(self) -> Event | None:
        """The next event; None at the end, and after something that is no event."""
        try:
            line = await self._reader.readline()
            head = json.loads(line) if line else None
            if not isinstance(head, dict) or not isinstance(head.get("type"), str):
                return None
            data = head.get("data") or {}
            sizes = [head.get(name) or 0 for name in ("data_length", "payload_length")]
            if any(not isinstance(size, int) or not 0 <= size <= self._limits.message_bytes for size in sizes):
                return None
            if sizes[0]:
                data = {**data, **json.loads(await self._reader.readexactly(sizes[0]))}
            await self._reader.readexactly(sizes[1])
            return Event(head["type"], data)
        except (ValueError, TypeError, RecursionError, asyncio.LimitOverrunError):
            return None

    async def _hear(self, event: Event) -> None:
        begin_request(new_request())
        try:
            if Describe.is_type(event.type):
                await self._write(self._info().event())
            elif Ping.is_type(event.type):
                await self._write(Pong(text=event.data.get("text")).event())
            elif Synthesize.is_type(event.type):
                if self._utterance is None:  # else it repeats what came in pieces, for programs that know no pieces
                    await self._whole(Synthesize.from_event(event))
            elif SynthesizeStart.is_type(event.type):
                await self._start(SynthesizeStart.from_event(event))
            elif SynthesizeChunk.is_type(event.type):
                if self._utterance is not None:
                    self._utterance.say(str(SynthesizeChunk.from_event(event).text))
            elif SynthesizeStop.is_type(event.type):
                await self._stop()
        except (Problem, NarrateError) as error:
            await self._fail(error)
        except (KeyError, TypeError, AttributeError):
            await self._fail(Problem(400, f"The event {event.type[:50]} is not complete."))

    async def _whole(self, asked: Synthesize) -> None:
        utterance = Utterance(self._desk, self._limits, self._order(asked.voice))
        utterance.say(str(asked.text))
        utterance.end()
        await self._speak(utterance)

    async def _start(self, asked: SynthesizeStart) -> None:
        await self._stop()
        self._utterance = Utterance(self._desk, self._limits, self._order(asked.voice))
        self._speaking = asyncio.create_task(self._speak(self._utterance))

    async def _stop(self) -> None:
        """The dictated text is complete: wait until it has been spoken."""
        if self._utterance is None or self._speaking is None:
            return
        self._utterance.end()
        try:
            await self._speaking
        finally:
            self._utterance = self._speaking = None
            await self._write(SynthesizeStopped().event())

    def _order(self, voice: SynthesizeVoice | None) -> Order:
        """What Home Assistant wishes: a voice, or a language such as en_US."""
        wishes: dict[str, object] = {}
        language = (voice.language or "") if voice else ""
        code = language.replace("_", "-").partition("-")[0].lower()
        if voice and voice.name:
            wishes["voice"] = voice.name
            entry = next((each for each in voices.listing(self._desk.service) if each["id"] == voice.name), None)
            spoken = entry["languages"] if entry else []
            code = spoken[0] if isinstance(spoken, list) and len(spoken) == 1 else code
            if entry is not None:
                wishes["engine"] = entry["engine"]
        if code in LANGUAGES:
            wishes["lang"] = code
        own = str(self._desk.service.options.values["engine"])
        if wishes.get("engine") == own.partition(":")[0]:
            del wishes["engine"]  # with the options that the server was started with
        return Order("", wishes, "pcm", language=code if code in LANGUAGES else "", interface="wyoming")

    async def _speak(self, utterance: Utterance) -> None:
        started = False
        try:
            async with aclosing(utterance.pieces()) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Chunk):
                        continue
                    rate = utterance.sample_rate
                    if not started:
                        await self._write(AudioStart(rate, 2, 1).event())
                        started = True
                    for at in range(0, len(piece), PIECE_BYTES):
                        await self._write(AudioChunk(rate, 2, 1, piece[at : at + PIECE_BYTES]).event())
        except (Problem, NarrateError) as error:
            await self._fail(error)
        if started:
            await self._write(AudioStop().event())

    async def _fail(self, error: Exception) -> None:
        problem = problem_of(error)
        _log.warning("Wyoming: %s", problem.detail)
        await self._write(Error(text=str(problem.detail), code=str(problem.status_code)).event())

    async def _write(self, event: Event) -> None:
        await async_write_event(event, self._writer)

    def _info(self) -> Info:
        project = Attribution(name="narrate", url="https://pypi.org/project/narrate-aloud/")
        spoken = [
            TtsVoice(
                name=str(voice["id"]),
                attribution=project,
                installed=True,
                description=str(voice["description"]),
                version=__version__,
                languages=_languages(voice),
            )
            for voice in voices.listing(self._desk.service)
        ]
        program = TtsProgram(
            name="narrate",
            attribution=project,
            installed=True,
            description="Reads aloud, with the best voice of this machine for each language",
            version=__version__,
            voices=spoken,
            supports_synthesize_streaming=True,
        )
        return Info(tts=[program])


def _languages(voice: dict[str, Any]) -> list[str]:
    """Those native to the voice; a voice without one speaks all."""
    return list(voice["languages"]) or list(LANGUAGES)
