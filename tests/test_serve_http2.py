"""The server behind hypercorn speaks HTTP/2, and says there how a sound ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving import SENTENCE, until

pytest.importorskip("hypercorn")
CURL = shutil.which("curl")
TOKEN = "open sesame"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    found, folder = free_port(), tmp_path_factory.mktemp("home")
    environment = {
        **os.environ,
        "NARRATE_HOME": str(folder),
        "NARRATE_CONFIG": os.devnull,
        "NARRATE_ENGINE": "tone",
        "NARRATE_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{found}", "narrate.server.asgi:create()"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            until(lambda: reachable(found) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def reachable(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


def curl(port: int, path: str, *arguments: str) -> list[str]:
    """What curl says over HTTP/2: the lines of its headers."""
    assert CURL
    head = ["-H", f"Authorization: Bearer {TOKEN}", "-H", "TE: trailers", "-D", "-"]
    command = [CURL, "-sf", "--http2-prior-knowledge", *head, *arguments, f"http://127.0.0.1:{port}{path}"]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.splitlines()


@pytest.mark.skipif(CURL is None, reason="curl is not here")
def test_sound_comes_over_http2_with_its_end_in_a_trailer(port: int, tmp_path: Path) -> None:
    sound, body = tmp_path / "sound.wav", json.dumps({"text": SENTENCE, "format": "wav"})
    lines = curl(port, "/api/tts", "-o", str(sound), "-H", "Content-Type: application/json", "-d", body)
    assert lines[0].startswith("HTTP/2 200")
    assert "x-sample-rate: 24000" in lines
    assert "x-finish-reason: stop" in lines
    assert sound.stat().st_size > 3 * 48_000


@pytest.mark.skipif(CURL is None, reason="curl is not here")
def test_text_comes_over_http2_too(port: int) -> None:
    assert curl(port, "/v1/models", "-o", os.devnull)[0].startswith("HTTP/2 200")


def test_the_password_of_the_environment_holds(port: int) -> None:
    assert httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 401
    answer = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json()["data"][1]["id"] == "tone"


def test_a_client_that_leaves_costs_nothing(port: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        text = " ".join(f"This is sentence number {number} of many." for number in range(3000))
        with client.stream("POST", "/v1/audio/speech", json={"input": text}) as answer:
            sound = answer.iter_raw(100)
            next(sound)
        until(lambda: "narrate_live_slots 0.0" in client.get("/metrics").text)
        told = client.get(f"/v1/audio/speech/{answer.headers['x-request-id']}").json()
        assert told["finish_reason"] == "cancelled"
