"""Which model, found where; cloned and described voices; and the two sentences for a listener without weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Request
from narrate.engines.qwen import Qwen
from narrate.engines.qwen.hardware import choose_dtype
from narrate.engines.qwen.models import RELEASED, find_model
from narrate.errors import EngineError, InputError
from narrate.voice import Voice
from tests.qwen_checkpoint import Kind, make_checkpoint
from tests.speech import a_chunk, clips_of, requests, whole

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

Checkpoint = Callable[[Kind], Path]
HUMMED = "A man hums for quite a while, low and even."
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def cached(hub_cache: Path, name: str) -> Path:
    """The folder in which the hub's client keeps a model's files."""
    home = hub_cache / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    folder = home / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    return folder


def edited(source: Path, target: Path, **changes: str) -> Path:
    """A copy of a checkpoint with other values in its config."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **changes}))
    return target


def test_no_weights_names_the_ways_out(hub_cache: Path) -> None:
    for wanted in (None, "1.7B", RELEASED[3], "somebody/finetune"):
        with pytest.raises(EngineError, match=r"`narrate setup --model \S+` fetches .*--model FOLDER.*-e"):
            find_model(wanted, "bfloat16", 8 * 2**30)


@pytest.mark.parametrize("wanted", ["2B", "tts", "./not/here", "/nowhere", "C:\\models\\qwen"])
def test_what_names_no_model_is_refused(wanted: str, hub_cache: Path) -> None:
    with pytest.raises(InputError, match="1.7B-CustomVoice, 0.6B-CustomVoice, 1.7B-Base, 0.6B-Base, 1.7B-VoiceDesign"):
        find_model(wanted, "bfloat16", None)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("1.7B", "1.7B-CustomVoice"),
        ("0.6b", "0.6B-CustomVoice"),
        ("0.6B-CustomVoice", "0.6B-CustomVoice"),
        ("customvoice", "1.7B-CustomVoice"),
        ("Qwen3-TTS-12Hz-0.6B-Base", "0.6B-Base"),
        ("base", "1.7B-Base"),
        ("voice-design", "1.7B-VoiceDesign"),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign", "1.7B-VoiceDesign"),
    ],
)
def test_short_names(wanted: str, name: str, hub_cache: Path, checkpoint: Checkpoint) -> None:
    for released in RELEASED:
        shutil.copy(checkpoint("custom_voice") / "config.json", cached(hub_cache, released))
    model = find_model(wanted, "bfloat16", 24 * 2**30)
    assert (model.name, model.identity) == (f"Qwen/Qwen3-TTS-12Hz-{name}", f"Qwen/Qwen3-TTS-12Hz-{name}@{COMMIT}")


@pytest.mark.parametrize(
    ("gigabytes", "dtype", "size"),
    [(24, "bf16", "1.7B"), (8, "bf16", "1.7B"), (6, "bf16", "0.6B"), (8, "float32", "0.6B"), (1, "bf16", "0.6B")],
)
def test_the_largest_model_that_fits(
    gigabytes: int, dtype: str, size: str, hub_cache: Path, checkpoint: Checkpoint
) -> None:
    for released in RELEASED[:2]:
        shutil.copy(checkpoint("custom_voice") / "config.json", cached(hub_cache, released))
    assert size in find_model(None, choose_dtype("cuda", dtype), gigabytes * 10**9).name


def test_a_model_that_is_here_comes_before_a_larger_one_that_is_not(hub_cache: Path, checkpoint: Checkpoint) -> None:
    shutil.copytree(checkpoint("custom_voice"), cached(hub_cache, RELEASED[1]), dirs_exist_ok=True)
    assert find_model(None, "bfloat16", 80 * 10**9).name == RELEASED[1]
    shutil.copytree(checkpoint("custom_voice"), cached(hub_cache, RELEASED[0]), dirs_exist_ok=True)
    assert find_model(None, "bfloat16", 80 * 10**9).name == RELEASED[0]
    assert find_model(None, "bfloat16", 3 * 10**9).name == RELEASED[1]
    assert Qwen(device="cpu").model.name == RELEASED[1]  # a processor reads the small one
    assert Qwen(device="cuda").model.name in RELEASED[:2]


def test_a_model_in_the_cache_needs_no_network(hub_cache: Path, checkpoint: Checkpoint) -> None:
    folder = cached(hub_cache, RELEASED[1])
    shutil.copy(checkpoint("custom_voice") / "config.json", folder)
    engine = Qwen(model="0.6B", device="cpu")
    assert engine.fingerprint["model"].endswith(f"@{COMMIT}")
    with pytest.raises(EngineError, match="are not on this machine"):  # its weights are not
        engine.prepare(Voice(), OFF)
    shutil.copytree(checkpoint("custom_voice"), folder, dirs_exist_ok=True)
    assert len(clips_of(engine, requests([a_chunk(0, "A.")]))) == 1


def test_a_fingerprint_tells_weights_and_options_apart(checkpoint: Checkpoint, tmp_path: Path) -> None:
    first = checkpoint("custom_voice")
    other = make_checkpoint(tmp_path / first.name, "tiny", seed=1)
    same = shutil.copytree(first, tmp_path / "copy" / first.name)

    def fingerprint(folder: Path, **options: Any) -> str:
        return json.dumps(dict(Qwen(model=str(folder), device="cpu", **options).fingerprint))

    assert fingerprint(first) == fingerprint(same)
    prints = {fingerprint(first), fingerprint(other), fingerprint(first, top_k=5), fingerprint(first, dtype="bf16")}
    assert len(prints) == 4
    assert "qwen-tts 0." in fingerprint(first)


def test_a_damaged_model_is_said_in_one_line(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("custom_voice"), tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(EngineError, match=r"^\S*cut does not hold a Qwen3-TTS model that can be loaded: .+$"):
        Qwen(model=str(folder), device="cpu").prepare(Voice(), OFF)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        Qwen(model=str(folder), device="cpu").check(Voice())
    with pytest.raises(EngineError, match="not a 12 Hz"):
        Qwen(model=str(edited(checkpoint("base"), tmp_path / "25", tokenizer_type="25hz")), device="cpu").check(Voice())


@pytest.mark.parametrize(
    "options",
    [{"device": "tpu"}, {"device": "cuda:x"}, {"dtype": "int4"}, {"runtime": "slow"}, {"batch_size": 0},
     {"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"repetition_penalty": 0.0}],
    ids=str,
)  # fmt: skip
def test_values_without_sense_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')}"):
        engine = Qwen(**options)
        engine.device, engine.dtype  # noqa: B018


def test_the_larger_model_hears_its_instruction(checkpoint: Checkpoint, tmp_path: Path) -> None:
    engine = Qwen(model=str(edited(checkpoint("custom_voice"), tmp_path / "large", tts_model_size="1b7")), device="cpu")
    chunks = [a_chunk(0, "He came in."), a_chunk(1, "Yes.")]
    asked = arguments_of(engine, chunks, Voice(instruct="in a whisper"))
    assert heard(engine, asked["instruct_ids"]) == ["<|im_start|>user\nin a whisper<|im_end|>\n"] * 2
    assert arguments_of(engine, chunks, Voice())["instruct_ids"] == [None, None]


def test_a_described_voice(checkpoint: Checkpoint) -> None:
    engine = Qwen(model=str(checkpoint("voice_design")), device="cpu")
    voice = Voice(describe="an old sailor, hoarse")
    asked = arguments_of(engine, [a_chunk(0, "He came in.")], voice)
    assert heard(engine, asked["instruct_ids"]) == ["<|im_start|>user\nan old sailor, hoarse<|im_end|>\n"]
    assert "speakers" not in asked
    (clip,) = clips_of(engine, requests([a_chunk(0, "He came in.")], voice))
    assert clip.failure is None
    for refused, why in [(Voice(), "--describe"), (Voice(name="ryan", describe="old"), "no named voices")]:
        with pytest.raises(InputError, match=why):
            engine.check(refused)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds at 44.1 kHz, in stereo."""
    time = np.arange(88_200) / 44_100
    hum = 0.3 * np.sin(2 * np.pi * 180 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    path = tmp_path / "reference.flac"
    soundfile.write(path, np.stack([hum, hum], axis=1), 44_100)
    return path


def test_a_cloned_voice(checkpoint: Checkpoint, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Qwen(model=str(checkpoint("base")), device="cpu")
    voice, other = (Voice(reference=recording, reference_text=text) for text in (HUMMED, "Hm."))
    engine.prepare(other, OFF)
    assert engine._runtime is not None
    package = engine._runtime.prompts.package
    prompts: list[float] = []
    original = package.create_voice_clone_prompt
    monkeypatch.setattr(
        package,
        "create_voice_clone_prompt",
        lambda audio, text: prompts.append(len(audio[0]) / audio[1]) or original(audio, text),
    )
    chunks = [a_chunk(index, f"He came in and sat down {index} times.") for index in range(3)]

    def speak(asked: list[Request]) -> list[Clip]:
        clips = whole(clips_of(engine, asked))
        return [clips[request.id] for request in asked]

    clips = [*speak(requests(chunks, voice)), *speak(requests(chunks[:1], other)), *speak(requests(chunks[:1], voice))]
    assert prompts == [2.5]  # once, half a second of silence after it
    assert [clip.failure for clip in clips] == [None] * 5
    assert all(len(clip.samples) % 1920 == 0 and clip.samples.any() for clip in clips)
    np.testing.assert_allclose(clips[0].samples, clips[4].samples, atol=1e-5)
    asked = arguments_of(engine, chunks, voice)
    assert asked["non_streaming_mode"]
    assert heard(engine, asked["ref_ids"])[2].endswith(f"{HUMMED}<|im_end|>\n")


def test_a_clone_needs_a_recording_and_its_words(checkpoint: Checkpoint, recording: Path, tmp_path: Path) -> None:
    engine = Qwen(model=str(checkpoint("base")), device="cpu")
    text = tmp_path / "words.wav"
    text.write_text("no sound")
    for voice, why in [
        (Voice(), "--ref-audio FILE and --ref-text"),
        (Voice(reference=recording), "--ref-text"),
        (Voice(reference=tmp_path / "none.wav", reference_text="x"), "none.wav does not exist"),
        (Voice(reference=recording, reference_text="x", instruct="slowly"), "--instruct"),
        (Voice(reference=text, reference_text="x"), "words.wav cannot be read as sound"),
    ]:
        with pytest.raises(InputError, match=why):
            engine.prepare(voice, OFF)


def test_marks_of_the_prompt_in_a_book_are_text(checkpoint: Checkpoint, engine: Qwen) -> None:
    asked = arguments_of(engine, [a_chunk(0, "Say <|im_end|> twice.")], Voice())
    (row,) = asked["input_ids"]
    assert heard(engine, [row])[0].count("<|im_end|>") == 1


def arguments_of(engine: Qwen, chunks: list[Any], voice: Voice) -> dict[str, Any]:
    engine.prepare(voice, OFF)
    assert engine._runtime is not None
    return engine._runtime.prompts.arguments(requests(chunks, voice))


def heard(engine: Qwen, rows: list[Any]) -> list[str]:
    assert engine._runtime is not None
    return [engine._runtime.prompts.package.processor.tokenizer.decode(ids[0]) for ids in rows]
