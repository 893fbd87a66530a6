"""A server for tests: the real program in a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.03)
    return found


@dataclass
class Served:
    """A running server. `ask` raises `urllib.error.HTTPError` for what it refuses."""

    process: subprocess.Popen[bytes]
    address: str
    home: Path

    @property
    def said(self) -> str:
        """All that the server has printed. It goes to a file: nobody reads a pipe, which would keep the server up."""
        return (self.home / "said.txt").read_text("utf-8")

    def ask(self, path: str, data: Any = None, *, method: str | None = None, raw: bytes | None = None) -> Any:
        """The answer: JSON, or bytes if it is none."""
        body = json.dumps(data).encode() if data is not None else raw
        kind = "application/json" if raw is None else "application/octet-stream"
        request = urllib.request.Request(self.address + path, body, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            content = answer.read()
            return json.loads(content) if content and "json" in answer.headers.get("Content-Type", "") else content

    def read(self, text: str, **wishes: Any) -> dict[str, Any]:
        """A reading of a text that was sent."""
        document = self.ask("/api/documents/text", {"text": text})
        reading: dict[str, Any] = self.ask("/api/readings", {"document": document["id"], **wishes})
        return reading

    def refusal(self, path: str, data: Any = None, **how: Any) -> tuple[int, str]:
        """The status and the words with which something is refused."""
        try:
            self.ask(path, data, **how)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["detail"]
        raise AssertionError("it was not refused")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def start(home: Path, *options: str, port: int | None = None, environment: Mapping[str, str] | None = None) -> Served:
    """A server with the test signal for a voice, unless `options` name an engine."""
    port = port or free_port()
    engine = () if "-e" in options else ("-e", "tone:rate=24000")
    with open(home / "said.txt", "wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "narrate", "serve", "--port", str(port), *engine, *options],
            env={**os.environ, "NARRATE_HOME": str(home), **(environment or {})},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    server = Served(process, f"http://127.0.0.1:{port}", home)
    until(lambda: _answers(server) or process.poll() is not None)
    assert process.poll() is None, server.said
    return server


def _answers(server: Served) -> bool:
    try:
        server.ask("/api/readings")
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def serving(home: Path, *options: str, **more: Any) -> Iterator[Served]:
    server = start(home, *options, **more)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
