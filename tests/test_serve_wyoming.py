"""Home Assistant is spoken to in Wyoming, with the client of the wyoming package."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from narrate.server.limits import Limits, Slots
from narrate.server.metrics import Metrics
from narrate.server.service import Service, ServiceOptions
from narrate.server.speech import Desk
from narrate.server.wyoming import listening
from tests.serving import SENTENCE, settings_of

Client = Callable[[AsyncTcpClient, Desk], Coroutine[Any, Any, None]]


@pytest.fixture(params=["tone:rate=22050", "espeak"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def talk(client: Client, engine: str = "tone") -> None:
    @asynccontextmanager
    async def connected(desk: Desk) -> Any:
        async with listening(desk, Limits(), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with AsyncTcpClient("127.0.0.1", port) as connection:
                yield connection

    async def run() -> None:
        metrics = Metrics()
        with Service(ServiceOptions(settings_of(engine=engine))) as service:
            desk = Desk(service, metrics, Slots(Limits(), metrics))
            async with asyncio.timeout(60), connected(desk) as connection:
                await client(connection, desk)

    asyncio.run(run())


async def heard(client: AsyncTcpClient, last: str) -> tuple[list[str], bytes]:
    """The types of all events up to the first of the type `last`, each once in a row, and the sound."""
    types: list[str] = []
    sound = b""
    while not types or types[-1] != last:
        event = await client.read_event()
        assert event is not None
        if AudioChunk.is_type(event.type):
            sound += AudioChunk.from_event(event).audio
        if AudioStart.is_type(event.type):
            start = AudioStart.from_event(event)
            assert (start.rate, start.width, start.channels) == (24_000, 2, 1)
        if not types or types[-1] != event.type:
            types.append(event.type)
    return types, sound


WHOLE = ["audio-start", "audio-chunk", "audio-stop"]


def test_it_says_who_can_speak(engine: str) -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        await connection.write_event(Describe().event())
        event = await connection.read_event()
        assert event is not None
        (program,) = Info.from_event(event).tts
        assert program.supports_synthesize_streaming
        assert program.installed
        assert program.voices[0].name in ("low", "en-us")
        assert all(voice.languages for voice in program.voices)

    talk(client, engine)


def test_a_whole_text_is_spoken(engine: str) -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        for _ in range(2):
            await connection.write_event(Synthesize(SENTENCE).event())
            types, sound = await heard(connection, "audio-stop")
            assert types == WHOLE
            assert len(sound) > 2 * 24_000 * 2

    talk(client, engine)


def test_pieces_that_cut_words_sound_like_the_whole_text(engine: str) -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        await connection.write_event(Synthesize(SENTENCE, SynthesizeVoice(language="en_US")).event())
        _, whole = await heard(connection, "audio-stop")
        await connection.write_event(SynthesizeStart(SynthesizeVoice(language="en-GB")).event())
        for at in range(0, len(SENTENCE), 5):
            await connection.write_event(SynthesizeChunk(SENTENCE[at : at + 5]).event())
        await connection.write_event(Synthesize(SENTENCE).event())  # for programs that know no pieces
        await connection.write_event(SynthesizeStop().event())
        types, sound = await heard(connection, "synthesize-stopped")
        assert types == [*WHOLE, "synthesize-stopped"]
        assert abs(len(sound) - len(whole)) < 48_000

    talk(client, engine)


def test_the_first_sentence_sounds_before_the_second_is_written() -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        await connection.write_event(SynthesizeStart().event())
        await connection.write_event(SynthesizeChunk(f"{SENTENCE}And th").event())
        await heard(connection, "audio-chunk")
        await connection.write_event(SynthesizeChunk("en he left.").event())
        await connection.write_event(SynthesizeStop().event())
        types, _ = await heard(connection, "synthesize-stopped")
        assert types[-2:] == ["audio-stop", "synthesize-stopped"]

    talk(client)


def test_unknown_events_are_passed_over() -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        await connection.write_event(Event("dance", {"with": "me"}, b"payload"))
        await connection.write_event(SynthesizeChunk("Nobody asked for this.").event())
        await connection.write_event(SynthesizeStop().event())
        await connection.write_event(Synthesize("Hello.").event())
        assert (await heard(connection, "audio-stop"))[0] == WHOLE

    talk(client)


def test_a_voice_is_taken_by_its_name() -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        sounds = []
        for name in ("low", "high"):
            await connection.write_event(Synthesize(SENTENCE, SynthesizeVoice(name=name)).event())
            sounds.append((await heard(connection, "audio-stop"))[1])
        assert sounds[0] != sounds[1]

    talk(client)


def test_what_goes_wrong_is_told_and_the_connection_stays() -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        await connection.write_event(Synthesize("Hello.", SynthesizeVoice(name="nobody")).event())
        event = await connection.read_event()
        assert event is not None
        assert "no voice 'nobody'" in Error.from_event(event).text
        await connection.write_event(SynthesizeStart(SynthesizeVoice(name="nobody")).event())
        await connection.write_event(SynthesizeChunk("Hello.").event())
        await connection.write_event(SynthesizeStop().event())
        assert (await heard(connection, "synthesize-stopped"))[0] == ["error", "synthesize-stopped"]
        await connection.write_event(Event("synthesize", {}))
        assert (await heard(connection, "error"))[0] == ["error"]
        await connection.write_event(Synthesize("Hello.").event())
        assert (await heard(connection, "audio-stop"))[0] == WHOLE

    talk(client)


def test_a_client_that_leaves_costs_nothing() -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        await connection.write_event(Synthesize(SENTENCE * 2000).event())
        await heard(connection, "audio-start")
        await connection.disconnect()
        while desk.metrics.registry.get_sample_value("narrate_live_slots"):
            await asyncio.sleep(0.01)

    talk(client)


@pytest.mark.parametrize(
    "line",
    [
        b"no event\n",
        b'{"type": "synthesize", "data_length": 10000000000}\n',
        b'{"type": "synthesize", "data_length": "many"}\n',
        b'{"type": 3}\n',
        b"[" * 70_000 + b"\n",
        b"x" * 200_000,
    ],
)
def test_what_is_no_event_ends_the_connection_and_no_other(line: bytes) -> None:
    async def client(connection: AsyncTcpClient, desk: Desk) -> None:
        assert connection._writer is not None
        host, port = connection._writer.get_extra_info("peername")[:2]
        reader, writer = await asyncio.open_connection(host, port, family=socket.AF_INET)
        writer.write(line)
        with suppress(ConnectionResetError):  # so it ends while more is on its way
            assert await reader.read() == b""
        writer.close()
        await connection.write_event(Synthesize("Hello.").event())
        assert (await heard(connection, "audio-stop"))[0] == WHOLE

    talk(client)


def test_stopped_is_said_by_the_package_as_we_say_it() -> None:
    assert SynthesizeStopped().event().type == "synthesize-stopped"
    assert AudioStop().event().type == "audio-stop"
