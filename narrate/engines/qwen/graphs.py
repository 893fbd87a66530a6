"""CUDA graphs: the thousands of kernels of a frame started with one call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch


class Graphs:
    """Runs pieces of work that read and write the same tensors every time, each known by its key.

    The first time a piece runs as it is written, which is also what makes CUDA load its kernels; the second time it is
    recorded, which runs nothing, and played. Not `enabled` (no CUDA), it always runs as it is written.
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._met: set[Hashable] = set()
        self._recorded: dict[Hashable, Any] = {}
        self._pool: Any = None

    def run(self, key: Hashable, work: Callable[[], None]) -> None:
        if not self.enabled or key not in self._met:
            self._met.add(key)
            work()
            return
        if key not in self._recorded:
            self._recorded[key] = self._record(work)
        self._recorded[key].replay()

    def forget(self) -> None:
        """The tensors have moved."""
        self._met.clear()
        self._recorded.clear()

    def _record(self, work: Callable[[], None]) -> Any:
        """All graphs share one pool of memory: they never run at once, and leave nothing in it."""
        graph = torch.cuda.CUDAGraph()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph
