"""Reads long texts aloud, in order and without a gap. The public names are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Chunk": "narrate.text.document",
    "Clip": "narrate.clip",
    "Document": "narrate.text.document",
    "NarrateError": "narrate.errors",
    "Voice": "narrate.voice",
    "read": "narrate.reading.session",
    "synthesize": "narrate.reading.session",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
