"""Another narrate as the engine: the same book as from the engine here, to the last byte, from one server or two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="the package httpx is not installed")
pytest.importorskip("fastapi", reason="the package fastapi is not installed")

from narrate.cli.main import run
from narrate.clip import join
from narrate.clock import OFF
from narrate.engines.table import load_engine
from narrate.voice import Voice
from tests.serving import serving
from tests.speech import a_chunk, clips_of, requests, whole

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"


@pytest.mark.parametrize("engine", ["tone", "espeak"])
def test_a_book_from_two_servers_is_the_file_from_here(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path / "home"))
    with serving(engine) as one, serving(engine) as other:
        peers = f"http:{one.url},{other.url},model={engine}"
        for name, spec in (("here.wav", engine), ("there.wav", peers)):
            assert run([str(SAMPLE), "-e", spec, "--no-store", "-q", "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "here.wav").read_bytes() == (tmp_path / "there.wav").read_bytes()


def test_each_take_is_answered_once() -> None:
    asked = requests([a_chunk(index) for index in range(20)])
    with serving("tone") as one:
        engine = load_engine(f"http:{one.url},model=tone")
        engine.prepare(Voice(), OFF)
        clips = clips_of(engine, asked)
        engine.close()
    assert len(whole(clips)) == 20
    assert sum(clip.final for clip in clips) == 20


def test_an_ear_gets_the_first_sound_while_the_other_narrate_still_makes_the_rest() -> None:
    chunk = a_chunk(0, "word " * 40)
    heard = []
    with serving("tone-stream:c=0.2,piece=1") as one:  # a fifth of a second for each second of sound
        engine = load_engine(f"http:{one.url}")
        engine.prepare(Voice(), OFF)
        for clips in engine.synthesize(iter([replace(requests([chunk])[0], due=OFF.now)])):
            heard += [(clip, one.counted("engine_rows", engine="tone-stream")) for clip in clips]
        (whole_take,) = whole(clips_of(engine, requests([chunk]))).values()
        engine.close()
    assert [clip.final for clip, _ in heard] == [False] * (len(heard) - 1) + [True]
    assert len(heard) > 3
    assert heard[0][1] == 1  # it is still at work
    assert join(clip.samples for clip, _ in heard).tobytes() == whole_take.samples.tobytes()
