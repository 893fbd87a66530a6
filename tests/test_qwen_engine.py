"""The qwen engine on the genuine package: real prompts, real generate, real vocoder; only the weights are random."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines.batched import Batched, Rows
from narrate.engines.qwen import Qwen
from narrate.engines.qwen.budget import budget_frames
from narrate.engines.qwen.stock import StockRuntime
from narrate.engines.table import load_engine
from narrate.engines.tuning import keep_batch_size
from narrate.errors import InputError
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice
from tests.qwen_checkpoint import LANGUAGE_IDS, SPEAKER_IDS, Kind
from tests.qwen_fixtures import speak
from tests.speech import a_chunk, a_request, clips_of, requests

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

MIXED = [
    "Yes.",
    "He came in.",
    "It was a dark and stormy night.",
    "Call me.",
    "The rain fell in torrents, all day.",
]


def script(count: int) -> list[Chunk]:
    """Chunks of mixed lengths; the hundreds in their index, so that no place in a list is one by accident."""
    return [a_chunk(300 + index, f"{MIXED[index % 5][:-1]} {index}.") for index in range(count)]


@pytest.fixture
def asked(network: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the package's `generate` was called with, call by call."""
    calls: list[dict[str, Any]] = []
    original = type(network).generate

    def spy(self: Any, **arguments: Any) -> Any:
        calls.append(arguments)
        return original(self, **arguments)

    monkeypatch.setattr(type(network), "generate", spy)
    return calls


@pytest.fixture
def codes_heard(network: Any) -> Any:
    """The ids that go into the talker's table of codes: language, speaker and the codes themselves."""
    heard: list[list[int]] = []
    table = network.talker.get_input_embeddings()
    handle = table.register_forward_hook(lambda module, ids, out: heard.append(ids[0].flatten().tolist()))
    yield heard
    handle.remove()


def stock(engine: Qwen) -> StockRuntime:
    assert isinstance(engine._runtime, StockRuntime)
    return engine._runtime


def sounds(clips: list[Clip]) -> dict[int, np.ndarray[Any, Any]]:
    return {clip.index: clip.samples for clip in clips}


def assert_same_takes(first: list[Clip], second: list[Clip]) -> None:
    """Equal in length, and in every sample far below what 16 bits can tell apart."""
    one, other = sounds(first), sounds(second)
    assert one.keys() == other.keys()
    for index in one:
        assert len(one[index]) == len(other[index])
        np.testing.assert_allclose(one[index], other[index], atol=1e-5)


def test_ten_and_a_tail_of_three_come_out_once_and_in_order(engine: Qwen, asked: list[dict[str, Any]]) -> None:
    chunks = script(13)
    clips = speak(engine, chunks)
    assert [len(call["input_ids"]) for call in asked] == [10, 3]
    assert [clip.index for clip in clips] == [chunk.index for chunk in chunks]
    assert all(clip.final and clip.failure is None and clip.sample_rate == 24_000 for clip in clips)
    assert len({len(clip.samples) for clip in clips}) > 4
    for clip in clips:
        assert clip.samples.dtype == np.float32
        assert len(clip.samples) % 1920 == 0
        assert 0.02 < np.abs(clip.samples).mean() < 1
        assert np.abs(clip.samples).max() <= 1


def test_a_take_does_not_depend_on_who_shares_its_batch(engine: Qwen) -> None:
    chunks = script(13)
    together = speak(engine, chunks)
    assert_same_takes(together, speak(engine, chunks[::-1], Voice()))
    alone = [clip for chunk in chunks[5:8] for clip in speak(engine, [chunk], Voice())]
    assert_same_takes(together[5:8], alone)


def test_a_take_follows_from_seed_text_voice_and_attempt(engine: Qwen) -> None:
    chunk = a_chunk(1, "He came in and sat down.")
    (take,) = speak(engine, [chunk])
    others = [
        *speak(engine, [chunk], Voice(seed=1)),
        *speak(engine, [chunk], Voice(name="aiden")),
        *stock(engine).speak([a_request(chunk, attempt=1)]),
        *speak(engine, [replace(chunk, spoken="He came in and sat up.")], Voice()),
    ]
    assert all(take.samples.tobytes() != other.samples.tobytes() for other in others)
    (again,) = speak(engine, [replace(chunk, index=7, pause=2.0)])
    assert_same_takes([replace(take, chunk=replace(chunk, index=7))], [again])


def test_all_ten_languages_reach_the_model(engine: Qwen, codes_heard: list[list[int]]) -> None:
    for code, name in LANGUAGES.items():
        codes_heard.clear()
        speak(engine, [replace(a_chunk(0, "A."), language=code)])
        think, start, language, end = (2154, 2156, LANGUAGE_IDS[name.lower()], 2157)
        assert [think, start, language, end] in codes_heard
    assert engine.abilities.languages == set(LANGUAGES)


@pytest.mark.parametrize(
    ("voice", "language", "speaker"),
    [
        (Voice(), "ja", "ono_anna"),
        (Voice(), "en", "ryan"),
        (Voice(), "zh", "serena"),
        (Voice(), "ko", "sohee"),
        (Voice(), "de", "ryan"),
        (Voice(language="ja"), "en", "ono_anna"),
        (Voice(name="Uncle Fu"), "ja", "uncle_fu"),
        (Voice(name="ERIC"), "zh", "eric"),
    ],
)
def test_the_speaker_asked_for_or_a_native_one_reaches_the_model(
    engine: Qwen, codes_heard: list[list[int]], voice: Voice, language: str, speaker: str
) -> None:
    speak(engine, [replace(a_chunk(0, "A."), language=language)], voice)
    assert [SPEAKER_IDS[speaker]] in codes_heard


def test_a_wrong_speaker_is_refused_with_those_there_are(engine: Qwen) -> None:
    with pytest.raises(InputError, match="bertha.*aiden, dylan, eric, ono_anna, ryan, serena, sohee, uncle_fu, vivian"):
        speak(engine, [a_chunk(0)], Voice(name="bertha"))
    assert {entry.name for entry in engine.voices()} == set(SPEAKER_IDS)


def test_what_the_model_would_ignore_is_refused(engine: Qwen, tmp_path: Path) -> None:
    for voice, remedy in [
        (Voice(instruct="whisper"), "0.6B.*--instruct.*--model 1.7B"),
        (Voice(describe="an old sailor"), "--model voicedesign"),
        (Voice(reference=tmp_path, reference_text="hello"), "--model base"),
        (Voice(language="la"), "does not speak 'la'"),
    ]:
        with pytest.raises(InputError, match=remedy):
            engine.check(voice)


def test_every_option_reaches_the_package(checkpoint: Callable[[Kind], Path], asked: list[dict[str, Any]]) -> None:
    options = "temperature=0.7,top_k=20,top_p=0.8,repetition_penalty=1.2,batch_size=3,dtype=float32"
    engine = load_engine(f"qwen:{options},device=cpu,runtime=stock,model={checkpoint('custom_voice')}")
    assert isinstance(engine, Qwen)
    speak(engine, script(5))
    assert [len(call["input_ids"]) for call in asked] == [3, 2]
    for call in asked:
        assert call["temperature"] == call["subtalker_temperature"] == 0.7
        assert call["top_k"] == call["subtalker_top_k"] == 20
        assert call["top_p"] == call["subtalker_top_p"] == 0.8
        assert call["repetition_penalty"] == 1.2
        assert call["do_sample"]
        assert call["subtalker_dosample"]
        assert call["non_streaming_mode"]
    budgets = [budget_frames(chunk.spoken, "en") for chunk in script(5)]
    assert [call["max_new_tokens"] for call in asked] == [max(budgets[:3]) + 1, max(budgets[3:]) + 1]
    with pytest.raises(InputError, match="no option 'top_q'"):
        load_engine("qwen:top_q=3")


def test_options_left_alone_are_the_checkpoints(engine: Qwen, asked: list[dict[str, Any]]) -> None:
    speak(engine, script(1))
    (call,) = asked
    assert (call["temperature"], call["top_k"], call["top_p"], call["repetition_penalty"]) == (0.9, 50, 1.0, 1.05)


def test_without_temperature_the_likeliest_code_is_taken(checkpoint: Callable[[Kind], Path]) -> None:
    greedy = Qwen(model=str(checkpoint("custom_voice")), device="cpu", temperature=0)
    narrow = Qwen(model=str(checkpoint("custom_voice")), device="cpu", top_k=1)
    assert greedy.abilities.deterministic
    assert not greedy.abilities.uses_seed
    assert narrow.abilities.uses_seed
    assert not narrow.abilities.deterministic
    takes = clips_of(greedy, requests(script(3)))
    assert_same_takes(takes, clips_of(narrow, requests(script(3), Voice(seed=3))))


@pytest.mark.parametrize(("kind", "can"), [("custom_voice", []), ("base", ["clones"]), ("voice_design", ["describes"])])
def test_abilities_are_those_of_the_model(checkpoint: Callable[[Kind], Path], kind: Kind, can: list[str]) -> None:
    for runtime in ("fast", "stock"):
        abilities = Qwen(model=str(checkpoint(kind)), device="cpu", runtime=runtime).abilities
        assert [wish for wish in ("clones", "describes", "instructs") if getattr(abilities, wish)] == can
        assert abilities.streams == (runtime == "fast")


def test_cancelling_all_of_a_batch_ends_it_at_the_frame_it_is_in(engine: Qwen, faults: Any) -> None:
    frames: list[int] = []

    def cancel_in_frame_two(frame: int, row: int, scores: Any) -> None:
        frames.append(frame)
        if frame == 2:
            engine.cancel([request.id for request in requests(script(4))])

    with faults(cancel_in_frame_two):
        assert clips_of(engine, requests(script(4))) == []
    assert max(frames) == 2
    assert len(clips_of(engine, requests(script(2)))) == 2


def test_cancelling_all_of_a_batch_ends_it_between_two_codes_of_a_frame(engine: Qwen, network: Any) -> None:
    codes: list[int] = []

    def cancel_at_the_fortieth(module: Any, arguments: Any, scores: Any) -> None:
        codes.append(len(codes))
        if len(codes) == 40:
            engine.cancel([request.id for request in requests(script(4))])

    hooks = [head.register_forward_hook(cancel_at_the_fortieth) for head in network.talker.code_predictor.lm_head]
    try:
        assert clips_of(engine, requests(script(4))) == []
    finally:
        for hook in hooks:
            hook.remove()
    assert len(codes) == 40


def test_a_cancelled_row_ends_with_the_next_frame_and_the_others_notice_nothing(engine: Qwen, faults: Any) -> None:
    long = a_chunk(9, "The rain fell in torrents, all day long, and nobody in the whole house dared to go out.")
    asked = requests([*script(3), long])
    alone = clips_of(engine, asked[:3])
    frames: list[int] = []

    def cancel_in_frame_two(frame: int, row: int, scores: Any) -> None:
        frames.append(frame)
        if frame == 2:
            engine.cancel([asked[3].id])

    with faults(cancel_in_frame_two):
        clips = clips_of(engine, asked)
    assert_same_takes(clips, alone)
    assert max(frames) <= 1 + max(len(clip.samples) // 1920 for clip in alone)


def test_rows_of_different_voices_share_a_batch(
    checkpoint: Callable[[Kind], Path], engine: Qwen, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    voices = [Voice(), Voice(name="aiden", seed=4), Voice(name="ono_anna", language="ja")]
    mixed = [a_request(chunk, voices[chunk.index % 3]) for chunk in script(6)]
    together = stock(engine).speak(mixed)
    assert [len(call["input_ids"]) for call in asked] == [6]
    for voice in voices:
        mine = [request for request in mixed if request.voice == voice]
        alone = stock(engine).speak(mine)
        assert_same_takes(alone, [clip for clip in together if clip.request_id in {one.id for one in mine}])


@pytest.mark.parametrize(("given", "rows"), [(7, 7), (None, 3), ("auto", 3)])
def test_a_batch_has_as_many_rows_as_was_asked_for(checkpoint: Callable[[Kind], Path], given: Rows, rows: int) -> None:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", runtime="stock", batch_size=given)
    keep_batch_size(engine.fingerprint, 3)
    engine.prepare(Voice(), OFF)
    assert stock(engine).largest_batch == rows
    assert isinstance(engine._speaker, Batched)
    assert engine._speaker.planner.rows == rows


@pytest.mark.parametrize(
    ("given", "measured", "slots"),
    [(7, 3, 7), (None, 3, 3), (None, None, 16), ("auto", 3, 3), ("auto", 500, 256), ("auto", None, 16)],
)
def test_there_are_as_many_slots_as_was_asked_for(
    checkpoint: Callable[[Kind], Path], given: Rows, measured: int | None, slots: int
) -> None:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", runtime="fast", slots=given)
    if measured is not None:
        keep_batch_size(engine.fingerprint, measured)
    engine.prepare(Voice(), OFF)
    runtime: Any = engine._runtime
    assert runtime.slots == slots


def test_nothing_heavy_is_loaded_before_the_first_batch(checkpoint: Callable[[Kind], Path]) -> None:
    code = (
        "import sys\nfrom narrate.engines.qwen import Qwen\nfrom narrate.voice import Voice\n"
        "engine = Qwen(model=sys.argv[1])\nassert engine.fingerprint['model'].startswith('custom_voice#')\n"
        "engine.check(Voice())\nassert not {'torch', 'transformers', 'qwen_tts'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(checkpoint("custom_voice"))], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_loading_and_speaking_print_nothing(checkpoint: Callable[[Kind], Path]) -> None:
    """No banner about SoX or flash-attn, no warning of transformers; torchaudio, which may not load here, is not."""
    code = (
        "import sys\nfrom narrate.engines.qwen import Qwen\nfrom narrate.voice import Voice\n"
        "from tests.speech import a_chunk, clips_of, requests\nengine = Qwen(model=sys.argv[1], device='cpu')\n"
        "(clip,) = clips_of(engine, requests([a_chunk(0, 'A.')]))\nassert clip.seconds > 0\n"
        "assert not {'torchaudio', 'sox', 'onnxruntime'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint("custom_voice"))],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
