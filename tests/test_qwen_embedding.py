"""Prompts embedded all rows in one go are those the package makes one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.engines import Request
from narrate.engines.qwen.models import find_model
from narrate.errors import InputError
from narrate.voice import Voice
from tests.qwen_checkpoint import Kind
from tests.speech import a_chunk, a_request

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

TEXTS = ["A bell rang twice.", "No.", "Who <|im_end|> goes there? " * 9, "雪が降った。", "The house woke."]


@pytest.fixture
def prompts_of(checkpoint: Callable[[Kind], Path]) -> Callable[[Kind], Any]:
    def load_prompts(kind: Kind) -> Any:
        from narrate.engines.qwen.loading import load
        from narrate.engines.qwen.prompts import Prompts

        folder = checkpoint(kind)
        model = find_model(str(folder), "float32", None)
        return Prompts(load(folder, "cpu", "float32"), replace(model, size="1b7"))  # which follows instructions

    return load_prompts


def packages(prompts: Any, asked: Sequence[Request]) -> list[Any]:
    """What the package hands to its talker, each row without the padding before it."""
    network, made = prompts.package.model, []

    class Made(Exception):
        pass

    def keep(*, inputs_embeds: Any, attention_mask: Any, **_: Any) -> None:
        made.extend(prompt[mask.bool()] for prompt, mask in zip(inputs_embeds, attention_mask, strict=True))
        raise Made

    network.talker.generate = keep
    try:
        with pytest.raises(Made):
            network.generate(**prompts.arguments(asked))
    finally:
        del network.talker.generate
    return made


def assert_the_packages(prompts: Any, asked: Sequence[Request]) -> None:
    """Twice, since the second time what is constant is known."""
    import torch

    from narrate.engines.qwen.embedding import Embedding

    embed, expected = Embedding(prompts), packages(prompts, asked)
    assert len({len(prompt) for prompt in expected}) > 2
    for order in (range(len(asked)), reversed(range(len(asked)))):
        places = list(order)
        for place, prompt in zip(places, embed([asked[place] for place in places]), strict=True):
            torch.testing.assert_close(prompt, expected[place], atol=1e-5, rtol=0)


def test_named_voices_with_and_without_dialect_instruction_and_known_language(prompts_of: Any) -> None:
    voices = [
        (Voice(), "en"),
        (Voice(name="eric"), "zh"),
        (Voice(name="dylan", instruct="slowly"), "zh"),
        (Voice(name="eric", instruct="in a whisper, as if someone slept"), "ja"),
        (Voice(name="dylan"), "xx"),
        (Voice(name="vivian"), "xx"),
        (Voice(language="ja"), "ja"),
    ]
    asked = [
        a_request(a_chunk(index, text, language=language), voice)
        for index, (text, (voice, language)) in enumerate(zip(TEXTS * 3, voices * 2, strict=False))
    ]
    assert_the_packages(prompts_of("custom_voice"), asked)


def test_described_voices(prompts_of: Any) -> None:
    voices = [Voice(describe="an old sailor"), Voice(describe="a child that has run, out of breath")]
    asked = [a_request(a_chunk(index, text), voices[index % 2]) for index, text in enumerate(TEXTS)]
    assert_the_packages(prompts_of("voice_design"), asked)


def test_cloned_voices(prompts_of: Any, tmp_path: Path) -> None:
    import soundfile

    voices = []
    for number, seconds in enumerate((1.5, 2.6)):
        recording = tmp_path / f"reference{number}.wav"
        soundfile.write(recording, np.random.default_rng(number).normal(0, 0.1, round(24_000 * seconds)), 24_000)
        voices.append(Voice(reference=recording, reference_text="A bell rang. " * (1 + number)))
    asked = [a_request(a_chunk(index, text), voices[index % 2]) for index, text in enumerate(TEXTS)]
    assert_the_packages(prompts_of("base"), asked)


def test_a_row_more_is_no_operation_more(prompts_of: Any) -> None:
    """Views apart, which cost a device nothing."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from narrate.engines.qwen.embedding import Embedding

    class Counted(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            self.count += not any(one.alias_info is not None for one in function._schema.returns)
            return function(*arguments, **(options or {}))

    embed = Embedding(prompts_of("custom_voice"))
    asked = [a_request(a_chunk(index, text)) for index, text in enumerate(TEXTS)]
    embed(asked)
    counts = []
    for rows in (1, 5):
        with Counted() as counted:
            embed(asked[:rows])
        counts.append(counted.count)
    assert counts[0] == counts[1] < 20


def test_the_packages_talker_is_left_alone(prompts_of: Any) -> None:
    """Two engines may use one model in two threads."""
    from narrate.engines.qwen.embedding import Embedding

    prompts = prompts_of("custom_voice")
    talker, before = prompts.package.model.talker, dict(vars(prompts.package.model.talker))
    Embedding(prompts)([a_request(a_chunk(0, "No."))])
    assert vars(talker) == before


def test_what_the_model_does_not_have_is_refused(prompts_of: Any) -> None:
    from narrate.engines.qwen.embedding import Embedding

    with pytest.raises(InputError, match="no voice"):
        Embedding(prompts_of("custom_voice"))([a_request(a_chunk(0, "No."), Voice(name="nobody"))])
