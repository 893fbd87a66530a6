"""The fast runtime on a CUDA device, where frames are recorded as graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.clock import OFF
from narrate.engines.qwen import Qwen
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import Kind
from tests.speech import a_chunk, a_request, clips_of, requests, whole

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def cuda() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def script(count: int) -> list[Chunk]:
    return [a_chunk(index, "The rain fell in torrents, all day long. " * (1 + index % 4)) for index in range(count)]


def takes(engine: Qwen, count: int) -> dict[str, Any]:
    clips = whole(clips_of(engine, requests(script(count))))
    assert not [clip.failure for clip in clips.values() if clip.failure]
    return {name: clip.samples for name, clip in clips.items()}


def test_graphs_make_the_same_takes_as_no_graphs(checkpoint: Callable[[Kind], Path]) -> None:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cuda", dtype="float32", slots=8)
    engine.prepare(Voice(), OFF)
    recorded = takes(engine, 30)
    runtime: Any = engine._runtime
    runtime._runner.graphs.enabled = False
    written = takes(engine, 30)
    assert recorded.keys() == written.keys()
    for index, samples in recorded.items():
        np.testing.assert_allclose(samples, written[index], atol=1e-3)


def test_slots_that_grow_are_recorded_anew(checkpoint: Callable[[Kind], Path]) -> None:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cuda", dtype="float32", slots=4)
    before = takes(engine, 6)
    long = [a_chunk(0, "The rain fell in torrents, all day long. " * 20), *script(6)[1:]]
    assert len(clips_of(engine, requests(long))) >= 6
    after = takes(engine, 6)
    for index, samples in before.items():
        np.testing.assert_allclose(samples, after[index], atol=1e-3)


def test_in_bfloat16_with_all_the_slots_there_is_room_for(checkpoint: Callable[[Kind], Path]) -> None:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cuda")
    assert len(takes(engine, 80)) == 80
    runtime: Any = engine._runtime
    assert runtime.slots > 1


def test_the_first_sound_after_preparing_records_nothing(checkpoint: Callable[[Kind], Path]) -> None:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cuda", slots=16)
    engine.prepare(Voice(), OFF)
    runtime: Any = engine._runtime
    graphs = runtime._runner.graphs
    recordings = graphs.recordings
    assert recordings > 3
    asked = a_request(a_chunk(0, "Is anybody here?"), due=OFF.now)
    assert next(clips for clips in engine.synthesize([asked]) if clips)
    assert graphs.recordings == recordings
    assert graphs.failures == 0


def test_the_second_gpu_speaks_as_the_first(checkpoint: Callable[[Kind], Path]) -> None:
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device")
    folder = str(checkpoint("custom_voice"))
    first, second = (takes(Qwen(model=folder, device=f"cuda:{n}", dtype="float32", slots=4), 8) for n in range(2))
    for index, samples in first.items():
        np.testing.assert_allclose(samples, second[index], atol=1e-3)


def test_a_block_makes_the_host_wait_for_nothing_but_its_end(checkpoint: Callable[[Kind], Path]) -> None:
    """Torch tells of every other wait."""
    import torch

    engine = Qwen(model=str(checkpoint("custom_voice")), device="cuda", slots=8)
    engine.prepare(Voice(), OFF)
    takes(engine, 16)
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert len(takes(engine, 16)) == 16
    finally:
        torch.cuda.set_sync_debug_mode("default")
