"""A reading whose listener has gone makes nothing more, and goes on from the same sentence when somebody comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from narrate.engines.tone import Tone
from narrate.server import readings as room
from narrate.server.documents import Documents
from narrate.server.hls import Run
from narrate.server.readings import Reading, Readings, TooManyReadings
from narrate.server.service import Service, ServiceOptions
from tests.served import until
from tests.serving import settings_of

STORY = "\n\n".join(f"This is paragraph {number} of a story for the ear." for number in range(100))


@pytest.fixture
def readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Readings]:
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path))
    with Service(ServiceOptions(settings_of(engine="tone:rate=24000", lang="en"), store=tmp_path / "store")) as service:
        documents = Documents(tmp_path / "served", None, service.bookmarks)
        documents.open()
        found = Readings(service, documents)
        yield found
        found.close()
        documents.close()


def begin(readings: Readings, text: str = STORY) -> Reading:
    reading = readings.create(readings.documents.paste(text).id, {})
    until(lambda: reading.runs.current is not None and len(reading.runs.current.sentences) > 4)
    return reading


def run_of(reading: Reading) -> Run:
    run = reading.runs.current
    assert run is not None
    return run


def test_a_reading_that_nobody_hears_rests_and_wakes_at_its_sentence(
    readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = begin(readings)
    first = run_of(reading)
    assert reading.hears(first.number, first.sentences[3].start + 0.1, playing=True)
    until(lambda: reading.progress is not None and reading.progress.chunk and reading.progress.chunk.index == 3)
    monkeypatch.setattr(room, "GONE_SECONDS", 0.5)
    until(lambda: reading.state == "resting")
    assert not reading.awake
    assert first.complete
    monkeypatch.undo()
    reading.play()
    assert reading.awake
    assert reading.chunk is not None
    assert reading.chunk.index == 3
    until(lambda: run_of(reading).number > first.number and run_of(reading).sentences)
    assert run_of(reading).sentences[0].chunk.index == 3


def test_a_jump_wakes_a_reading_there(readings: Readings) -> None:
    reading = begin(readings)
    reading.rest()
    assert reading.state == "resting"
    where = reading.seek(chunk=50)
    assert (where.chunk, where.run) == (50, None)
    until(lambda: run_of(reading).sentences[0].chunk.index == 50)
    assert reading.state == "playing"


def test_a_listener_who_tells_where_the_ear_is_keeps_a_reading_awake(
    readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = begin(readings)
    monkeypatch.setattr(room, "GONE_SECONDS", 1.0)
    for tenth in range(20):
        assert reading.hears(run_of(reading).number, tenth / 10, playing=True)
        until(lambda: True)
        reading._leave.wait(0.1)
    assert reading.awake


def test_a_pause_is_kept_and_so_is_the_place_in_it(readings: Readings) -> None:
    reading = begin(readings)
    run = run_of(reading)
    reading.hears(run.number, run.sentences[2].start + 0.1, playing=False)
    assert reading.state == "paused"
    until(lambda: reading.progress is not None and reading.progress.paused)
    reading.hears(run.number, run.sentences[4].start + 0.1, playing=False)
    until(lambda: reading.progress is not None and reading.progress.chunk and reading.progress.chunk.index == 4)
    reading.hears(run.number, run.sentences[4].start + 0.2, playing=True)
    assert reading.state == "playing"


def test_an_engine_that_fails_is_told_in_words_and_can_be_tried_again(
    readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise room.NarrateError("The voice cannot be loaded.")

    monkeypatch.setattr(Tone, "prepare", fails)
    reading = readings.create(readings.documents.paste(STORY).id, {})
    until(lambda: reading.state == "failed")
    assert reading.why == "The voice cannot be loaded."
    monkeypatch.undo()
    reading.play()
    until(lambda: reading.runs.current is not None and reading.runs.current.segments)
    assert reading.state == "playing"
    assert reading.why == ""


def test_places_for_readings_are_those_of_who_rests(readings: Readings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_READINGS", 2)
    first, _ = begin(readings), begin(readings)
    with pytest.raises(TooManyReadings):
        readings.create(readings.documents.paste(STORY).id, {})
    first.rest()
    third = begin(readings)
    assert third in readings.list()
    assert first not in readings.list()
