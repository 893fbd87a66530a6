"""Qwen behind the narrator: what goes wrong in the model is made again, and the listener hears every chunk once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from narrate.clip import join
from narrate.engines import Engine
from narrate.engines.qwen import Qwen
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.judge import longest_seconds
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import END
from tests.qwen_fixtures import MARK, as_a_text_without_end
from tests.speech import a_chunk, speech_like

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

WORDS = "a bell rang twice and the whole house woke at once while snow fell on the quiet harbour below".split()


def script(count: int) -> list[Chunk]:
    luck = random.Random(5)
    return [a_chunk(index, f"{' '.join(luck.choices(WORDS, k=luck.randint(1, 7)))}.") for index in range(count)]


def a_narrator(engine: Engine) -> Narrator:
    voice = Voice()
    return Narrator(engine, voice, MemoryTakes(1 << 30), lambda chunk: take_key(engine.fingerprint, voice, chunk))


def test_the_first_piece_reaches_the_listener_before_anything_is_finished(fast: Qwen) -> None:
    chunks, narrator = script(8), a_narrator(fast)
    clips = list(narrator.clips(chunks, buffered=lambda: 0.0))
    assert clips[0].index == 0
    assert not clips[0].final
    assert 0 < clips[0].seconds <= 8 * 0.08
    assert [clip.index for clip in clips if clip.final] == list(range(8))
    assert not [clip for clip in clips if clip.failure]
    kept = narrator.takes.get(narrator.key(chunks[0]))
    assert kept is not None
    np.testing.assert_array_equal(kept.samples, join(clip.samples for clip in clips if clip.index == 0))


def test_a_runaway_is_taken_again_and_costs_nobody_else(fast: Qwen, marked: Any) -> None:
    chunks, narrator = script(12), a_narrator(fast)
    chunks[4] = a_chunk(4, f"All day long the {MARK} rain fell.")
    attempts: list[int] = []

    def once(heard: Any) -> Any:
        attempts.append(1)
        return as_a_text_without_end(heard) if len(attempts) == 1 else heard

    with marked(once):
        clips = list(narrator.clips(chunks))
    assert [clip.index for clip in clips if clip.final] == list(range(12))
    assert not [clip for clip in clips if clip.failure]
    assert narrator.stats.retaken == 1
    assert len(attempts) == 2


def test_an_exception_among_frames_costs_nothing(fast: Qwen, attention_fails: Any) -> None:
    narrator = a_narrator(fast)
    attention_fails(lambda number: RuntimeError("device-side assert triggered") if number == 900 else None)
    clips = list(narrator.clips(script(12)))
    assert [clip.index for clip in clips if clip.final] == list(range(12))
    assert not [clip for clip in clips if clip.failure]


def test_rows_that_end_at_once_are_taken_again(engine: Qwen, faults: Any) -> None:
    """The package never lets a row end before its second frame; two frames are no sentence."""
    attempts: list[int] = []

    def end_at_once(frame: int, row: int, scores: Any) -> None:
        if frame == 2 and len(attempts) == 0 and row == 1:
            scores.fill_(-1e9)
            scores[END] = 1e9
            attempts.append(row)

    chunks = [a_chunk(index, f"The rain fell in torrents on day {index}.") for index in range(3)]
    teller = a_narrator(engine)
    with faults(end_at_once):
        clips = list(teller.clips(chunks))
    assert [clip.failure for clip in clips] == [None] * 3
    assert teller.stats.retaken == 1
    assert attempts == [1]


@pytest.mark.parametrize("fault", ["nan", "silence"])
def test_sound_that_is_none_never_reaches_the_listener(
    engine: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    original = network.speech_tokenizer.decode
    spoiled: list[int] = []

    def decode(rows: Any) -> Any:
        sounds, rate = original(rows)
        if not spoiled:
            sounds[0][:] = np.nan if fault == "nan" else 0.0
            spoiled.append(1)
        return sounds, rate

    monkeypatch.setattr(network.speech_tokenizer, "decode", decode)
    teller = a_narrator(engine)
    clips = list(teller.clips(script(3)))
    assert [clip.index for clip in clips] == [0, 1, 2]
    assert [clip.failure for clip in clips] == [None] * 3
    assert all(np.isfinite(clip.samples).all() and clip.samples.any() for clip in clips)
    assert teller.stats.retaken == 1
    assert teller.stats.retaken_seconds > 0


def test_one_percent_of_bad_rows_in_a_thousand_chunks(
    engine: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the package's boundary, with a stand-in for its arithmetic: a row in a hundred is bad in one of three ways."""
    import torch

    rng = np.random.default_rng(1)
    chunks = [a_chunk(index, f"Number {index} of a thousand came in and sat down.") for index in range(1000)]
    frames = round(len(speech_like(chunks[0])) / 1920)
    bad: list[str] = []

    def generate(input_ids: Any, max_new_tokens: int, **others: Any) -> Any:
        rows = []
        for _ in input_ids:
            fault = rng.choice(["endless", "empty", "broken"]) if rng.random() < 0.01 else "none"
            length = {"endless": max_new_tokens - 1, "empty": 0}.get(fault, frames)
            rows.append(torch.full((length, 16), int(fault == "broken")))
            bad.append(fault)
        return rows, None

    def decode(rows: Any) -> Any:
        sounds = []
        for codes in (row["audio_codes"] for row in rows):
            hum = 0.3 * np.sin(np.arange(len(codes) * 1920, dtype=np.float32) / 20)
            sounds.append(np.full_like(hum, np.nan) if codes[0, 0] else hum)
        return sounds, 24_000

    monkeypatch.setattr(network, "generate", generate)
    monkeypatch.setattr(network.speech_tokenizer, "decode", decode)
    teller = a_narrator(engine)
    clips = list(teller.clips(chunks))
    assert [clip.index for clip in clips] == list(range(1000))
    assert [clip.failure for clip in clips] == [None] * 1000
    counted = Counter(bad)
    assert min(counted[fault] for fault in ("endless", "empty", "broken")) > 0
    assert teller.stats.retaken == len(bad) - counted["none"] == len(bad) - 1000
    assert teller.stats.retaken_seconds > counted["endless"] * 3
    assert all(clip.seconds <= longest_seconds(chunks[clip.index].spoken, "en") for clip in clips)
