"""Who may use a server: names, pages, passwords. Hosts and origins as they come from browsers, and from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from narrate.server.access import Access, is_loopback
from narrate.server.limits import Limits
from tests.serving import Serving, serving, speak

TOKEN = "open sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture(scope="module")
def home_alone() -> Iterator[Serving]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def locked() -> Iterator[Serving]:
    with serving(access=Access(TOKEN, loopback=False), limits=Limits(burst=1e6)) as running:
        yield running


@pytest.fixture(scope="module")
def friendly() -> Iterator[Serving]:
    with serving(access=Access(TOKEN, origins=("https://friend.example",))) as running:
        yield running


@pytest.fixture(autouse=True)
def no_cookies(locked: Serving) -> None:
    locked.client.cookies.clear()


def test_names_of_this_machine() -> None:
    for host in ("localhost", "LOCALHOST:8040", "127.0.0.1:1", "127.9.9.9", "[::1]:8040", "[::1]", "a.localhost:80"):
        assert is_loopback(host), host
    for host in (
        "",
        "evil.example",
        "127.0.0.1.evil.example:8040",
        "localhost.evil.example",
        "0.0.0.0",
        "10.0.0.1:8040",
    ):
        assert not is_loopback(host), host


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8040", "127.0.0.1.nip.io", "10.0.0.1"])
def test_a_name_that_was_pointed_here_is_not_answered(home_alone: Serving, host: str) -> None:
    answer = home_alone.client.get("/api/voices", headers={"Host": host})
    assert answer.status_code == 403
    assert "localhost" in answer.json()["detail"]
    assert home_alone.counted("refused_total", why="host") >= 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_sites_are_refused(home_alone: Serving, headers: dict[str, str], method: str) -> None:
    answer = home_alone.client.request(method, "/api/tts", headers=headers, json={"text": "Hello."})
    assert answer.status_code == 403
    assert "--cors" in answer.json()["detail"]
    assert "access-control-allow-origin" not in answer.headers


def test_its_own_pages_programs_and_people_who_follow_a_link_are_served(home_alone: Serving) -> None:
    own = {"Origin": home_alone.url, "Sec-Fetch-Site": "same-origin"}
    assert home_alone.client.get("/api/voices", headers=own).status_code == 200
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert home_alone.client.get("/docs", headers=visit).status_code == 200
    assert home_alone.client.post("/api/tts", headers=visit, json={"text": "A form."}).status_code == 403
    assert home_alone.client.get("/api/voices").status_code == 200


def test_a_page_that_was_allowed_may_ask(friendly: Serving) -> None:
    page = {"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"}
    asks = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = friendly.client.options("/api/tts", headers=asks)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    answer = friendly.client.post("/api/tts", headers={**page, **BEARER}, json={"text": "Hello."})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert "access-control-allow-credentials" not in answer.headers
    assert friendly.client.get("/api/voices", headers=page).status_code == 401
    other = {**asks, "Origin": "https://evil.example"}
    assert friendly.client.options("/api/tts", headers=other).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": f"narrate={TOKEN}"},
        {"Cookie": "narrate=0"},
    ],
)
def test_without_the_password_nothing_is_served(locked: Serving, headers: dict[str, str]) -> None:
    for path in ("/api/voices", "/v1/models", "/metrics", "/docs", "/openapi.json", "/nothing"):
        answer = locked.client.get(path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text
    assert locked.client.get("/v1/models").json()["error"]["type"] == "authentication_error"


def test_letters_that_are_not_ascii_are_a_wrong_password_and_no_fault(locked: Serving) -> None:
    assert (
        locked.client.get("/api/voices", params={"token": "\u00e9\ud83d\ude00".encode("utf-8", "replace")}).status_code
        == 401
    )
    with serving(access=Access("пароль", loopback=False)) as server:
        assert server.client.get("/api/voices", params={"token": "пароль"}).status_code == 200


def test_the_password_opens_it(locked: Serving) -> None:
    assert locked.client.get("/api/voices", headers=BEARER).status_code == 200
    assert locked.client.get("/api/voices", params={"token": TOKEN}).status_code == 200
    assert locked.client.get("/health").json()["status"] == "ok"
    assert locked.client.get("/ready").status_code == 200


def test_a_browser_gets_a_cookie_for_the_password_in_the_address(locked: Serving) -> None:
    answer = locked.client.get("/docs", params={"token": TOKEN, "a": "b c"}, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/docs?a=b+c"
    cookie = SimpleCookie(answer.headers["set-cookie"])["narrate"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert TOKEN not in answer.headers["set-cookie"]
    kept = {"Cookie": f"other=1; narrate={cookie.value}"}
    assert locked.client.get("/api/voices", headers=kept).status_code == 200
    with connect(f"ws://127.0.0.1:{locked.port}/v1/audio/speech/stream", additional_headers=kept):
        pass


def test_the_way_back_never_leads_to_another_site(locked: Serving) -> None:
    answer = httpx.get(f"{locked.url}//evil.example/x", params={"token": TOKEN}, headers=HTML)
    assert answer.headers["location"] == "/evil.example/x"


def test_a_browser_without_it_is_asked(locked: Serving) -> None:
    answer = locked.client.get("/", headers=HTML)
    assert answer.status_code == 401
    assert 'type="password"' in answer.text
    assert "wrong" in locked.client.get("/", params={"token": "no"}, headers=HTML).text


def test_a_websocket_needs_the_password_and_no_foreign_page_may_open_one(locked: Serving, home_alone: Serving) -> None:
    for server, origin in ((locked, None), (home_alone, "https://evil.example")):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{server.port}/v1/audio/speech/stream", origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code in (401, 403)


def test_whoever_guesses_passwords_has_to_wait() -> None:
    with serving(access=Access(TOKEN), limits=Limits(per_second=0.01, burst=50)) as server:
        answers = [server.client.get("/api/voices", params={"token": str(guess)}) for guess in range(5)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert server.client.get("/health").status_code == 200


def test_without_a_password_any_key_is_as_good(home_alone: Serving) -> None:
    assert home_alone.client.get("/v1/models", headers={"Authorization": "Bearer none"}).status_code == 200
    assert speak(home_alone).status_code == 200
