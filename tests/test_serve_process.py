"""`narrate serve` as a process of its own: what it serves, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info

from narrate.cli.serve import host_and_port
from narrate.errors import InputError
from tests.serving import NOVEL, until
from tests.test_serve_http2 import free_port, reachable


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    environment = {**os.environ, "NARRATE_HOME": str(folder), "NARRATE_CONFIG": os.devnull}
    command = [sys.executable, "-m", "narrate", "serve", "-e", "tone", "--port", str(port), *arguments]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            until(lambda: reachable(port) or server.poll() is not None)
            yield port, server
        finally:
            server.kill()


def test_home_assistant_and_allowed_pages_are_served_by_one_process(tmp_path: Path) -> None:
    at_home = free_port()

    async def asked() -> list[str]:
        async with asyncio.timeout(30), AsyncTcpClient("127.0.0.1", at_home) as client:
            await client.write_event(Describe().event())
            event = await client.read_event()
            assert event is not None
            return [voice.name for voice in Info.from_event(event).tts[0].voices]

    with process(tmp_path, "--wyoming", str(at_home), "--cors", "https://friend.example") as (port, server):
        assert asyncio.run(asked())[:2] == ["low", "high"]
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers={"Origin": "https://friend.example"})
        assert answer.headers["access-control-allow-origin"] == "https://friend.example"
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 143
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_whoever_is_spoken_to_when_it_ends_is_told(tmp_path: Path) -> None:
    with process(tmp_path) as (port, server), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        with (
            client.stream("POST", "/api/tts", json={"text": NOVEL, "format": "wav"}) as deaf,
            client.stream("POST", "/api/tts", json={"text": NOVEL, "format": "mp3"}) as heard,
        ):
            kept = deaf.iter_raw(10)
            next(kept)  # this one reads no more
            sound = heard.iter_raw(10)
            next(sound)
            server.send_signal(signal.SIGTERM)
            with pytest.raises(httpx.RemoteProtocolError):
                for _ in sound:
                    pass
        assert server.wait(30) == 143
    log = (tmp_path / "log").read_text()
    assert "The server is being stopped." in log or "cancelled" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10200", ("127.0.0.1", 10200)),
        ("0.0.0.0:10200", ("0.0.0.0", 10200)),
        ("[::1]:10200", ("::1", 10200)),
        ("home:1", ("home", 1)),
    ],
)
def test_addresses_of_home_assistant(text: str, address: tuple[str, int]) -> None:
    assert host_and_port(text) == address


@pytest.mark.parametrize("text", ["", "0", "65536", ":10200", "home", "home:", "home:x", "-1", "²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--wyoming must be a port"):
        host_and_port(text)
