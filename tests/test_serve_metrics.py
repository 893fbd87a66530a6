"""What monitors and logs are told: counts, percentiles that can be computed, and which request a line is about."""

from __future__ import annotations

import logging
import logging.config
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from narrate.pipeline import Background
from narrate.server.metrics import Metrics
from narrate.server.trace import LOGGING, NameRequest, begin_request, new_request, request_id
from narrate.synthesis.stats import Stats
from narrate.text.document import Chunk
from tests.serving import SENTENCE, Serving, serving, speak, until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving("tone:rtf=0.01") as running:
        yield running


def samples(server: Serving) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """All that /metrics says: name → labels → value."""
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def percentile(buckets: dict[float, float], share: float) -> float:
    """The bound below which this share of the observations lies, as Prometheus' histogram_quantile finds it."""
    total = buckets[float("inf")]
    return next(bound for bound, count in sorted(buckets.items()) if count >= share * total)


def test_everything_is_counted(server: Serving) -> None:
    before = samples(server)
    for _ in range(3):
        assert speak(server, SENTENCE, format="wav").status_code == 200
    assert speak(server, voice="nobody").status_code == 400
    until(lambda: server.counted("live_slots") == 0)
    after = samples(server)

    def grown(name: str, **labels: str) -> float:
        key = tuple(sorted(labels.items()))
        return after[f"narrate_{name}"][key] - before.get(f"narrate_{name}", {}).get(key, 0.0)

    assert grown("requests_total", route="/api/tts", method="POST", status="200") == 3
    assert grown("requests_total", route="/api/tts", method="POST", status="400") == 1
    assert grown("speeches_total", interface="api", format="wav", finish_reason="stop") == 3
    assert grown("time_to_first_audio_seconds_count", interface="api") == 3
    assert grown("queue_seconds_count") == 4
    assert grown("takes_total", source="made") == 3
    assert grown("audio_seconds_total", source="made") > 9
    assert grown("rtf_count") == 3
    assert 0 < grown("engine_seconds_total") < grown("audio_seconds_total", source="made")
    assert after["narrate_live_slots"][()] == 0
    assert after["narrate_engine_readings"][(("engine", "tone"),)] == 0
    assert 0 <= after["narrate_engine_busy"][(("engine", "tone"),)] <= 1
    assert after["narrate_gaps_total"][()] >= 0
    assert after["process_resident_memory_bytes"][()] > 1e6


def test_percentiles_of_each_stage_can_be_computed(server: Serving) -> None:
    speak(server, SENTENCE * 5)
    until(lambda: server.counted("live_slots") == 0)
    found = samples(server)["narrate_stage_seconds_bucket"]
    stages = {dict(labels)["stage"] for labels in found}
    assert {"sound wait", "sink", "judge"} <= stages
    for stage in stages:
        buckets = {
            float(dict(labels)["le"]): count for labels, count in found.items() if dict(labels)["stage"] == stage
        }
        assert [percentile(buckets, share) for share in (0.5, 0.9, 0.95, 0.99)] == sorted(
            percentile(buckets, share) for share in (0.5, 0.9, 0.95, 0.99)
        )


def test_what_strangers_write_makes_no_new_series(server: Serving) -> None:
    for number in range(30):
        server.client.request(f"METHOD{number}", f"/nothing/{number}")
        server.client.get(f"/v1/models/{number}")
    labels = samples(server)["narrate_requests_total"]
    assert len({dict(each)["route"] for each in labels}) < 12
    assert len({dict(each)["method"] for each in labels}) <= 8


def test_gaps_and_failures_are_counted() -> None:
    metrics = Metrics()
    chunk = Chunk(0, 1, "", "Hm.", "Hm.", "en", 0.0, 0, 3)
    metrics.count(Stats(made=2, reused=3, made_seconds=10.0, engine_seconds=5.0, failed=[(chunk, "why")]), gaps=4)
    value = metrics.registry.get_sample_value
    assert value("narrate_gaps_total") == 4
    assert value("narrate_takes_total", {"source": "failed"}) == 1
    assert value("narrate_rtf_sum") == 0.5


def test_an_engine_that_is_too_slow_makes_gaps() -> None:
    with serving("tone:rtf=1.3") as server:
        assert (
            speak(server, "One is here, and so on. Two is there, you see. Three it is.", format="pcm").status_code
            == 200
        )
        until(lambda: server.counted("live_slots") == 0)
        assert server.counted("gaps_total") >= 1


@pytest.mark.parametrize("given", ["abc-123", "A" * 128, "req_1.2:3/4=+"])
def test_the_id_of_a_request_is_the_clients(server: Serving, given: str) -> None:
    for path in ("/health", "/v1/models", "/nothing"):
        assert server.client.get(path, headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "a\tb", "<script>", "A" * 129, "é", "-x"])
def test_a_name_that_is_no_name_is_replaced(given: str) -> None:
    assert new_request(given).id != given
    assert len(new_request(given).id) == 16


@pytest.mark.parametrize(
    ("parent", "trace"),
    [
        (PARENT, "0af7651916cd43dd8448eb211c80319c"),
        (f"{PARENT}-later", "0af7651916cd43dd8448eb211c80319c"),
        (PARENT.upper(), ""),
        (PARENT.replace("00-", "ff-", 1), ""),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", ""),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", ""),
        ("", ""),
        (PARENT[:-1], ""),
        ("x" * 10_000, ""),
    ],
)
def test_traces_are_those_of_w3c(parent: str, trace: str) -> None:
    assert new_request("a", parent).trace == trace


def test_every_line_about_a_request_names_it(server: Serving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(NameRequest())
    answer = server.client.post(
        "/api/tts",
        json={"text": SENTENCE},
        headers={"X-Request-Id": "mine-1", "traceparent": PARENT},
    )
    assert answer.status_code == 200
    until(lambda: any("POST /api/tts 200" in record.getMessage() for record in caplog.records))
    lines = {record.getMessage(): record.request for record in caplog.records if record.name.startswith("narrate")}
    assert len(lines) == 2
    assert set(lines.values()) == {"mine-1 trace=0af7651916cd43dd8448eb211c80319c"}
    spoken, ended = lines
    assert "s of sound as mp3, 1 takes made, 0 reused; stop" in spoken
    assert f"{len(answer.content)} bytes" in ended


def test_no_password_and_no_line_break_gets_into_the_log(server: Serving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server.client.get("/nothing%0AINFO%20forged", params={"token": "open sesame"})

    def lines() -> list[str]:  # uvicorn and httpx write lines of their own, and before ours
        return [record.getMessage() for record in caplog.records if record.name.startswith("narrate")]

    until(lambda: any("/nothing%0AINFO%20forged" in line for line in lines()))
    assert not any("sesame" in line or "\n" in line for line in lines())


def test_a_thread_is_about_the_request_that_started_it() -> None:
    def named() -> str:
        begin_request(new_request("first"))
        return Background(lambda: Background(request_id).result()).result()

    assert Background(named).result() == "first"
    assert request_id() == "-"


def test_the_settings_of_the_log_hold(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig(LOGGING)
        begin_in = threading.Thread(
            target=lambda: (begin_request(new_request("abc")), root.info("It\nworks \x1b[31m."))
        )
        begin_in.start()
        begin_in.join()
        logging.getLogger("uvicorn.error").error("ASGI callable returned without completing response.")
    finally:
        root.handlers[:], root.level = before, level
    error = capfd.readouterr().err
    assert "INFO [abc] It works [31m." in error
    assert "ASGI" not in error
