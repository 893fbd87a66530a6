"""Gives back what FFmpeg holds for listeners who have left.

A container of PyAV and its streams hold each other, so only Python's collector frees them, and with them the threads
and the memory of FFmpeg. The collector counts Python's objects, of which there are few: by itself it comes too late.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

EVERY_SECONDS = 5.0


@asynccontextmanager
async def tidying() -> AsyncIterator[None]:
    """Collect every few seconds inside the block. What exists before it is not looked at again: so it is quick."""
    gc.collect()
    gc.freeze()
    task = asyncio.create_task(_tidy())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        gc.unfreeze()


async def _tidy() -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        gc.collect()
