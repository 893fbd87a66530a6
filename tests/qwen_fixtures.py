"""The genuine `qwen-tts` on a tiny checkpoint: fixtures for test modules that name this one in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from narrate.engines.qwen import Qwen
from narrate.voice import Voice
from tests.qwen_checkpoint import Kind, make_checkpoint

Fault = Callable[[int, int, Any], None]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """A folder with a tiny model of the kind asked for, made once."""
    pytest.importorskip("torch", reason="the qwen extra is not installed")
    pytest.importorskip("safetensors", reason="the qwen extra is not installed")
    pytest.importorskip("transformers", reason="the qwen extra is not installed")
    import torch

    torch.set_num_threads(1)  # so small a model only suffers from more
    home = tmp_path_factory.mktemp("qwen")

    def folder(kind: Kind) -> Path:
        there = home / kind
        return there if there.exists() else make_checkpoint(there, "tiny", kind)

    return folder


@pytest.fixture(scope="session")
def shared_engine(checkpoint: Callable[[Kind], Path]) -> Iterator[Qwen]:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", runtime="stock")
    engine.prepare(Voice())
    yield engine
    engine.close()


@pytest.fixture
def engine(shared_engine: Qwen) -> Qwen:
    """An engine on the CPU with its model loaded, as new: batches of ten, the checkpoint's sampling."""
    runtime = shared_engine._runtime
    assert runtime is not None
    runtime.largest_batch, runtime.vocoder_frames = 10, 900
    return shared_engine


@pytest.fixture
def network(engine: Qwen) -> Any:
    """The package's network inside the engine."""
    assert engine._runtime is not None
    return engine._runtime.prompts.package.model


@pytest.fixture
def faults(network: Any) -> Callable[[Fault], AbstractContextManager[None]]:
    """Spoil what the talker computes: `fault(frame, row, scores)` may change a row's scores in place."""

    @contextmanager
    def spoil(fault: Fault) -> Iterator[None]:
        frame = -1

        def hook(module: Any, arguments: Any, scores: Any) -> Any:
            nonlocal frame
            frame = 0 if scores.shape[1] > 1 else frame + 1
            for row in range(len(scores)):
                fault(frame, row, scores[row, -1])
            return scores

        handle = network.talker.codec_head.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    return spoil
