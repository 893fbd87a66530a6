"""A server as the recogniser: what it is asked for, and what its answers mean."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from narrate.checking.recogniser import RecogniserError, Sound, open_recogniser
from narrate.checking.transcriptions import ServerRecogniser

pytest.importorskip("httpx", reason="httpx is not installed")


def sounds(*seconds: int) -> list[Sound]:
    return [Sound(np.full(24_000 * each, 0.25, np.float32), 24_000, "ja") for each in seconds]


@contextmanager
def serving(*statuses: int, body: bytes | None = None) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server that answers with these statuses, the last of them for ever, and says the length of the sound."""
    asked: list[tuple[str, bytes]] = []
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            data = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, data))
            status = left.pop(0) if len(left) > 1 else left[0]
            size = data[data.index(b"RIFF") :].split(b"data", 1)[1][:4]
            samples = int.from_bytes(size, "little") // 2
            answer = body if body is not None else json.dumps({"text": f"{samples / 16_000:g} s"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_takes_are_sent_with_language_and_model_and_each_gets_its_own_text() -> None:
    with serving(200) as (address, asked), closing(open_recogniser(f"{address}#tiny")) as recogniser:
        assert recogniser.name.endswith(" tiny")
        assert recogniser.hear(sounds(1, 2, 3)) == ["1 s", "2 s", "3 s"]
    assert {path for path, _ in asked} == {"/v1/audio/transcriptions"}
    for _, data in asked:
        assert re.search(rb'name="model"\r\n\r\ntiny\r\n', data)
        assert re.search(rb'name="language"\r\n\r\nja\r\n', data)
        assert b"RIFF" in data


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/audio/transcriptions"])
def test_an_address_may_be_the_root_or_the_whole_path(path: str) -> None:
    with serving(200) as (address, asked), closing(open_recogniser(address + path)) as recogniser:
        assert recogniser.hear(sounds(1)) == ["1 s"]
    assert [each for each, _ in asked] == ["/v1/audio/transcriptions"]


def test_a_sound_that_the_server_refuses_has_no_text() -> None:
    with serving(400) as (address, asked), closing(open_recogniser(address)) as recogniser:
        assert recogniser.hear(sounds(1)) == [None]
    assert len(asked) == 1


def test_a_server_that_is_busy_for_a_moment_is_asked_again() -> None:
    with serving(503, 200) as (address, _), closing(open_recogniser(address)) as recogniser:
        assert recogniser.hear(sounds(1)) == ["1 s"]


@pytest.mark.parametrize(("status", "why"), [(500, "answers 500"), (404, "answers 404"), (302, "answers 302")])
def test_a_server_that_cannot_be_used_is_named(status: int, why: str) -> None:
    with (
        serving(status) as (address, _),
        closing(open_recogniser(address)) as recogniser,
        pytest.raises(RecogniserError, match=why),
    ):
        recogniser.hear(sounds(1))


def test_an_answer_without_text_is_none() -> None:
    with (
        serving(200, body=b"<html>") as (address, _),
        closing(open_recogniser(address)) as recogniser,
        pytest.raises(RecogniserError, match="no text"),
    ):
        recogniser.hear(sounds(1))


def test_a_server_that_is_not_there_is_named() -> None:
    with closing(ServerRecogniser("http://127.0.0.1:9")) as recogniser, pytest.raises(RecogniserError, match="answer"):
        recogniser.hear(sounds(1))
