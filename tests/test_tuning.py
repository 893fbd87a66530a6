"""What was measured is remembered, for this machine and as many cores as this process may use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from narrate.engines.qwen.processor import Processor
from narrate.engines.tuning import Speed, keep_speed, speed_of


def test_a_speed_is_remembered_for_as_many_cores_as_there_are(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    fingerprint, speed = {"engine": "a"}, Speed(0.66, 10, 0.9, 0.1)
    assert speed_of(fingerprint) is None
    keep_speed(fingerprint, speed)
    keep_speed({"engine": "b"}, Speed(2.0, 1))
    assert speed_of(fingerprint) == speed
    assert speed_of({"engine": "b"}) == Speed(2.0, 1, 0.0, 0.0)
    assert [Speed(rtf, 1).quick_enough for rtf in (0.5, 0.79, 0.8, 1.2)] == [True, True, False, False]
    monkeypatch.setattr(
        "narrate.engines.qwen.processor.this_processor", lambda: Processor("x", cores=999, quota=None, bfloat16=None)
    )
    assert speed_of(fingerprint) is None


@pytest.mark.parametrize(
    "spoiled", ["{", "[]", '{"KEY": 3}', '{"KEY": {"rtf": -1, "rows": 2, "a": 0, "c": 0}}', '{"KEY": {}}']
)
def test_a_spoiled_record_of_speeds_is_none(spoiled: str, home: Path) -> None:
    keep_speed({"engine": "a"}, Speed(0.66, 10))
    (key,) = json.loads((home / "speeds.json").read_text())
    (home / "speeds.json").write_text(spoiled.replace("KEY", key))
    assert speed_of({"engine": "a"}) is None
