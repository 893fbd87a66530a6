"""What a browser has is not sent again, and parts of a file are what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.testclient import TestClient

from narrate.server.caching import Revalidated
from tests.serving import Serving, serving, speak

DATA = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> Iterator[TestClient]:
    """A program that sends a file, a text and a stream."""
    (tmp_path / "book.m4b").write_bytes(DATA)
    app = FastAPI()

    @app.get("/book")
    def book() -> Any:
        return FileResponse(tmp_path / "book.m4b", media_type="audio/mp4")

    @app.get("/text")
    def text() -> Any:
        return Response("a text", media_type="text/plain", headers={"Set-Cookie": "a=b", "Cache-Control": "no-cache"})

    @app.get("/fresh")
    def fresh() -> Any:
        return Response("a text", headers={"Cache-Control": "no-store"})

    @app.get("/stream")
    def stream() -> Any:
        return StreamingResponse(iter([b"one", b"two"]))

    app.add_middleware(Revalidated)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/text", "/book"])
def test_what_is_known_is_not_sent_again(files: TestClient, path: str) -> None:
    first = files.get(path)
    tag = first.headers["etag"]
    for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = files.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in again.headers
    assert files.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    assert files.head(path).status_code in (200, 405)


def test_what_is_made_anew_each_time_has_no_tag(files: TestClient) -> None:
    for path in ("/fresh", "/stream"):
        assert "etag" not in files.get(path).headers
        assert files.get(path, headers={"If-None-Match": "*"}).status_code == 200
    assert files.get("/stream").content == b"onetwo"


@pytest.mark.parametrize(
    ("wanted", "begin", "end"),
    [
        ("bytes=0-", 0, len(DATA)),
        ("bytes=0-0", 0, 1),
        ("bytes=1000-", 1000, len(DATA)),
        ("bytes=5-999999", 5, 1_000_000),
        ("bytes=0-99999999999", 0, len(DATA)),
        ("bytes=-10", len(DATA) - 10, len(DATA)),
    ],
)
def test_a_part_is_as_long_as_was_asked_for(files: TestClient, wanted: str, begin: int, end: int) -> None:
    answer = files.get("/book", headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == DATA[begin:end]
    assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(DATA)}"


def test_a_part_that_is_not_there_is_refused(files: TestClient) -> None:
    assert files.get("/book", headers={"Range": f"bytes={len(DATA)}-"}).status_code == 416
    old = {"Range": "bytes=0-9", "If-Range": '"old"'}
    assert files.get("/book", headers=old).content == DATA


def test_the_page_and_its_files_are_sent_once(server: Serving) -> None:
    for path in ("/", "/page.css", "/page.js"):
        tag = server.client.get(path).headers["etag"]
        assert server.client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_compressed_or_not_the_tag_is_the_same(server: Serving) -> None:
    tags = {
        httpx.get(f"{server.url}/page.js", headers={"Accept-Encoding": coding}).headers["etag"]
        for coding in ("identity", "gzip")
    }
    assert len(tags) == 1


def test_sound_that_is_made_has_no_tag(server: Serving) -> None:
    assert "etag" not in speak(server).headers
