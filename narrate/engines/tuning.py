"""What suits an engine on this machine: `narrate bench` finds it out and writes it, `--batch-size auto` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from narrate.files import sweep_unfinished, write_atomically
from narrate.folders import home


def best_batch_size(fingerprint: Mapping[str, str]) -> int | None:
    """Rows at once that were quickest for this engine here; None if that was never measured."""
    size = _load().get(_name(fingerprint))
    return size if isinstance(size, int) and size >= 1 else None


def keep_batch_size(fingerprint: Mapping[str, str], size: int) -> Path:
    """Remember that `size` was quickest. Returns the file it is kept in. Raises `OSError`."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = {**_load(), _name(fingerprint): size}
    write_atomically(path, (json.dumps(sizes, indent=1, ensure_ascii=False) + "\n").encode())
    sweep_unfinished(path.parent, path.name)
    return path


def _path() -> Path:
    return home() / "batch-sizes.json"


def _load() -> dict[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads(_path().read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _name(fingerprint: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(fingerprint.items()))
