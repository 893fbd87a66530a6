"""The key of a take: what it is stored and found under."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from narrate.errors import InputError
from narrate.text.document import Chunk
from narrate.voice import Voice

FORMAT = 1  # of the key and of what is stored under it
_KEY = re.compile("b2:[0-9a-f]{40}")


def take_key(fingerprint: Mapping[str, str], voice: Voice, chunk: Chunk, *, uses_seed: bool = True) -> str:
    """The name of a take: a hash of everything that shapes its sound, and of nothing else.

    Speed, pause, printed text and place in the book do not shape it: they may change and the take serves on. Nor does
    the seed, where the engine does not use it (`uses_seed`). Raises `InputError` if the voice's recording is gone.
    """
    shape = {
        "format": FORMAT,
        "engine": dict(fingerprint),
        "voice": {
            "name": voice.name,
            "seed": voice.seed if uses_seed else 0,
            "instruct": voice.instruct,
            "describe": voice.describe,
            "reference": None if voice.reference is None else _content(voice.reference),
            "reference_text": voice.reference_text,
        },
        "language": chunk.language,
        "spoken": chunk.spoken,
        "take": chunk.take,
    }
    canonical = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    return "b2:" + blake2b(canonical.encode(), digest_size=20).hexdigest()


def is_key(name: object) -> bool:
    """True if `take_key` may have given this name."""
    return isinstance(name, str) and _KEY.fullmatch(name) is not None


def _content(path: Path) -> str:
    try:
        facts = path.stat()
        return _content_at(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise InputError(f"The voice recording {path} cannot be read ({error.strerror}). Check its name.") from error


@lru_cache(maxsize=8)
def _content_at(path: Path, changed: int, size: int) -> str:
    """Hash of a file as it was changed last: read once per run, not once per sentence."""
    return blake2b(path.read_bytes(), digest_size=20).hexdigest()
