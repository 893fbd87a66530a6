"""What goes wrong inside the model stays with the row it happens to: no runaway, no lost chunk, no stuck batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.engines.qwen import Qwen
from narrate.engines.qwen.budget import budget_frames
from narrate.errors import EngineError
from narrate.text.document import Chunk
from tests.qwen_checkpoint import END
from tests.qwen_fixtures import out_of_memory, speak
from tests.speech import a_chunk, clips_of, requests

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

TEXTS = ["He came in.", "Yes.", "The rain fell.", "Call me.", "She sat down again.", "No.", "All day long."]


def script(count: int) -> list[Chunk]:
    return [a_chunk(index, f"{TEXTS[index % 7][:-1]} {index}.") for index in range(count)]


def assert_same_but(rows: set[int], clips: list[Clip], healthy: list[Clip]) -> None:
    for clip, other in zip(clips, healthy, strict=True):
        assert clip.index == other.index
        if clip.index not in rows:
            assert clip.failure is None
            np.testing.assert_allclose(clip.samples, other.samples, atol=1e-5)


def test_a_row_that_never_ends_is_stopped_at_its_own_budget_and_holds_nobody(engine: Qwen, faults: Any) -> None:
    chunks = [*script(5), a_chunk(5, "A much longer sentence, so that the batch goes on after the short one's end.")]
    healthy = speak(engine, chunks)
    ends: list[int] = []

    def never_end(frame: int, row: int, scores: Any) -> None:
        if row == 1:
            scores[END] = -1e9
        ends.append(frame)

    with faults(never_end):
        clips = speak(engine, chunks)
    assert_same_but({1}, clips, healthy)
    budget = budget_frames(chunks[1].spoken, "en")
    assert clips[1].failure == f"ran past {budget / 12.5:.0f} s"
    assert not clips[1].samples.any()
    assert clips[1].seconds == budget / 12.5
    longest = max(round(clip.seconds * 12.5) for clip in healthy)
    assert max(ends) <= max(budget, longest)


def test_a_row_without_numbers_is_named_and_spares_the_others(engine: Qwen, faults: Any) -> None:
    healthy = speak(engine, script(4))

    def break_row_two(frame: int, row: int, scores: Any) -> None:
        if row == 2 and frame == 3:
            scores.fill_(float("nan"))

    with faults(break_row_two):
        clips = speak(engine, script(4))
    assert_same_but({2}, clips, healthy)
    assert clips[2].failure is not None
    assert "NaN" in clips[2].failure
    assert not clips[2].samples.any()


def test_numbers_lost_in_the_code_predictor_are_noticed_too(engine: Qwen, network: Any) -> None:
    def break_row_one(module: Any, arguments: Any, scores: Any) -> Any:
        scores[1] = float("nan")
        return scores

    handle = network.talker.code_predictor.lm_head[4].register_forward_hook(break_row_one)
    try:
        clips = speak(engine, script(3))
    finally:
        handle.remove()
    assert [bool(clip.failure) for clip in clips] == [False, True, False]


def test_rows_without_a_single_frame_are_empty_clips(engine: Qwen, network: Any, monkeypatch: Any) -> None:
    original = network.generate

    def generate(**arguments: Any) -> Any:
        codes, hidden = original(**arguments)
        return [codes[0][:0], *codes[1:]], hidden

    monkeypatch.setattr(network, "generate", generate)
    clips = speak(engine, script(3))
    assert [len(clip.samples) > 0 for clip in clips] == [False, True, True]


@pytest.fixture
def small_memory(network: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let the package's `generate` run out of memory above so many rows; returns the sizes it was asked for."""

    def limit(rows: int) -> list[int]:
        asked: list[int] = []
        original = type(network).generate

        def generate(self: Any, **arguments: Any) -> Any:
            asked.append(len(arguments["input_ids"]))
            if asked[-1] > rows:
                raise out_of_memory()
            return original(self, **arguments)

        monkeypatch.setattr(type(network), "generate", generate)
        return asked

    return limit


def test_out_of_memory_at_ten_and_at_five_rows_halves_the_batch_and_loses_nothing(
    engine: Qwen, small_memory: Callable[[int], list[int]]
) -> None:
    chunks = script(13)
    healthy = speak(engine, chunks)
    asked = small_memory(4)
    clips = speak(engine, chunks)
    assert asked == [10, 5, 2, 2, 2, 2, 2, 2, 1]
    assert_same_but(set(), clips, healthy)
    runtime: Any = engine._runtime
    assert runtime.largest_batch == 2
    asked.clear()
    speak(engine, chunks[:3])
    assert asked == [2, 1]


def test_no_memory_for_a_single_row_is_said_in_one_line(engine: Qwen, small_memory: Callable[[int], list[int]]) -> None:
    small_memory(0)
    with pytest.raises(EngineError, match="memory.*--model 0.6B"):
        speak(engine, script(4))


def test_out_of_memory_in_the_vocoder_decodes_fewer_rows_and_keeps_the_codes(
    engine: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = speak(engine, script(8))
    generated: list[int] = []
    decoded: list[int] = []
    generate, decode = type(network).generate, network.speech_tokenizer.decode

    def count(self: Any, **arguments: Any) -> Any:
        generated.append(len(arguments["input_ids"]))
        return generate(self, **arguments)

    def limited(rows: Any) -> Any:
        decoded.append(len(rows))
        if len(rows) > 2:
            raise out_of_memory()
        return decode(rows)

    monkeypatch.setattr(type(network), "generate", count)
    monkeypatch.setattr(network.speech_tokenizer, "decode", limited)
    clips = speak(engine, script(8))
    assert_same_but(set(), clips, healthy)
    assert generated == [8]
    assert max(decoded[-3:]) <= 2


def test_the_vocoder_decodes_no_more_frames_at_once_than_its_budget(
    engine: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = speak(engine, script(9))
    frames: list[tuple[int, int]] = []
    decode = network.speech_tokenizer.decode

    def measure(rows: Any) -> Any:
        frames.append((len(rows), max(len(row["audio_codes"]) for row in rows)))
        return decode(rows)

    monkeypatch.setattr(network.speech_tokenizer, "decode", measure)
    assert engine._runtime is not None
    engine._runtime.vocoder_frames = 60
    clips = speak(engine, script(9))
    assert_same_but(set(), clips, healthy)
    assert len(frames) > 2
    assert sum(rows for rows, _ in frames) == 9
    assert all(rows == 1 or rows * longest <= 60 for rows, longest in frames)


def test_an_exception_in_the_middle_of_a_book_costs_at_most_the_chunk_at_fault(
    engine: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = network.generate
    assert engine._runtime is not None
    marked = engine._runtime.prompts.package._tokenize_texts(["#"])[0].item()

    def generate(**arguments: Any) -> Any:
        if any((ids == marked).any() for ids in arguments["input_ids"]):
            raise RuntimeError("device-side assert triggered")
        return original(**arguments)

    monkeypatch.setattr(network, "generate", generate)
    chunks = script(12)
    chunks[7] = a_chunk(7, "He #said# so.")
    clips = clips_of(engine, requests(chunks))
    assert sorted(clip.index for clip in clips) == list(range(12))
    assert [(clip.index, clip.failure) for clip in clips if clip.raised] == [
        (7, "RuntimeError: device-side assert triggered")
    ]
    assert [clip.index for clip in clips if clip.failure] == [7]
