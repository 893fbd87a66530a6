"""A stand-in for the hub of models: a local HTTP server with the few answers that its client asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """`files` of the one model called `name`. `asked` are the requests so far: method, path and the bytes asked for.

    Once `break_after` bytes of a file were sent in one answer, the connection is cut.
    """

    name: str
    files: dict[str, bytes]
    address: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    break_after: int | None = None

    def fetched(self) -> list[str]:
        """Names of the files of which bytes were asked for."""
        marked = f"/resolve/{COMMIT}/"
        return [path.rpartition(marked)[2] for method, path, _ in self.asked if method == "GET" and marked in path]


@contextmanager
def hub(name: str, files: dict[str, bytes]) -> Iterator[Hub]:
    stand_in = Hub(name, files)

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_HEAD(self) -> None:  # noqa: N802
            self.answer(body=False)

        def do_GET(self) -> None:  # noqa: N802
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = urlsplit(self.path).path  # of a proxy the whole address is asked for
            stand_in.asked.append((self.command, path, self.headers.get("Range", "")))
            if path.startswith(f"/api/models/{name}"):
                self.send(200, json.dumps(_info(stand_in)).encode(), {"Content-Type": "application/json"}, body)
            elif path.startswith(f"/{name}/resolve/") and (found := path.split("/", 5)[5]) in stand_in.files:
                self.file(stand_in.files[found], body)
            else:
                self.send(404, b"", {"X-Error-Code": "RepoNotFound"} if "/api/" in path else {}, body)

        def file(self, content: bytes, body: bool) -> None:
            about = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            begin = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
            start, code = int(begin), 206 if "Range" in self.headers else 200
            if code == 206:
                about["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send(code, content[start:], about, body)

        def send(self, code: int, content: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(code)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            limit = stand_in.break_after
            if body:
                self.wfile.write(content if limit is None else content[:limit])
                self.close_connection = limit is not None and len(content) > limit

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def model_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _info(stand_in: Hub) -> dict[str, Any]:
    return {
        "id": stand_in.name,
        "modelId": stand_in.name,
        "sha": COMMIT,
        "cardData": {"license": "apache-2.0"},
        "siblings": [{"rfilename": name, "size": len(content)} for name, content in stand_in.files.items()],
    }
