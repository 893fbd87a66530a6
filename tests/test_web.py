"""Books from the web, from a server of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from narrate.errors import InputError
from narrate.text import web
from narrate.text.book import TextOptions, open_book
from tests.test_cli import assert_one_line, narrate

PAGE = (
    "<html><head><title>The Café</title></head><body><article><p>It was late at the café.</p></article></body></html>"
)
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/caf%C3%A9/story": (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE.encode()),
    "/notes.md": (200, {"Content-Type": "text/plain"}, b"# One\n\nIt is **late**.\n"),
    "/here": (302, {"Location": "/caf%C3%A9/story"}, b""),
    "/out": (302, {"Location": "ftp://127.0.0.1/book.txt"}, b""),
    "/large": (200, {"Content-Type": "text/plain"}, b"word " * 1000),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
        code, headers, body = ANSWERS.get(self.path, (404, {}, b""))
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/café/story", "/caf%C3%A9/story", "/here", "/here#part"])
def test_a_page_is_read_by_its_address(site: str, path: str) -> None:
    book = open_book(site + path, TextOptions())
    assert book.title == "The Café"
    assert book.document is not None
    assert [p.text for c in book.document.chapters for p in c.paragraphs] == ["It was late at the café."]
    assert book.identity.path == site + path, "known by its address when it is read again"


def test_the_address_tells_the_kind_of_file_where_the_server_does_not(site: str) -> None:
    assert web.fetch(site + "/notes.md", 1000).name == "notes.md"
    book = open_book(site + "/notes.md", TextOptions())
    assert book.document is not None
    assert book.document.chapters[0].paragraphs[-1].text == "It is late."


@pytest.mark.parametrize(("path", "words"), [("/missing", "the server answers 404"), ("/out", "leads out of the web")])
def test_what_cannot_be_had_is_said(site: str, path: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        web.fetch(site + path, 1000)


def test_a_server_that_is_not_there_is_one_line() -> None:
    assert_one_line(narrate("chunks", "http://127.0.0.1:9/book.html"), 2, "cannot be fetched", "Check the address")


def test_a_page_is_fetched_as_far_as_a_file_would_be_read(site: str) -> None:
    with pytest.raises(InputError, match=r"/large: has more than 0.002 MB.*allow it with --max-bytes"):
        open_book(site + "/large", TextOptions(max_bytes=2000))
    assert open_book(site + "/large", TextOptions(max_bytes=5000)).document is not None


def test_what_is_too_large_is_not_fetched_to_its_end(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "BLOCK_BYTES", 500)
    assert len(web.fetch(site + "/large", 1200).data) == 1500


@pytest.mark.parametrize("name", ["book.txt", "ftp://host/book.txt", "https", "http:/x", "C:/book.txt"])
def test_other_names_are_files(name: str) -> None:
    assert not web.is_address(name)
