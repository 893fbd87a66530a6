"""CUDA graphs: the thousands of kernels of a frame started with one call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from threading import get_ident
from typing import Any

import torch

from narrate.engines.qwen.hardware import is_out_of_memory

_log = logging.getLogger(__name__)


class Graphs:
    """Runs pieces of work that read and write the same tensors every time, each known by its key.

    The first time in a thread a piece runs as it is written, which is also what makes CUDA load its kernels, and its
    libraries what they keep for the thread; the second time it is recorded, which runs nothing, and played. What cannot
    be recorded runs as it is written for ever. Not `enabled` (no CUDA), everything does. Call it under the `device`
    (see `computing_on`).

    `recordings` and `recording_seconds` count what was recorded; `failures` what could not be.
    """

    def __init__(self, device: torch.device) -> None:
        self.enabled = device.type == "cuda"
        self.recordings = self.failures = 0
        self.recording_seconds = 0.0
        self._device = device
        self._met: set[tuple[Hashable, int]] = set()
        self._as_written: set[Hashable] = set()
        self._recorded: dict[Hashable, Any] = {}
        self._stream: Any = None
        self._pool: Any = None

    def run(self, key: Hashable, work: Callable[[], None]) -> None:
        """Raises what the work raises, and out of memory also while it is recorded."""
        met = (key, get_ident())
        if not self.enabled or key in self._as_written or not (key in self._recorded or met in self._met):
            self._met.add(met)
            work()
            return
        if key not in self._recorded:
            graph = self._record(work)
            if graph is None:
                self._as_written.add(key)
                work()
                return
            self._recorded[key] = graph
        self._recorded[key].replay()

    def settled(self, key: Hashable) -> bool:
        """True if the key's work will not be recorded when it runs next."""
        return not self.enabled or key in self._recorded or key in self._as_written

    def forget(self) -> None:
        """The tensors have moved, or are about to go.

        What is recorded next gets a pool of its own: cuBLAS keeps its workspace in the old one, and into a pool whose
        graphs are all gone but whose memory is not torch 2.11 records nothing more. All graphs go at once: from torch
        2.12 on the end of one takes the workspace with it, which others recorded in the same stream still use.
        """
        if self._recorded:
            torch.cuda.synchronize(self._device)  # a graph that is still being played must not be destroyed
        for graph in reversed(self._recorded.values()):
            graph.reset()
        self._recorded.clear()
        self._met.clear()
        self._as_written.clear()
        self._pool = None

    def _record(self, work: Callable[[], None]) -> Any | None:
        """The graph, or None if the work cannot be recorded. Nothing of the work is done.

        All graphs share one pool of memory: they never run at once, and leave nothing in it. Their stream is no other
        recorder's. Other threads may use the device meanwhile ("thread_local").
        """
        start = time.perf_counter()
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        before = torch.cuda.current_stream(self._device)
        graph = torch.cuda.CUDAGraph()
        cause: Exception | None = None
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                try:
                    work()
                except Exception as error:  # the end of the recording raises another, which hides this one
                    cause = error
                    raise
        except Exception as error:
            torch.cuda.set_stream(before)  # which a recording that fails at either end leaves as it was
            self._pool = None  # it may still count as being recorded into
            self._failed(cause or error)
            return None
        self.recordings += 1
        self.recording_seconds += time.perf_counter() - start
        return graph

    def _failed(self, error: Exception) -> None:
        """Raises the error if memory ran out."""
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise error
        self.failures += 1
        if self.failures == 1:
            why = str(error).strip().partition("\n")[0] or type(error).__name__
            _log.warning("A CUDA graph could not be recorded (%s); narrate goes on without it, more slowly.", why)
