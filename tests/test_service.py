"""What all listeners of a server share: one exchange for an engine, a new one for a broken one, and no more than it can
carry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

pytest.importorskip("fastapi", reason="the server extra is not installed")

from narrate.clock import OFF
from narrate.engines.table import load_engine
from narrate.errors import EngineError
from narrate.server.service import Service, ServiceOptions
from narrate.settings.choices import Speaking
from narrate.voice import Voice
from tests.serving import serving, settings_of
from tests.speech import a_chunk, clips_of, requests

WHO = Speaking(engine="tone")


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(ServiceOptions(settings_of(engine="tone"))) as service:
        yield service


def test_readings_that_want_the_same_engine_share_it(service: Service) -> None:
    with closing(service.seat(WHO, "en")), closing(service.seat(Speaking(engine="tone", voice=Voice("high")), "de")):
        assert len(service.exchanges) == 1
        with closing(service.seat(Speaking(engine="tone:rate=8000"), "en")):
            assert len(service.exchanges) == 2


def test_an_engine_that_can_do_no_more_is_opened_anew(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(service.seat(WHO, "en")) as seat:
        (broken,) = service.exchanges
        monkeypatch.setattr(broken.engine, "synthesize", lambda _: (_ for _ in ()).throw(EngineError("It has died.")))
        with pytest.raises(EngineError, match="It has died"):
            seat.prepare(Voice(), OFF)
            clips_of(seat, requests([a_chunk(0)]))
    with closing(service.seat(WHO, "en")) as seat:
        seat.prepare(Voice(), OFF)
        assert len(clips_of(seat, requests([a_chunk(0)]))) == len(clips_of(load_engine("tone"), requests([a_chunk(0)])))
    assert service.exchanges != [broken]


def test_who_comes_when_the_machine_is_full_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path))
    with serving() as server:
        text = httpx.post(f"{server.url}/api/documents/text", json={"text": "It was a dark night. " * 20}).json()
        asked = {"document": text["id"]}
        assert httpx.post(f"{server.url}/api/readings", json=asked).status_code == 201
        monkeypatch.setattr(Service, "retry_seconds", lambda *_, **__: 30.0)
        refused = httpx.post(f"{server.url}/api/readings", json=asked)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "As many people listen now" in refused.text
