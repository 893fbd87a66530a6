"""A stand-in for speech servers: it speaks a dialect as that server's own source says, and has its faults."""

from __future__ import annotations

import base64
import io
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from narrate.clip import Samples, to_int16
from narrate.engines.tone import melody
from narrate.pace import expected_seconds

RATE = 24_000


def sound_of(text: str, language: str = "en") -> Samples:
    """What every stand-in says for a text."""
    return melody(expected_seconds(text, language), RATE, text)


def pcm(samples: Samples) -> bytes:
    return to_int16(samples).astype("<i2").tobytes()


def wav(samples: Samples, *, size: int | None = None, rate: int = RATE) -> bytes:
    """`size` is what the header says of the length, if that is not true."""
    data = pcm(samples)
    size = len(data) if size is None else size
    layout = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + layout
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def mp3(samples: Samples) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(to_int16(samples)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def events(samples: Samples) -> bytes:
    """Server-sent events as OpenAI's `stream_format: sse` has them."""
    data = pcm(samples)
    lines = [
        "data: " + json.dumps({"type": "speech.audio.delta", "audio": base64.b64encode(data[at : at + 4000]).decode()})
        for at in range(0, len(data), 4000)
    ]
    lines.append('data: {"type": "speech.audio.done", "usage": {}}')
    return ("\n\n".join(lines) + "\n\n").encode()


@dataclass
class Answer:
    """An answer: status, headers, body, and what happens on the way."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # bytes, then the connection breaks
    wait_seconds: float = 0.0
    pieces: list[bytes] | None = None  # sent one after the other, each when `gate` lets it


@dataclass
class StandIn:
    """What the stand-in has heard, and how it answers: `answer` gets the request's JSON and how often it was asked."""

    models: Any
    voices: Any
    answer: Callable[[dict[str, Any], int], Answer]
    key: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    gate: threading.Semaphore | None = None
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def serving(stand_in: StandIn, port: int = 0) -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _refuses(self) -> bool:
            if stand_in.key is None or self.headers.get("Authorization") == f"Bearer {stand_in.key}":
                return False
            self._send(Answer(b'{"error": {"message": "Incorrect API key provided"}}', 401))
            return True

        def do_GET(self) -> None:
            if self._refuses():
                return
            found = {"/v1/models": stand_in.models, "/v1/audio/voices": stand_in.voices}.get(self.path)
            self._send(Answer(b"{}", 404) if found is None else Answer(json.dumps(found).encode()))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self._refuses():
                return
            with stand_in._lock:
                stand_in.asked.append(body)
                times = sum(each.get("input") == body.get("input") for each in stand_in.asked)
                stand_in._at_once += 1
                stand_in.most_at_once = max(stand_in.most_at_once, stand_in._at_once)
            try:
                self._send(stand_in.answer(body, times))
            finally:
                with stand_in._lock:
                    stand_in._at_once -= 1

        def _send(self, answer: Answer) -> None:
            time.sleep(answer.wait_seconds)
            data = b"".join(answer.pieces) if answer.pieces is not None else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if answer.cut_after is not None:
                self.wfile.write(data[: answer.cut_after])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            for piece in answer.pieces or [data]:
                if answer.pieces is not None and stand_in.gate is not None:
                    stand_in.gate.acquire(timeout=20)
                self.wfile.write(piece)
                self.wfile.flush()

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # whoever asked has gone

    server = Server(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
