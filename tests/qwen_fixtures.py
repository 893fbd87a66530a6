"""The genuine `qwen-tts` on a tiny checkpoint: fixtures for test modules that name this one in `pytest_plugins`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import inf
from pathlib import Path
from typing import Any

import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines.feed import Feed
from narrate.engines.qwen import Qwen
from narrate.engines.qwen.scheduler import Work
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import Kind, make_checkpoint
from tests.speech import requests

Fault = Callable[[int, int, Any], None]
MARK = "#"


def speak(engine: Qwen, chunks: Sequence[Chunk], voice: Voice | None = None) -> list[Clip]:
    """What the engine's stock runtime makes of the chunks, in their order, in batches as large as it may make them."""
    engine.prepare(voice or Voice(), OFF)
    runtime: Any = engine._runtime
    clips: list[Clip] = runtime.speak(requests(chunks, voice))
    return clips


def made_loud(decoder: Any) -> Any:
    """A tiny checkpoint's decoder, in which every part is made loud enough to be missed."""
    import torch

    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if name.endswith((".scale", ".gamma")):
                parameter.fill_(1.0)  # a layer starts at a hundredth, a block at a millionth
            elif name.endswith((".alpha", ".beta")):
                parameter.uniform_(-0.5, 0.5)
        codes = torch.randint(0, 2048, (1, 16, 50))
        decoder.decoder[-1].conv.weight *= 0.1 / decoder(codes).std()
    return decoder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """A folder with a tiny model of the kind asked for, made once."""
    pytest.importorskip("torch", reason="the qwen extra is not installed")
    pytest.importorskip("safetensors", reason="the qwen extra is not installed")
    pytest.importorskip("transformers", reason="the qwen extra is not installed")
    import torch

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small a model only suffers from more
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("qwen")

    def folder(kind: Kind) -> Path:
        there = home / kind
        return there if there.exists() else make_checkpoint(there, "tiny", kind)

    return folder


@pytest.fixture(scope="session")
def shared_engine(checkpoint: Callable[[Kind], Path]) -> Iterator[Qwen]:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", runtime="stock")
    engine.prepare(Voice(), OFF)
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


@pytest.fixture(scope="session")
def shared_fast(checkpoint: Callable[[Kind], Path]) -> Iterator[Qwen]:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", slots=4)
    engine.prepare(Voice(), OFF)
    yield engine
    engine.close()


@pytest.fixture
def fast(shared_fast: Qwen) -> Iterator[Qwen]:
    """An engine of the fast runtime with four slots, as new, and as new for those who come after."""
    runtime: Any = shared_fast._runtime
    runtime.slots, runtime.work, runtime._runner, runtime._silent = 4, Work(), None, None
    runtime.feed = Feed(4, inf)  # however busy the machine is, rows are quicker than speech
    yield shared_fast
    runtime.slots, runtime._runner, runtime._silent = 4, None, None


@pytest.fixture
def marked(fast: Qwen) -> Callable[[Callable[[Any], Any]], AbstractContextManager[None]]:
    """Change how the talker hears the texts that have a mark in them."""
    import torch

    assert fast._runtime is not None
    package = fast._runtime.prompts.package
    talker, mark = package.model.talker, package._tokenize_texts([MARK])[0].item()

    @contextmanager
    def heard_as(change: Callable[[Any], Any]) -> Iterator[None]:
        marks: list[bool] = []

        def look(module: Any, arguments: Any, embedded: Any) -> None:
            marks[:] = (arguments[0] == mark).any(-1).tolist()

        def hear(module: Any, arguments: Any, projected: Any) -> Any:
            rows = zip(projected, marks, strict=True)
            return torch.stack([change(row.clone()) if is_marked else row for row, is_marked in rows])

        hooks = (
            talker.get_text_embeddings().register_forward_hook(look),
            talker.text_projection.register_forward_hook(hear),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    return heard_as


def as_a_text_without_end(heard: Any) -> Any:
    """Place 0 tells the tiny checkpoint how much there is to say."""
    heard[..., 0] = -1e5
    return heard


@pytest.fixture
def attention_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], Exception | None]], None]:
    """Let attention, torch's or our own, raise what `when` returns for its n-th call."""
    import torch

    from narrate.engines.qwen import attention as ours

    original, own = torch.nn.functional.scaled_dot_product_attention, ours.attend

    def install(when: Callable[[int], Exception | None]) -> None:
        calls = 0

        def count() -> None:
            nonlocal calls
            calls += 1
            if (error := when(calls)) is not None:
                raise error

        def attention(*arguments: Any, **options: Any) -> Any:
            count()
            return original(*arguments, **options)

        def attend(*arguments: Any) -> Any:
            count()
            return own(*arguments)

        monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)
        monkeypatch.setattr(ours, "attend", attend)

    return install


def out_of_memory() -> Exception:
    import torch

    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
