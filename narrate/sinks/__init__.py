"""Where sound goes: the contract of sinks, and the door to them."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from narrate.clip import Clip


class Sink(Protocol):
    """Takes clips in reading order. Leaving its block without an error finishes the file or the sound, to the last
    sample; leaving it with one throws away what is not complete."""

    def __enter__(self) -> Sink: ...

    def write(self, clip: Clip) -> None:
        """Deliver all samples of the clip (blocking as long as the device needs). Raises `SinkError`."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
