"""A stand-in for `torch.cuda` on a machine without a GPU: graphs that are recorded and played, and what CUDA forbids.

A graph is a list of torch's operations with the very tensors they read and wrote. While one is recorded nothing lasts:
whatever is written is put back at its end. Played, the same operations work on the same tensors, so work that looks at
a tensor that has since been replaced is found out, as on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

GPU = torch.device("cuda", 1)


@dataclass(eq=False)
class Pool:
    """Memory of graphs. Once its graphs are gone, cuBLAS's workspace still lies in it: it cannot be used again."""

    graphs: int = 0
    spent: bool = False


@dataclass(eq=False)
class StandIn:
    """What was asked of `torch.cuda`. `device`: the current one. `fails`: raised at the end of the next recordings."""

    device: torch.device = field(default_factory=lambda: torch.device("cuda", 0))
    stream: str = "usual"
    cudnn_attention: bool = True
    recording: bool = False
    graphs: list[Graph] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    modes: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    breaks: list[Exception] = field(default_factory=list)

    @property
    def living(self) -> list[Graph]:
        return [graph for graph in self.graphs if graph.operations is not None]

    def begin(self, graph: Graph, pool: Pool) -> None:
        if pool.spent:
            raise RuntimeError("it->second->use_count > 0 INTERNAL ASSERT FAILED")
        assert not self.recording
        self.recording = True
        graph.pool = pool
        self.pools += [pool] if pool not in self.pools else []

    def check_place(self) -> None:
        assert self.device == GPU, f"this would run on {self.device}"
        assert not self.cudnn_attention


class Graph:
    """`torch.cuda.CUDAGraph`."""

    def __init__(self, cuda: StandIn) -> None:
        self._cuda = cuda
        self.pool: Pool | None = None
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] | None = None
        self.played = 0

    def replay(self) -> None:
        self._cuda.check_place()
        assert self.operations is not None, "a graph that was reset is played"
        self.played += 1
        with torch.inference_mode():
            for operation, arguments, options, made in self.operations:
                again = operation(*arguments, **options)
                for old, new in zip(_tensors(made), _tensors(again), strict=True):
                    if new.data_ptr() != old.data_ptr():
                        old.copy_(new)

    def reset(self) -> None:
        self._cuda.told.append(f"reset {self._cuda.graphs.index(self)}")
        self.operations = None
        assert self.pool is not None
        self.pool.graphs -= 1
        self.pool.spent = self.pool.graphs == 0


class _Recorder(TorchDispatchMode):
    """Does what is asked, keeps it in mind, and keeps what was there before it was written over."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self._before: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        assert function is not torch.ops.aten._local_scalar_dense.default, "the host looks at a tensor"
        written = [
            argument.alias_info is not None and argument.alias_info.is_write for argument in function._schema.arguments
        ]
        for argument, is_written in zip(arguments, written, strict=False):
            if is_written:
                self._before.append((argument, argument.clone()))
        made = function(*arguments, **options)
        self.operations.append((function, arguments, options, made))
        return made

    def undo(self) -> None:
        for tensor, before in reversed(self._before):
            tensor.copy_(before)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in in torch's place."""
    stand_in = StandIn()

    @contextmanager
    def device(wanted: Any) -> Iterator[None]:
        before, stand_in.device = stand_in.device, torch.device(wanted)
        try:
            yield
        finally:
            stand_in.device = before

    @contextmanager
    def graph(graph: Graph, pool: Pool, stream: str, capture_error_mode: str) -> Iterator[None]:
        """As torch's: whoever fails at either end leaves the stream as it is."""
        stand_in.check_place()
        stand_in.modes.add(capture_error_mode)
        stand_in.stream = stream
        stand_in.begin(graph, pool)
        recorder = _Recorder()
        try:
            with recorder:
                yield
        except Exception as error:
            raise RuntimeError("operation failed due to a previous error during capture") from error
        finally:
            with torch.inference_mode():
                recorder.undo()
            stand_in.recording = False
        if stand_in.breaks:
            raise stand_in.breaks.pop(0)
        graph.operations = recorder.operations
        pool.graphs += 1
        stand_in.graphs.append(graph)
        stand_in.stream = "usual"

    def enable(enabled: bool) -> None:
        stand_in.cudnn_attention = enabled

    def event() -> Any:
        stand_in.check_place()
        return SimpleNamespace(record=lambda: None, synchronize=lambda: stand_in.told.append("waited"))

    for name, value in {
        "device": device,
        "graph": graph,
        "CUDAGraph": lambda: Graph(stand_in),
        "graph_pool_handle": Pool,
        "Stream": lambda device: f"stream of {device}",
        "current_stream": lambda device: stand_in.stream,
        "set_stream": lambda stream: setattr(stand_in, "stream", stream),
        "synchronize": lambda device: stand_in.told.append("synchronized"),
        "Event": event,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    from narrate.engines.qwen import attention, kernels, passes

    # Only what torch computes can be recorded; on a GPU nothing else is used.
    monkeypatch.setattr(kernels, "product_of", lambda kind: None)
    monkeypatch.setattr(attention, "fits", lambda query, keys: False)
    monkeypatch.setattr(passes, "_lanes", lambda: None)
    monkeypatch.setattr(torch.backends.cuda, "cudnn_sdp_enabled", lambda: stand_in.cudnn_attention)
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", enable)
    return stand_in


def on_gpu(package: Any) -> Any:
    """The package as if it were on the second GPU; its tensors stay where they are."""
    return SimpleNamespace(
        model=package.model,
        device=GPU,
        processor=package.processor,
        _merge_generate_kwargs=package._merge_generate_kwargs,
        _build_assistant_text=package._build_assistant_text,
        _build_instruct_text=package._build_instruct_text,
    )


def _tensors(made: Any) -> list[torch.Tensor]:
    if isinstance(made, torch.Tensor):
        return [made]
    return [one for one in made if isinstance(one, torch.Tensor)] if isinstance(made, (tuple, list)) else []
