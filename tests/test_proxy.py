"""Behind nginx and Caddy: TLS, sound as it is made, the WebSocket, and no way in for a page of another site."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.served import free_port, serving, until

PACKAGING = Path(__file__).resolve().parents[1] / "packaging"
NAME = "books.example.org"
TOKEN = "two words"
PAUSE = 1.0  # seconds of work for each sentence
TEXT = " ".join(f"Sentence number {number} is about the rain on the roof." for number in range(5))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here (apt install openssl)")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
        + [
            "-addext",
            f"subjectAltName=DNS:{NAME}",
            "-keyout",
            folder / "privkey.pem",
            "-out",
            folder / "fullchain.pem",
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def secure(
    request: pytest.FixtureRequest, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """The port of a proxy with the configuration that narrate gives, before a server that works slowly."""
    proxy = shutil.which(request.param)
    if proxy is None:
        pytest.skip(f"{request.param} is not here (apt install {request.param})")
    home, port = tmp_path_factory.mktemp("behind"), free_port()
    options = ("-e", f"tone:a={PAUSE}", "--batch-size", "1", "--token", TOKEN, "--cors", f"https://{NAME}:{port}")
    with serving(home, *options) as server:
        backend = int(server.address.rpartition(":")[2])
        command = (_nginx if request.param == "nginx" else _caddy)(proxy, home, certificate, backend, port)
        with open(home / "proxy.txt", "wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, env={"HOME": str(home)})
        try:
            until(lambda: process.poll() is not None or _status(port, certificate) == 200)
            assert process.poll() is None, (home / "proxy.txt").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _nginx(program: str, home: Path, certificate: Path, backend: int, port: int) -> list[str]:
    site = (PACKAGING / "nginx.conf").read_text("utf-8").replace("127.0.0.1:8040", f"127.0.0.1:{backend}")
    site = site.replace(f"/etc/letsencrypt/live/{NAME}", str(certificate))
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}").replace("listen [::]:443 ssl http2;", "")
    places = "".join(
        f"{name}_temp_path {home}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = home / "nginx.conf"
    whole.write_text(
        f"pid {home}/nginx.pid; user root; daemon off; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {places}\n{site}}}\n"
    )
    subprocess.run([program, "-t", "-q", "-p", home, "-c", whole], check=True)
    return [program, "-p", str(home), "-c", str(whole)]


def _caddy(program: str, home: Path, certificate: Path, backend: int, port: int) -> list[str]:
    site = (PACKAGING / "Caddyfile").read_text("utf-8").replace("127.0.0.1:8040", f"127.0.0.1:{backend}")
    pair = f"\ttls {certificate}/fullchain.pem {certificate}/privkey.pem\n"
    site = site.replace(f"{NAME} {{\n", f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n{pair}")
    whole = home / "Caddyfile"
    whole.write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
    return [program, "run", "--adapter", "caddyfile", "--config", str(whole)]


def _trust(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate / "fullchain.pem"))


class _Handler(urllib.request.HTTPSHandler):
    """Reaches the name of the certificate at this machine."""

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Connection, request, context=self._context)  # type: ignore[attr-defined]


class _Connection(urllib.request.http.client.HTTPSConnection):  # type: ignore[name-defined,misc]
    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), 30)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def _ask(port: int, certificate: Path, path: str, data: object = None, **headers: str) -> Any:
    opener = urllib.request.build_opener(_Handler(context=_trust(certificate)))
    body = None if data is None else json.dumps(data).encode()
    kind = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    return opener.open(urllib.request.Request(f"https://{NAME}:{port}{path}", body, {**kind, **headers}), timeout=60)


def _status(port: int, certificate: Path, path: str = "/health", data: object = None, **headers: str) -> int:
    try:
        with _ask(port, certificate, path, data, **headers) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_sound_comes_while_it_is_made(secure: int, certificate: Path) -> None:
    begin = time.monotonic()
    with _ask(secure, certificate, "/api/tts", {"text": TEXT, "format": "opus"}) as answer:
        first = answer.read1(1)
        first_seconds = time.monotonic() - begin
        rest = answer.read()
    assert first + rest[:3] == b"OggS"
    assert time.monotonic() - begin - first_seconds > PAUSE  # the first sentence was heard while others were made


def test_text_and_sound_go_through_the_websocket(secure: int, certificate: Path) -> None:
    plain = socket.create_connection(("127.0.0.1", secure), 30)
    with connect(
        f"wss://{NAME}:{secure}/v1/audio/speech/stream",
        sock=plain,
        ssl=_trust(certificate),
        origin=f"https://{NAME}:{secure}",  # type: ignore[arg-type]
        additional_headers={"Authorization": f"Bearer {TOKEN}"},
    ) as line:
        line.send(json.dumps({"type": "session.config"}))
        line.send(json.dumps({"type": "input.text", "text": "Good night."}))
        line.send(json.dumps({"type": "input.done"}))
        said = []
        while "session.done" not in said:
            got = line.recv(60)
            said.append(json.loads(got)["type"] if isinstance(got, str) else "sound")
    assert {"audio.start", "sound", "audio.done"} <= set(said)


def test_its_own_page_may_use_it_and_others_may_not(secure: int, certificate: Path) -> None:
    def asked(origin: str) -> int:
        return _status(secure, certificate, "/api/tts", {"text": "Good night."}, Origin=origin)

    assert asked(f"https://{NAME}:{secure}") == 200
    assert asked("https://elsewhere.example") == 403


def test_the_cookie_goes_over_tls_only(secure: int, certificate: Path) -> None:
    opener = urllib.request.build_opener(_Handler(context=_trust(certificate)), _Stay())
    address = f"https://{NAME}:{secure}/?token={TOKEN.replace(' ', '+')}"
    with pytest.raises(urllib.error.HTTPError) as moved:
        opener.open(urllib.request.Request(address, headers={"Accept": "text/html"}), timeout=60)
    assert moved.value.code == 303
    assert "; secure" in moved.value.headers["Set-Cookie"].lower()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
