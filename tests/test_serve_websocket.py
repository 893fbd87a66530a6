"""Text goes in while it is written, sound comes out, and it can be cut short."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from narrate.server.limits import Limits
from tests.serving import NOVEL, SENTENCE, Serving, serving, speak, until


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving("tone", limits=Limits(idle_seconds=1.0)) as running:
        yield running


class Talk:
    """A client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.socket = connection

    def say(self, kind: str, **content: object) -> None:
        self.socket.send(json.dumps({"type": kind, **content}))

    def hear(self) -> dict[str, Any] | bytes:
        message = self.socket.recv(timeout=60)
        return message if isinstance(message, bytes) else json.loads(message)

    def until(self, kind: str) -> tuple[list[dict[str, Any]], bytes]:
        """All messages up to the first of this kind, and all sound before it."""
        messages, sound = [], b""
        while not messages or messages[-1]["type"] != kind:
            heard = self.hear()
            if isinstance(heard, bytes):
                sound += heard
            else:
                messages.append(heard)
        return messages, sound


@contextmanager
def talking(server: Serving, **config: object) -> Iterator[Talk]:
    with connect(f"ws://127.0.0.1:{server.port}/v1/audio/speech/stream", compression=None) as connection:
        talk = Talk(connection)
        if config:
            talk.say("session.config", **config)
        yield talk


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def test_text_that_is_cut_anywhere_sounds_like_the_whole_text(server: Serving) -> None:
    text = f"He came. {SENTENCE}Then he left."
    whole = speak(server, text, format="pcm", language="en").content
    with talking(server, response_format="pcm", language="en") as talk:
        for at in range(0, len(text), 7):
            talk.say("input.text", text=text[at : at + 7])
        talk.say("input.done")
        messages, sound = talk.until("session.done")
    assert kinds(messages) == ["audio.start", "audio.done"] * 3 + ["session.done"]
    assert [each["sentence_text"] for each in messages if each["type"] == "audio.start"][0] == "He came."
    assert [each["sentence_index"] for each in messages if "sentence_index" in each] == [0, 0, 1, 1, 2, 2]
    assert sum(each["total_bytes"] for each in messages if each["type"] == "audio.done") == len(sound)
    assert messages[0]["sample_rate"] == 24_000
    assert messages[-1] == {
        "type": "session.done",
        "utterance_index": 0,
        "finish_reason": "stop",
        "total_sentences": 3,
    }
    assert abs(len(sound) - len(whole)) < 2 * 24_000 * 2  # the pauses after a paragraph and after a sentence differ


def test_a_sentence_sounds_before_the_next_is_written(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        talk.say("input.text", text=f"{SENTENCE}And th")
        assert talk.hear()["type"] == "audio.start"  # type: ignore[index,call-overload]
        assert isinstance(talk.hear(), bytes)
        talk.say("input.text", text="en he left.")
        talk.say("input.done")
        assert talk.until("session.done")[0][-1]["total_sentences"] == 2


@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav", "aac"])
def test_each_utterance_is_one_file_of_a_format_with_a_header(server: Serving, format: str) -> None:
    with talking(server, response_format=format) as talk:
        for _ in range(2):
            talk.say("input.text", text=SENTENCE * 2)
            talk.say("input.done")
            messages, sound = talk.until("session.done")
            assert kinds(messages) == ["audio.start", "audio.done", "session.done"]
            with av.open(io.BytesIO(sound)) as container:
                stream = container.streams.audio[0]
                assert sum(frame.samples for frame in container.decode(stream)) / stream.rate > 5


def test_utterances_are_spoken_one_after_the_other(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        for number in range(4):
            talk.say("input.text", text=f"This is number {number}.")
            talk.say("input.done")
        talk.say("session.close")
        numbers = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                heard = talk.hear()
                if isinstance(heard, dict):
                    numbers.append(heard["utterance_index"])
        assert numbers == sorted(numbers)
        assert set(numbers) == {0, 1, 2, 3}
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


def test_an_utterance_without_a_word_is_done_at_once(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        talk.say("input.done")
        talk.say("input.text", text=" … ")
        talk.say("input.done")
        assert kinds(talk.until("session.done")[0]) == ["session.done"]
        assert kinds(talk.until("session.done")[0]) == ["session.done"]


def test_after_a_cancel_there_is_silence_and_the_next_text_is_heard(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        talk.say("input.text", text=NOVEL[:100_000])
        talk.until("audio.start")
        talk.say("input.text", text="More of it.")
        talk.say("input.cancel")
        talk.until("input.cancelled")
        talk.say("input.text", text="Something else.")
        talk.say("input.done")
        messages, sound = talk.until("session.done")
    assert [each.get("utterance_index") for each in messages] == [1, 1, 1]
    assert messages[0]["sentence_text"] == "Something else."
    assert 0 < len(sound) < 5 * 48_000
    until(lambda: server.counted("live_slots") == 0)
    assert server.counted("speeches_total", interface="websocket", format="pcm", finish_reason="cancelled") >= 1


def test_a_cancel_of_nothing_is_answered(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        talk.say("input.cancel")
        assert talk.hear() == {"type": "input.cancelled", "utterance_indexes": []}


def test_a_client_that_leaves_costs_nothing(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        talk.say("input.text", text=NOVEL[:100_000])
        talk.until("audio.start")
        talk.socket.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: server.counted("live_slots") == 0)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"response_format": "ogg"}, "response_format"),
        ({"speed": 9}, "speed"),
        ({"model": "nothing"}, "nothing"),
        ({"sample_rate": 3}, "sample_rate"),
    ],
)
def test_a_wrong_configuration_is_told_and_can_be_mended(server: Serving, config: dict[str, object], says: str) -> None:
    with talking(server, **config) as talk:
        error = talk.hear()
        assert isinstance(error, dict)
        assert error["type"] == "error"
        assert says in error["message"]
        talk.say("session.config", response_format="pcm")
        talk.say("input.text", text="Now it works.")
        talk.say("input.done")
        assert talk.until("session.done")[1]


def test_a_voice_that_does_not_exist_is_told_and_the_connection_stays(server: Serving) -> None:
    with talking(server, voice="nobody") as talk:
        for _ in range(2):
            talk.say("input.text", text="Hello.")
            talk.say("input.done")
            messages, sound = talk.until("session.done")
            assert "no voice 'nobody'" in messages[0]["message"]
            assert messages[-1]["finish_reason"] == "error"
            assert sound == b""


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type": "input.text", "text": "Hello."}', 1008),
        ("no JSON", 1007),
        ("[1, 2]", 1007),
        ("[" * 100_000, 1007),
        (b"bytes", 1003),
        (json.dumps({"type": "session.config", "voice": "x" * 200_000}), 1009),
    ],
)
def test_a_connection_that_speaks_otherwise_is_closed(server: Serving, first: str | bytes, code: int) -> None:
    with talking(server) as talk:
        talk.socket.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            talk.until("session.done")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


def test_unknown_messages_are_told_and_do_no_harm(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        talk.say("input.dance")
        talk.say("input.text", text=3)
        assert kinds([talk.hear(), talk.hear()]) == ["error", "error"]  # type: ignore[list-item]


def test_a_silent_client_is_told_goodbye(server: Serving) -> None:
    with talking(server, response_format="pcm") as talk:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                assert "Nothing was said for 1 seconds" in talk.hear()["message"]  # type: ignore[index,call-overload]
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


def test_a_text_of_a_language_is_read_in_it() -> None:
    with serving("espeak") as server, talking(server, response_format="pcm") as talk:
        for text in ("Das ist nicht so einfach, und der Regen fiel auf das Dach der Hütte. ", "今天天气很好。"):
            talk.say("input.text", text=text)
            talk.say("input.done")
            messages, sound = talk.until("session.done")
            assert messages[-1]["finish_reason"] == "stop"
            assert sound
