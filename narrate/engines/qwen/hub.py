"""The weights of a model: whether they are here, how large they are, and how they come here. Only if somebody asks.

They lie in the cache of the hub's own client, so that other programs find them too, or in narrate's own folder if they
were copied there from a folder.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from narrate.errors import EngineError, InputError
from narrate.files import unique
from narrate.folders import home

LICENCE = "Apache-2.0"  # of all released models
SPARE_BYTES = 500_000_000  # of the disk are left free
_DOWNLOAD_BYTES = {"1.7B": 4.5e9, "0.6B": 2.5e9}  # about; the hub tells exactly
_COMPLETE = ("config.json", "generation_config.json", "tokenizer_config.json", "speech_tokenizer/config.json")
_UNUSED = ("*.md", "*.png", "*.jpg", ".gitattributes")
_PART = ".part"  # ends the name of a folder until all files are in it
_PIECE_BYTES = 4 << 20


def cache_folder() -> Path:
    """Where the hub's client keeps models, as its own rules say; told without importing it."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    base = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    return Path(os.path.expandvars(base)).expanduser() / "hub"


def found(name: str) -> Path | None:
    """The folder with all files of the model of that name on the hub; None if some are not here."""
    folder = config_folder(name)
    return folder if folder is not None and is_complete(folder) else None


def config_folder(name: str) -> Path | None:
    """The folder with at least the config of the model."""
    own = own_folder(name)
    if (own / "config.json").is_file():
        return own
    kept = cache_folder() / f"models--{name.replace('/', '--')}"
    try:
        folder = kept / "snapshots" / (kept / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return folder if (folder / "config.json").is_file() else None


def is_complete(folder: Path) -> bool:
    """True if a model can be loaded from the folder."""
    weights = ("model*.safetensors", "speech_tokenizer/model*.safetensors")
    return all((folder / name).is_file() for name in _COMPLETE) and all(any(folder.glob(each)) for each in weights)


def how_to_get(name: str) -> str:
    """What is needed and how to get it: one line."""
    short = name.rpartition("12Hz-")[2]
    size = f" ({size})" if (size := about_gigabytes(name)) else ""
    return (
        f"The weights of {name}{size} are not on this machine. `narrate setup --model {short}` fetches them into "
        f"{cache_folder()}; or name a folder that has them: --model FOLDER. The embedded voices need none: "
        "--engine espeak or openjtalk."
    )


def about_gigabytes(name: str) -> str:
    """The size of a released model; empty for others."""
    return next((f"{size / 1e9:.1f} GB" for key, size in _DOWNLOAD_BYTES.items() if f"-{key}-" in name), "")


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be fetched: `files` are names and bytes, of which `here` bytes are already on this machine."""

    name: str
    revision: str
    licence: str
    files: tuple[tuple[str, int], ...]
    folder: Path

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)

    @property
    def here(self) -> int:
        """Bytes that are already on this machine, halves of files too."""
        blobs = self.folder / "blobs"
        sizes = [path.stat().st_size for path in blobs.iterdir()] if blobs.is_dir() else []
        return min(self.bytes, sum(sizes))


def look_up(name: str) -> Download:
    """What the hub has under that name, and how large it is. Raises `InputError` if there is no such model, and
    `EngineError` if the hub cannot be asked."""
    from fnmatch import fnmatch

    with _speaking_of(name):
        _check_network()
        from huggingface_hub import HfApi

        info = HfApi().model_info(name, files_metadata=True)
    files = [
        (file.rfilename, int(file.size or 0))
        for file in info.siblings or ()
        if not any(fnmatch(file.rfilename, pattern) for pattern in _UNUSED)
    ]
    licence = getattr(info.card_data, "license", None) or (LICENCE if name.startswith("Qwen/Qwen3-TTS") else "unknown")
    folder = cache_folder() / f"models--{name.replace('/', '--')}"
    return Download(name, str(info.sha), str(licence), tuple(files), folder)


def fetch(download: Download) -> Path:
    """Fetch what is missing, going on where an earlier attempt broke off. Returns the folder. Raises `EngineError`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    with _speaking_of(download.name):
        # One file at a time: several would not come sooner, and more of them would be in pieces if it breaks off.
        folder = snapshot_download(
            download.name, revision=download.revision, ignore_patterns=list(_UNUSED), max_workers=1
        )
        main = download.folder / "refs" / "main"
        main.parent.mkdir(parents=True, exist_ok=True)
        main.write_text(download.revision, encoding="utf-8")
    if not is_complete(Path(folder)):
        raise EngineError(f"{download.name} has no files of a Qwen3-TTS model that can be loaded.")
    return Path(folder)


def copy_from(source: Path, name: str, told: Callable[[int], object] = lambda _: None) -> Path:
    """Copy the model in the folder `source` to narrate's own folder; `told` hears of every few bytes that are there.

    Raises `InputError` if the folder does not hold a whole model, and `EngineError` if it cannot be copied.
    """
    if not is_complete(source):
        missing = [each for each in _COMPLETE if not (source / each).is_file()] or ["its weights (*.safetensors)"]
        raise InputError(f"{source} does not hold a whole Qwen3-TTS model: {missing[0]} is missing.")
    target = own_folder(name)
    part = target.with_name(f"{target.name}.{unique()}{_PART}")
    try:
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            _copy(path, part / path.relative_to(source), told)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    except OSError as error:
        raise EngineError(f"{source} cannot be copied to {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _copy(source: Path, target: Path, told: Callable[[int], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file, target.open("wb") as copy:
        while piece := file.read(_PIECE_BYTES):
            copy.write(piece)
            told(len(piece))


def own_folder(name: str) -> Path:
    """Where a model lies that was copied from a folder."""
    return home() / "models" / name.replace("/", "--")


@contextmanager
def _speaking_of(name: str) -> Iterator[None]:
    """Say in one line what the hub's client would say in a page."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise InputError(f"There is no model {name} on the hub. Choose a released one, or name a folder.") from error
    except OSError as error:  # every failure of network, disk or cache that the client knows is one
        cause = str(error).strip().partition("\n")[0][:120] or type(error).__name__
        raise EngineError(
            f"{name} cannot be fetched ({cause}). Run the same command again to go on; or download it on another "
            f"machine (hf download {name} --local-dir FOLDER) and give the folder: narrate setup --from FOLDER"
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
