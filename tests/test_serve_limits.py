"""How much may be asked for: rates, sizes, times, ranges, turns. And whoever asks for too much slows nobody."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from narrate.errors import EngineError
from narrate.server.limits import Bounded, Clients, Limits, Slots
from narrate.server.metrics import Metrics
from narrate.server.problems import Problem
from narrate.server.service import MOST_ENGINES, Service, ServiceOptions
from narrate.settings.choices import Speaking
from tests.serving import NOVEL, Serving, serving, settings_of, speak, until

SMALL = Limits(body_bytes=2000, upload_bytes=10_000, body_seconds=0.5, slowest_bytes=1e6)


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving(limits=SMALL) as running:
        yield running


def test_a_client_has_a_burst_and_then_a_rate() -> None:
    now = 0.0
    clients = Clients(Limits(per_second=2, burst=3), lambda: now)
    assert [clients.wait_seconds("a") for _ in range(3)] == [0, 0, 0]
    assert clients.wait_seconds("a") == 0.5
    assert clients.wait_seconds("b") == 0
    now = 0.5
    assert clients.wait_seconds("a") == 0
    assert clients.wait_seconds("a") == 0.5
    now = 100
    assert [clients.wait_seconds("a") > 0 for _ in range(4)] == [False, False, False, True]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=60))
def test_nobody_gets_more_than_burst_and_rate(visits: list[tuple[str, float]]) -> None:
    now = 0.0
    clients = Clients(Limits(per_second=1, burst=5), lambda: now)
    served = dict.fromkeys("abc", 0)
    for client, pause in visits:
        now += pause
        served[client] += clients.wait_seconds(client) == 0
        assert served[client] <= 5 + now


def test_only_so_many_clients_are_remembered() -> None:
    clients = Clients(Limits(per_second=0.001, burst=1, clients=10), lambda: 0.0)
    for number in range(1000):
        clients.wait_seconds(str(number))
    assert len(clients._left) == 10


def test_too_many_requests_are_told_when_to_come_back() -> None:
    with serving(limits=Limits(per_second=0.2, burst=3)) as server:
        answers = [server.client.get("/v1/models") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
        assert answers[-1].json()["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize("content", ["application/json", "", "application/problem+json; charset=utf-8"])
def test_a_large_body_is_refused_before_it_is_read(server: Serving, content: str) -> None:
    body = json.dumps({"text": "a" * 3000}).encode()
    headers = {"Content-Type": content} if content else {}
    answer = server.client.post("/api/tts", content=body, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


def test_a_body_that_hides_its_length_is_refused_where_it_becomes_too_large(server: Serving) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(1000):
            yield b"a" * 1000

    answer = server.client.post("/api/tts", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e9", "99999999999999999999999999", "0x10"])
def test_a_strange_length_is_refused(server: Serving, length: str) -> None:
    head = f"POST /api/tts HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(head.encode())
        assert raw.recv(100).split()[1] in (b"400", b"413")


def test_a_slow_body_is_given_up(server: Serving) -> None:
    head = (
        b"POST /api/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(head + b'{"text"')
        assert raw.recv(100).split()[1] == b"408"
    assert server.counted("refused_total", why="slow") >= 1


def bounded(limits: Limits, headers: dict[str, str]) -> int:
    """The status for a request with these headers to a program that says 200 to everything."""
    sent: list[Message] = []

    async def program(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/",
        "http_version": "1.1",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(Bounded(program, limits, Metrics())(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(("ranges", "status"), [(1, 200), (8, 200), (9, 416), (10_000, 416)])
def test_ten_thousand_ranges_are_not_looked_at(ranges: int, status: int) -> None:
    assert bounded(Limits(ranges=8), {"Range": "bytes=" + ",".join(["0-1"] * ranges)}) == status


def test_a_book_may_be_larger_than_a_request() -> None:
    for kind, size, status in (
        ("application/octet-stream", 10_000, 200),
        ("application/octet-stream", 10_001, 413),
        ("multipart/form-data; boundary=x", 9_999, 200),
        ("application/json", 2_000, 200),
        ("application/json", 2_001, 413),
    ):
        assert bounded(SMALL, {"Content-Type": kind, "Content-Length": str(size)}) == status


def test_turns_are_given_in_order_and_whoever_comes_too_late_is_told() -> None:
    async def run() -> None:
        metrics = Metrics()
        slots = Slots(Limits(speaking=2, waiting=1, wait_seconds=0.05), metrics)
        await slots.take()
        await slots.take()
        assert not slots.full
        third = asyncio.create_task(slots.take())
        await asyncio.sleep(0)
        assert slots.full
        with pytest.raises(Problem) as refused:
            await slots.take()
        assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "5"})
        slots.give()
        await third
        with pytest.raises(Problem):  # it waited too long
            await slots.take()
        assert metrics.registry.get_sample_value("narrate_live_slots") == 2
        assert metrics.registry.get_sample_value("narrate_waiting") == 0
        slots.give()
        slots.give()
        async with slots.turn():
            pass
        assert metrics.registry.get_sample_value("narrate_live_slots") == 0

    asyncio.run(run())


def test_a_server_that_is_full_says_so_and_says_when_it_is_not() -> None:
    limits = Limits(speaking=1, waiting=0)
    with serving("tone:rtf=0.01", limits=limits) as server:
        with server.client.stream("POST", "/api/tts", json={"text": NOVEL, "format": "wav"}) as held:
            sound = held.iter_raw(10)  # which lets go of the connection when nobody holds it any more
            next(sound)
            answer = server.client.post("/v1/audio/speech", json={"input": "Hello."})
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["error"]["type"] == "overloaded_error"
            assert server.client.get("/ready").status_code == 503
            assert server.client.get("/health").status_code == 200
        until(lambda: speak(server, "Hello.").status_code == 200)
        until(lambda: server.client.get("/ready").status_code == 200)  # its place is free a moment after its answer


def test_clients_that_send_nothing_more_slow_no_other() -> None:
    with serving(limits=Limits(body_seconds=30)) as server:
        half = b"POST /api/tts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{"
        stuck = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        try:
            for number, raw in enumerate(stuck):
                raw.sendall(half if number % 2 else half[:30])
            done = [speak(server, f"This is text number {number}.").status_code for number in range(5)]
            assert done == [200] * 5
        finally:
            for raw in stuck:
                raw.close()


def test_text_is_compressed_and_sound_is_not(server: Serving) -> None:
    for coding in ("gzip", "br", "zstd"):
        answer = server.client.get("/openapi.json", headers={"Accept-Encoding": coding})
        assert answer.headers["content-encoding"] == coding
    body = {"text": "Hello there, and good night.", "format": "pcm"}
    answer = server.client.post("/api/tts", json=body, headers={"Accept-Encoding": "gzip, br, zstd"})
    assert "content-encoding" not in answer.headers
    events = server.client.post(
        "/v1/audio/speech",
        json={"input": "Hello.", "stream_format": "sse"},
        headers={"Accept-Encoding": "gzip, br, zstd"},
    )
    assert "content-encoding" not in events.headers


def test_only_so_many_engines_run_at_once() -> None:
    with Service(ServiceOptions(settings_of(engine="tone"))) as service:
        seats = [service.seat(Speaking(engine=f"tone:rate={8000 + number}"), "en") for number in range(MOST_ENGINES)]
        with pytest.raises(EngineError, match="So many different engines"):
            service.seat(Speaking(engine="tone:rate=16000"), "en")
        assert service.seat(Speaking(engine="tone:rate=8000"), "en").sample_rate == 8000
        seats[2].close()
        service.seat(Speaking(engine="tone:rate=16000"), "en")
        rates = [exchange.engine.sample_rate for exchange in service.exchanges]
        assert sorted(rates) == [8000, 8001, 8003, 16_000]
        for number in range(20):
            service.seat(Speaking(engine=f"tone:rate={16_000 + number}"), "en").close()
            if number == 0:
                for seat in seats:
                    seat.close()
