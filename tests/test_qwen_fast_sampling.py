"""Draws, rules, steps and memory of the fast runtime, each by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.engines.qwen.draws import _Choice
from narrate.engines.qwen.fitting import MOST_SLOTS, fitting_slots, slot_bytes, slots_in, unknown

torch = pytest.importorskip("torch")
END = 2150


@pytest.mark.parametrize("rows", [1, 2, 33])
@pytest.mark.parametrize("size", [2048, 3072, 2049])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(0.9, 50, 1.0), (1.0, 50, 0.8), (1.3, 0, 0.9), (0.9, 1, 1.0), (1.0, 0, 1.0)]
)
def test_codes_are_hugging_faces(rows: int, size: int, temperature: float, top_k: int, top_p: float) -> None:
    """Scores as bfloat16 knows them: several tie with the fiftieth, and all of those stay in. (Of those that tie where
    top-p cuts, Hugging Face keeps whichever its sort puts there.)"""
    pytest.importorskip("transformers")
    from narrate.engines.qwen.sampling import Draw

    generator = torch.Generator().manual_seed(rows * size)
    scores = 4 * torch.randn(rows, size, generator=generator)
    if top_p == 1.0:
        scores = scores.bfloat16().float()
    if size > 3000:
        scores[:, 2048:] = -float("inf")
    uniforms = torch.rand(rows, generator=generator)
    expected, _ = _Choice(True, temperature, top_k, top_p)(scores, uniforms)
    codes = Draw(False, temperature, top_k, top_p)(scores, uniforms)
    assert codes.tolist() == expected.tolist()
    assert Draw(True, temperature, top_k, top_p)(scores, uniforms).tolist() == scores.argmax(-1).tolist()


@pytest.mark.parametrize("penalty", [1.0, 1.05, 0.8])
def test_rules_are_hugging_faces(penalty: float) -> None:
    transformers = pytest.importorskip("transformers")
    from narrate.engines.qwen.sampling import Rules

    config = SimpleNamespace(vocab_size=3072, codec_eos_token_id=END)
    scores = torch.randn(4, 3072, generator=torch.Generator().manual_seed(1))
    said = torch.tensor([[5, 9, 9], [1, 2, 3], [7, 7, 7], [2047, 0, 1]])
    chain = transformers.LogitsProcessorList()
    if penalty != 1.0:
        chain.append(transformers.RepetitionPenaltyLogitsProcessor(penalty))
    suppressed = [code for code in range(2048, 3072) if code != END]
    chain.append(transformers.SuppressTokensLogitsProcessor(suppressed))
    expected = chain(said, scores.clone())
    heard = torch.zeros(4, 3072, dtype=torch.bool).scatter_(1, said, True)
    frames = torch.full((4,), 3)
    rules = Rules(config, penalty, torch.device("cpu"))
    torch.testing.assert_close(rules(scores, heard, frames, frames + 1, frames * 0), expected)
    early = rules(scores, heard, torch.tensor([0, 1, 2, 3]), frames + 1, frames * 0)
    assert (early[:, END] == -float("inf")).tolist() == [True, True, False, False]


def test_the_end_is_pushed_for_the_more_the_later_and_the_longer_silent() -> None:
    from narrate.engines.qwen.guard import LATE_PUSH, LONGEST_QUIET, QUIET_PUSH
    from narrate.engines.qwen.sampling import Rules

    rules = Rules(SimpleNamespace(vocab_size=3072, codec_eos_token_id=END), 1.0, torch.device("cpu"))
    frames = torch.tensor([50, 100, 104, 50, 50])
    quiet = torch.tensor([0, 0, 0, LONGEST_QUIET, LONGEST_QUIET + 3])
    scores = rules(torch.zeros(5, 3072), torch.zeros(5, 3072, dtype=torch.bool), frames, torch.full((5,), 100), quiet)
    assert scores[:, END].tolist() == [0, 0, 4 * LATE_PUSH, 0, 3 * QUIET_PUSH]
    assert not scores[:, :2048].any()


@given(st.integers(1, 40_000))
def test_a_step_of_the_ladder_holds_what_it_is_for(length: int) -> None:
    from narrate.engines.qwen.cache import step_for

    assert length <= step_for(length) <= max(128, 2 * length)
    assert step_for(step_for(length)) == step_for(length)


SHAPE = SimpleNamespace(num_hidden_layers=28, num_key_value_heads=8, head_dim=128)


@given(st.integers(0, 2**38), st.sampled_from([2, 4]))
def test_slots_fit_into_the_memory(free: int, itemsize: int) -> None:
    each = slot_bytes(SHAPE, itemsize)
    slots = slots_in(free, each)
    assert 1 <= slots <= MOST_SLOTS
    assert slots == 1 or slots * each < free
    assert slots < 8 or slots % 8 == 0
    assert slots_in(free + each, each) >= slots


def test_a_card_of_ten_gigabytes_has_room_for_many_rows_of_the_large_model() -> None:
    weights = 2.1e9 * 2
    assert slots_in(int(9.5 * 2**30 - weights), slot_bytes(SHAPE, 2)) >= 24


@pytest.mark.parametrize(("free", "whole", "slots"), [(22e9, 25e9, 64), (130e9, 150e9, 128), (9.5e9, 10e9, 64)])
def test_unless_asked_for_more_a_card_takes_as_many_rows_as_it_can_keep_up_with(
    monkeypatch: pytest.MonkeyPatch, free: float, whole: float, slots: int
) -> None:
    """A frame of hundreds of rows lasts longer on most cards than its sound does."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free), int(whole)))
    model = SimpleNamespace(config=SimpleNamespace(talker_config=SHAPE), dtype=torch.bfloat16)
    package = SimpleNamespace(device=torch.device("cuda"), model=model)
    assert fitting_slots(package) == slots


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, None),
        ({"sliding_window": 512}, "window"),
        ({"attention_bias": True}, "bias"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"num_code_groups": 32}, "32"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "yarn"),
    ],
)
def test_what_is_not_known_is_named(change: dict[str, Any], named: str | None) -> None:
    usual = {"sliding_window": None, "attention_bias": False, "hidden_act": "silu", "num_code_groups": 16}
    talker = SimpleNamespace(**{**usual, "rope_scaling": None, **change})
    talker.code_predictor_config = SimpleNamespace(**usual, rope_scaling=None)
    decoder = SimpleNamespace(config=SimpleNamespace(num_quantizers=16))
    network = SimpleNamespace(
        config=SimpleNamespace(talker_config=talker),
        speech_tokenizer=SimpleNamespace(model=SimpleNamespace(decoder=decoder)),
    )
    why = unknown(SimpleNamespace(model=network))
    assert (why is None) == (named is None)
    assert named is None or named in str(why)
