"""Load a Qwen3-TTS model with the `qwen-tts` package: quietly, and without the parts its 12 Hz models never call."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import types
from pathlib import Path
from typing import Any

from narrate.engines.qwen.hardware import check_device, is_out_of_memory
from narrate.engines.qwen.processor import keep_freed_memory, this_processor, use_cores
from narrate.errors import EngineError
from narrate.packages import pip_install

OLDEST = (0, 1, 1)  # 0.1.0 pads batches wrongly

_TOKENIZER_25HZ = "qwen_tts.core.tokenizer_25hz.modeling_qwen3_tts_tokenizer_v1"


def package_version() -> str:
    """The version of the installed `qwen-tts`, without importing it. Raises `EngineError` if absent or too old.

    `qwen-tts-hf` is the same package for transformers 5.
    """
    version = _version("qwen-tts") or _version("qwen-tts-hf")
    for name, found in ("qwen-tts", version), ("torch", _version("torch")):
        if found is None:
            raise EngineError(f"The qwen engine needs the package {name}, which is not installed; {_remedy()}")
    assert version is not None
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < OLDEST:
        raise EngineError(f"qwen-tts {version} pads batches wrongly and cannot be used; {_remedy()}")
    return version


def _remedy() -> str:
    return f"install it with: {pip_install('torch', 'qwen-tts>=0.1.1')}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def import_package() -> types.ModuleType:
    """The imported `qwen_tts` with `transformers` beneath it told to keep quiet. Raises `EngineError`."""
    package_version()
    # Lengths differ from batch to batch; without this the CUDA allocator fragments until an hour into a book it fails.
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Threads that wait for work look for it some microseconds, where they would for milliseconds: others may have use
    # for the core. The first is GNU's name for it (a count), the second LLVM's (milliseconds).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("KMP_BLOCKTIME", "1")
    _leave_out_25hz()
    try:
        package = importlib.import_module("qwen_tts")
        transformers = importlib.import_module("transformers")
    except (ImportError, OSError) as error:
        raise EngineError(f"The qwen-tts package cannot be loaded ({error}); {_remedy()}") from error
    transformers.logging.set_verbosity_error()
    return package


def _leave_out_25hz() -> None:
    """Put an empty class where the package looks for its 25 Hz tokenizer.

    Importing the real one runs `sox` in a shell, prints a banner about flash-attn, and needs a torchaudio built for
    exactly this torch; none of it is used by the released 12 Hz models. It also makes the import two seconds shorter.
    """
    if "qwen_tts" in sys.modules:
        return

    class Qwen3TTSTokenizerV1Model:
        def __init__(self, *_: object, **__: object) -> None:
            raise EngineError("Models with the 25 Hz tokenizer cannot be used; choose a 12 Hz model.")

    module = types.ModuleType(_TOKENIZER_25HZ, "The 25 Hz tokenizer, left out by narrate.")
    module.__dict__["Qwen3TTSTokenizerV1Model"] = Qwen3TTSTokenizerV1Model
    sys.modules.setdefault(_TOKENIZER_25HZ, module)


def load(folder: str | Path, device: str, dtype: str) -> Any:
    """The package's `Qwen3TTSModel` from a folder with all its files, in eval mode; nothing is fetched.

    `device` is a torch device ("cpu", "cuda", "cuda:1", "mps"), `dtype` a torch type by name ("bfloat16", "float32"),
    or on a CPU "int8": weights so rounded, and everything else in what suits the processor.
    `.model` of what is returned is the network, `.model.talker`, `.model.speech_tokenizer` and `.processor` its parts.
    Raises `EngineError` when the folder does not hold a model that the package can load.
    """
    package = import_package()
    torch = importlib.import_module("torch")
    check_device(device)
    computed = this_processor().dtype if dtype == "int8" else dtype
    # See stored.py: nothing is there twice, or wider than needed.
    as_stored = device == "cpu" and computed == "float32"
    if device == "cpu":
        use_cores()
        keep_freed_memory()
    progress = importlib.import_module("transformers.utils.logging")
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        model = package.Qwen3TTSModel.from_pretrained(
            str(folder),
            device_map=device,
            dtype="auto" if as_stored else getattr(torch, computed),
            attn_implementation="sdpa",
            local_files_only=True,
        )
    except Exception as error:  # the package, transformers and safetensors have no family of errors in common
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise EngineError(f"{folder} does not fit into memory: use --model 0.6B, or --device cpu.") from error
        cause = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EngineError(f"{folder} does not hold a Qwen3-TTS model that can be loaded: {cause}") from error
    finally:
        if shown:
            progress.enable_progress_bar()
    model.model.eval()
    if as_stored or dtype == "int8":
        from narrate.engines.qwen.stored import store

        store(model.model, getattr(torch, computed), int8=dtype == "int8")
        model.model.speech_tokenizer.model.to(getattr(torch, computed))
    return model
