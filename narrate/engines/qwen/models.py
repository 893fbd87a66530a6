"""Which Qwen3-TTS model: the released ones by name, a folder, or the largest that fits; and what each of them can."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_COMPLETE = ("generation_config.json", "tokenizer_config.json", "speech_tokenizer/config.json")


@dataclass(frozen=True, slots=True)
class Model:
    """A model found: its files may still have to be fetched (`folder` None) but its config is known.

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

    Reads the config alone: from the folder, from the Hugging Face cache, or (a few kilobytes) from the hub. Raises
    `InputError` for a name that means nothing and `EngineError` when the model is neither here nor to be had.
    """
    if wanted and (folder := _as_folder(wanted)) is not None:
        return _from_folder(folder)
    if wanted and wanted.count("/") == 1 and wanted not in RELEASED:
        return _from_hub(wanted)
    candidates = _by_short_name(wanted) if wanted else RELEASED[:2]
    if not candidates:
        raise InputError(f"There is no model “{wanted}”: use {', '.join(map(_short, RELEASED))}, or a folder.")
    return _from_hub(_largest_that_fits(candidates, dtype, free_bytes))


def fetch(model: Model) -> Path:
    """The folder with all of the model's files; downloads what is missing. Raises `EngineError`."""
    if model.folder is not None:
        return model.folder
    from huggingface_hub import snapshot_download

    with _speaking_of(model.name):
        try:
            folder = Path(snapshot_download(model.name, revision=model.revision, local_files_only=True))
        except FileNotFoundError:
            folder = None
        if folder is None or not _complete(folder):
            _check_network()
            folder = Path(snapshot_download(model.name, revision=model.revision))
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
    for weights in sorted(folder.rglob("*.safetensors")):
        digest.update(_sample(weights))
    return _described(folder.name, f"{folder.name}#{digest.hexdigest()}", folder, None, config)


def _from_hub(name: str) -> Model:
    from huggingface_hub import hf_hub_download

    with _speaking_of(name):
        try:
            path = Path(hf_hub_download(name, "config.json", local_files_only=True))
        except FileNotFoundError:
            _check_network()
            path = Path(hf_hub_download(name, "config.json"))
    revision = path.parent.name
    return _described(name, f"{name}@{revision}", None, revision, _read_config(path))


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


def _complete(folder: Path) -> bool:
    return (
        all((folder / name).is_file() for name in _COMPLETE)
        and any(folder.glob("*.safetensors"))
        and any((folder / "speech_tokenizer").glob("*.safetensors"))
    )


@contextmanager
def _speaking_of(name: str) -> Iterator[None]:
    """Say in one line what the hub's client would say in a page."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise InputError(f"There is no model {name} on huggingface.co; use one of {_names()}, or a folder.") from error
    except OSError as error:  # every failure of network, disk or cache that the client knows is one
        cause = str(error).strip().partition("\n")[0][:120] or type(error).__name__
        raise EngineError(
            f"The model {name} is not on this machine and cannot be fetched ({cause}). Either download it on another "
            f"machine (hf download {name} --local-dir FOLDER) and use --model FOLDER, or use an embedded voice "
            "(--engine openjtalk or espeak)."
        ) from error


def _check_network() -> None:
    """Raises `ConnectionError` when the hub cannot be reached: its client would try for 20 seconds, and print pages."""
    import urllib.error
    import urllib.request

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=10).close()
    except urllib.error.HTTPError:
        return
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionError | TimeoutError | socket.gaierror):
            raise ConnectionError("no network") from error
    except TimeoutError as error:
        raise ConnectionError("no network") from error
