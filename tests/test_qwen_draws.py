"""Seeds, budgets and draws: what a take follows from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.engines.qwen.budget import budget_frames
from narrate.engines.qwen.draws import _Choice, row_seed, row_uniforms
from narrate.pace import expected_seconds
from narrate.synthesis.judge import longest_seconds
from narrate.text.language import LANGUAGES
from narrate.voice import Voice
from tests.speech import a_chunk, a_request

languages = st.sampled_from(sorted(LANGUAGES))


@given(st.integers(0, 2**64 - 1), st.integers(1, 40), st.integers(0, 40))
def test_more_frames_continue_the_same_uniforms(seed: int, frames: int, more: int) -> None:
    uniforms = row_uniforms(seed, frames + more)
    assert np.array_equal(uniforms[:frames], row_uniforms(seed, frames))
    assert uniforms.shape == (frames + more, 16)
    assert ((uniforms >= 0) & (uniforms < 1)).all()


def test_uniforms_are_even_and_seeds_apart() -> None:
    uniforms = np.stack([row_uniforms(seed, 50) for seed in range(40)])
    counts, _ = np.histogram(uniforms, bins=10, range=(0, 1))
    assert np.all(np.abs(counts / uniforms.size - 0.1) < 0.01)
    correlations = np.corrcoef(uniforms.reshape(40, -1)) - np.eye(40)
    assert np.abs(correlations).max() < 0.15


def test_a_seed_follows_from_what_is_said_how_and_how_often() -> None:
    chunk = a_chunk(1, "He came in.")
    asked = [
        a_request(chunk),
        a_request(chunk, attempt=1),
        a_request(replace(chunk, take=1)),
        a_request(replace(chunk, spoken="He came in!")),
        a_request(replace(chunk, language="de")),
        *(a_request(chunk, other) for other in (Voice(seed=1), Voice(name="ryan"), Voice(instruct="loud"))),
    ]
    seeds = [row_seed(request) for request in asked]
    assert len(set(seeds)) == len(seeds)
    assert row_seed(a_request(replace(chunk, index=9, pause=1.0), reading="another")) == seeds[0]


@given(st.text(min_size=1, max_size=300), languages)
def test_a_budget_leaves_room_for_slow_speech_and_none_for_what_would_be_refused(spoken: str, language: str) -> None:
    seconds = budget_frames(spoken, language) / 12.5
    assert seconds >= 2.5 * expected_seconds(spoken, language) + 2
    assert seconds <= longest_seconds(spoken, language) + 0.08
    assert budget_frames(spoken + "a", language) >= budget_frames(spoken, language)


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.5, 4, 1.0), (2.0, 0, 0.6)])
def test_draws_have_the_frequencies_of_the_distribution(temperature: float, top_k: int, top_p: float) -> None:
    """Against the share each code has after Hugging Face's own temperature, top-k and top-p."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    rows = 40_000
    scores = torch.tensor([0.0, 1.0, -0.5, 2.0, -float("inf"), 0.3, 1.2])
    kept = transformers.TemperatureLogitsWarper(temperature)(None, scores[None])
    kept = transformers.TopKLogitsWarper(top_k)(None, kept) if top_k else kept
    kept = transformers.TopPLogitsWarper(top_p)(None, kept) if top_p < 1 else kept
    uniforms = torch.from_numpy(row_uniforms(5, rows // 16).reshape(-1))
    codes, sound = _Choice(True, temperature, top_k, top_p)(scores.expand(rows, -1), uniforms)
    shares = torch.bincount(codes, minlength=7) / rows
    assert sound.all()
    torch.testing.assert_close(shares, kept.softmax(-1)[0], atol=0.01, rtol=0)
    assert not shares[kept[0] == -float("inf")].any()


def test_the_ends_of_the_range_stay_among_possible_codes() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.full((2, 3000), -float("inf"))
    scores[:, 1000:2000] = torch.linspace(-8, 8, 1000)
    uniforms = torch.tensor([0.0, 1 - 2.0**-23])
    codes, _ = _Choice(True, 0.9, 0, 1.0)(scores, uniforms)
    assert codes.tolist()[0] == 1000
    assert 1900 < codes.tolist()[1] < 2000
