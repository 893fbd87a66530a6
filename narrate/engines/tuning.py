"""What suits an engine on this machine, and how quick it is: measured once, remembered.

`narrate bench` finds out how many rows are best, `--batch-size auto` reads it. How long rows take is measured before
`auto` chooses an engine that may be too slow here, and again by every long reading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

from narrate.files import sweep_unfinished, write_atomically
from narrate.folders import home

QUICK_ENOUGH = 0.8  # seconds for a second of sound, at most: the rest is for pauses of the machine and for long rows


@dataclass(frozen=True, slots=True)
class Speed:
    """With `rows` rows at once, a second of sound takes `rtf` seconds. A round of all rows takes a + c × rows seconds
    (see engines/feed.py); both are 0 where that is not known."""

    rtf: float
    rows: int
    a: float = 0.0
    c: float = 0.0

    @property
    def quick_enough(self) -> bool:
        """True if a listener can be fed without gaps."""
        return self.rtf < QUICK_ENOUGH


def speed_of(fingerprint: Mapping[str, str]) -> Speed | None:
    """How quick the engine is here, with as many cores as this process may use; None if that was never measured."""
    found = _load(_SPEEDS).get(_here(fingerprint))
    with suppress(TypeError, ValueError, KeyError):
        if isinstance(found, dict):
            speed = Speed(float(found["rtf"]), int(found["rows"]), float(found["a"]), float(found["c"]))
            if isfinite(speed.rtf) and min(speed.rtf, speed.a, speed.c) >= 0 and speed.rows >= 1:
                return speed
    return None


def keep_speed(fingerprint: Mapping[str, str], speed: Speed) -> None:
    """Remember it. Raises `OSError`."""
    _keep(_SPEEDS, _here(fingerprint), asdict(speed))


def best_batch_size(fingerprint: Mapping[str, str]) -> int | None:
    """Rows at once that were quickest for this engine here; None if that was never measured."""
    size = _load(_SIZES).get(_name(fingerprint))
    return size if isinstance(size, int) and size >= 1 else None


def keep_batch_size(fingerprint: Mapping[str, str], size: int) -> Path:
    """Remember that `size` was quickest. Returns the file it is kept in. Raises `OSError`."""
    return _keep(_SIZES, _name(fingerprint), size)


_SIZES = "batch-sizes.json"
_SPEEDS = "speeds.json"


def _keep(file: str, name: str, value: object) -> Path:
    path = home() / file
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {**_load(file), name: value}
    write_atomically(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
    sweep_unfinished(path.parent, path.name)
    return path


def _load(file: str) -> dict[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads((home() / file).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _name(fingerprint: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(fingerprint.items()))


def _here(fingerprint: Mapping[str, str]) -> str:
    """A container with one core is another machine than the one around it."""
    from narrate.engines.qwen.processor import this_processor

    return f"{_name(fingerprint)}, cores {this_processor().cores}"
