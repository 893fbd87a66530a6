"""What is kept of voices: the last ones that were asked for."""

from __future__ import annotations

from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from narrate.engines.qwen.prompts import _CLONES_KEPT, clone_key, recent
from narrate.voice import Voice


@given(st.lists(st.integers(0, 30), max_size=200))
def test_the_voices_asked_for_last_are_kept(asked: list[int]) -> None:
    cache: dict[Hashable, str] = {}
    made: list[int] = []
    last: list[int] = []
    for voice in asked:
        is_new = voice not in last
        last = [*(one for one in last if one != voice), voice][-_CLONES_KEPT:]
        assert recent(cache, voice, lambda voice=voice: made.append(voice) or f"clone {voice}") == f"clone {voice}"  # type: ignore[misc]
        assert bool(made) == is_new
        made.clear()
        assert list(cache) == last


def test_a_clone_follows_from_the_recording_and_its_words_alone() -> None:
    assert clone_key(Voice(seed=1, reference_text="a")) == clone_key(Voice(seed=2, reference_text="a"))
    assert clone_key(Voice(reference_text="a")) != clone_key(Voice(reference_text="b"))
