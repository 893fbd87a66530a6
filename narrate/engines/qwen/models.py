"""Which Qwen3-TTS model: the released ones by name, a folder, or the largest that fits; and what each of them can."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrate.engines.qwen import hub
from narrate.errors import EngineError, InputError

RELEASED = (
    "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice",
    "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
    "Qwen/Qwen3-TTS-12Hz-1.7B-Base",
    "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
    "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign",
)  # fmt: skip
_PARAMETERS = {"1.7B": 2.09e9, "0.6B": 1.08e9}  # with the speech tokenizer
_WORKING_BYTES = 2.5e9  # a batch of ten rows and the vocoder's share


@dataclass(frozen=True, slots=True)
class Model:
    """A model found: its config is known; `folder` is None if its files are where the hub's client keeps them.

    `identity` changes whenever the weights may have changed. `kind` is "custom_voice" (named speakers), "base" (clones
    a reference) or "voice_design" (builds a voice from a description).
    """

    name: str
    identity: str
    folder: Path | None
    revision: str | None
    kind: str
    size: str
    speakers: tuple[str, ...]

    @property
    def follows_instructions(self) -> bool:
        """The package drops the instruction for 0.6B models without a word (`tts_model_size in "0b6"`)."""
        return self.kind == "custom_voice" and self.size != "0b6"


def find_model(wanted: str | None, dtype: str, free_bytes: int | None) -> Model:
    """The model called `wanted` (released name or its short form, a kind, or a folder), else the largest that fits.

    Reads the config alone, from the folder or from where `narrate setup` keeps models. Models that are here come before
    larger ones that are not. Raises `InputError` for a name that means nothing and `EngineError`, saying what is
    needed, when the model is not here.
    """
    if wanted and (folder := _as_folder(wanted)) is not None:
        return _from_folder(folder)
    if wanted and wanted.count("/") == 1 and wanted not in RELEASED:
        return _in_cache(wanted)
    candidates = _by_short_name(wanted) if wanted else RELEASED[:2]
    if not candidates:
        raise InputError(f"There is no model “{wanted}”: use {', '.join(map(_short, RELEASED))}, or a folder.")
    here = tuple(name for name in candidates if hub.found(name) is not None)
    return _in_cache(_largest_that_fits(here or candidates, dtype, free_bytes))


def for_processor() -> str:
    """The model that suits a computer without a GPU: the small one, unless only the large one is here."""
    large, small = RELEASED[:2]
    return large if hub.found(large) and not hub.found(small) else small


def full_name(wanted: str | None, dtype: str, free_bytes: int | None) -> str:
    """The name on the hub of what `wanted` means, or of the largest model that fits. Raises `InputError`."""
    if wanted and wanted.count("/") == 1:
        return wanted
    candidates = _by_short_name(wanted) if wanted else RELEASED[:2]
    if not candidates:
        raise InputError(f"There is no model “{wanted}”: use {_names()}.")
    return _largest_that_fits(candidates, dtype, free_bytes)


def files_of(model: Model) -> Path:
    """The folder with all of the model's files. Raises `EngineError` if they are not here: nothing is fetched."""
    folder = model.folder or hub.found(model.name)
    if folder is None:
        raise EngineError(hub.how_to_get(model.name))
    return folder


def _short(name: str) -> str:
    return name.rpartition("12Hz-")[2]


def _by_short_name(wanted: str) -> tuple[str, ...]:
    """Released models that `wanted` is the name of, a short form of, or the size or kind of."""

    def plain(name: str) -> str:
        return re.sub(r"[^a-z0-9.]", "", name.lower())

    key = plain(wanted)
    exact = tuple(name for name in RELEASED if key in (plain(name), plain(name.partition("/")[2]), plain(_short(name))))
    if exact:
        return exact
    if key in ("0.6b", "1.7b"):
        key += "customvoice"
        return tuple(name for name in RELEASED if plain(_short(name)) == key)
    return tuple(name for name in RELEASED if plain(_short(name).partition("-")[2]) == key)


def _largest_that_fits(candidates: tuple[str, ...], dtype: str, free_bytes: int | None) -> str:
    """Candidates come largest first; when even the last is too large it is tried all the same, in smaller batches."""
    bytes_each = 4 if dtype == "float32" else 2
    for name in candidates:
        needed = _PARAMETERS[_short(name).partition("-")[0]] * bytes_each + _WORKING_BYTES
        if free_bytes is not None and needed <= free_bytes:
            return name
    return candidates[-1]


def _as_folder(wanted: str) -> Path | None:
    path = Path(wanted).expanduser()
    if path.is_dir():
        return path
    if wanted.startswith((".", "/", "~")) or "\\" in wanted or wanted.count("/") > 1:
        raise InputError(f"The model folder {wanted} does not exist; give a folder, or one of {_names()}.")
    return None


def _names() -> str:
    return ", ".join(map(_short, RELEASED))


def _from_folder(folder: Path) -> Model:
    config = _read_config(folder / "config.json")
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=8)
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(_sample(path))
    return _described(folder.name, f"{folder.name}#{digest.hexdigest()}", folder, None, config)


def _in_cache(name: str) -> Model:
    folder = hub.config_folder(name)
    if folder is None:
        raise EngineError(hub.how_to_get(name))
    if folder.parent.name != "snapshots":
        return _from_folder(folder)
    return _described(name, f"{name}@{folder.name}", None, folder.name, _read_config(folder / "config.json"))


def _described(name: str, identity: str, folder: Path | None, revision: str | None, config: dict[str, Any]) -> Model:
    if config.get("tokenizer_type") != "qwen3_tts_tokenizer_12hz":
        raise EngineError(f"{name} is not a 12 Hz Qwen3-TTS model; use one of {_names()}.")
    return Model(
        name=name,
        identity=identity,
        folder=folder,
        revision=revision,
        kind=str(config.get("tts_model_type")),
        size=str(config.get("tts_model_size")),
        speakers=tuple(config["talker_config"].get("spk_id") or ()),
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.parent} is not a model folder: its config.json cannot be read ({error}).") from error
    if not isinstance(config, dict) or "talker_config" not in config:
        raise InputError(f"{path.parent} does not hold a Qwen3-TTS model (its config.json is of another kind).")
    return config


def _sample(path: Path) -> bytes:
    """Size and 64 places of a weights file: enough to tell two trainings apart, in milliseconds instead of seconds."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        for place in range(64):
            file.seek(size * place // 64)
            digest.update(file.read(256))
    return digest.digest()
