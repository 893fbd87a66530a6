"""Whatever its own description allows, and what it does not, is answered without a fault of the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from narrate.server.limits import Limits
from tests.serving import Serving, serving

EXAMPLES = 12  # of each route and mode


@pytest.fixture(scope="module")
def server() -> Any:
    with serving("tone", limits=Limits(per_second=1e6, burst=1e6)) as running:
        yield running


def operations(server: Serving) -> list[Any]:
    document = server.client.get("/openapi.json").json()
    for schema in document["components"]["schemas"].values():
        if schema.get("additionalProperties") is True:  # any name but one of the table's is refused
            schema["additionalProperties"] = False
    return [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]


@pytest.mark.slow
def test_no_request_ends_in_a_fault_of_the_server(server: Serving) -> None:
    asked: list[tuple[str, int]] = []
    for operation in operations(server):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _try(operation, mode, server, asked)
    assert len({label for label, _ in asked}) >= 25
    assert sum(status < 300 for _, status in asked) > 50


def _try(operation: Any, mode: GenerationMode, server: Serving, asked: list[tuple[str, int]]) -> None:
    @settings(
        max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=True, deadline=None, database=None
    )
    @given(case=operation.as_strategy(generation_mode=mode), really=st.booleans())
    def send(case: Any, really: bool) -> None:
        if really and case.path_parameters and "events" not in operation.path:  # of a text and a reading that exist
            case.path_parameters = {**case.path_parameters, **_existing(server)}
        answer = case.call(base_url=server.url, timeout=60)
        asked.append((operation.label, answer.status_code))
        assert answer.status_code < 500 or answer.status_code == 503, answer.text[:300]

    try:
        send()
    except Unsatisfiable:  # a route without parameters has nothing that can be wrong
        assert mode is GenerationMode.NEGATIVE


def _existing(server: Serving) -> dict[str, str]:
    """A document and a reading of it, made anew where they were thrown away."""
    documents = server.client.get("/api/documents").json()["documents"]
    if not documents:
        documents = [server.client.post("/api/documents/text", json={"text": "One is here. Two is there."}).json()]
    readings = server.client.get("/api/readings").json()["readings"]
    if not readings:
        readings = [server.client.post("/api/readings", json={"document": documents[0]["id"]}).json()]
    return {"document": documents[0]["id"], "reading": readings[0]["id"]}


def test_the_page_of_addresses_names_them_all_and_takes_nothing_from_elsewhere(server: Serving) -> None:
    answer = server.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for path, methods in server.client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<h3>{method.upper()} {path}</h3>" in answer.text
    assert "response_format" in answer.text
    assert "mp3, opus, aac, flac, wav, pcm" in answer.text
    assert "//" not in answer.text.replace("http://localhost", "")
    assert "<script" not in answer.text


def test_every_address_has_its_sentence_and_says_what_can_go_wrong(server: Serving) -> None:
    document = server.client.get("/openapi.json").json()
    summaries = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            summaries.append(operation["summary"])
            assert " " in operation["summary"], (method, path)
            assert operation["description"].startswith(operation["summary"].split()[0])
            wrong = {status: response["description"] for status, response in operation["responses"].items()}
            assert all(words.endswith(".") and " " in words for words in wrong.values()), (method, path, wrong)
            assert {"401", "403", "429", "500"} <= wrong.keys()
            assert ("404" in wrong) >= ("{" in path)
            if operation.get("parameters") or operation.get("requestBody"):
                assert ("400" if path.startswith("/v1/") else "422") in wrong or path == "/api/documents", (
                    method,
                    path,
                )
            assert not (path.startswith("/v1/") and "422" in wrong)
    assert len(summaries) >= 30


def test_a_refusal_is_one_of_those_that_are_described(server: Serving) -> None:
    document = server.client.get("/openapi.json").json()
    for method, path, sent, status in (
        ("get", "/api/readings/{reading}", None, 404),
        ("get", "/v1/models/{model}", None, 404),
        ("post", "/api/tts", {}, 422),
        ("post", "/v1/audio/speech", {"voice": "nova"}, 400),
        ("post", "/api/readings", {}, 422),
    ):
        answer = server.client.request(method, path.replace("{reading}", "none").replace("{model}", "none"), json=sent)
        assert answer.status_code == status, answer.text
        assert str(status) in document["paths"][path][method]["responses"]
