"""What the model runs on: device, number type, memory. What is asked before loading does without importing torch."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress

from narrate.engines.driver import driver_version, too_old, torch_build
from narrate.engines.qwen.processor import this_processor
from narrate.errors import EngineError, InputError
from narrate.text.characters import with_capital

_log = logging.getLogger(__name__)

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def choose_device(wanted: str | None) -> str:
    """`wanted` checked, or the best there is: cuda (ROCm's too), then mps, then cpu."""
    if wanted and wanted != "auto":
        if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", wanted):
            raise InputError(f"--device {wanted} is unknown; use cuda, cuda:1 …, mps or cpu.")
        return wanted
    if _torch_has_gpu_code():
        if (why := too_old(driver_version(), torch_build())) is not None:
            _log.warning("%s.", with_capital(why))
            return "cpu"
        if _driver_free_bytes(0) is not None:
            return "cuda"
        if _torch_free_bytes(0) is not None:
            _log.warning("The GPU driver's own tool does not tell of a GPU that narrate may use, but torch finds one.")
            return "cuda"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def choose_dtype(device: str, wanted: str | None) -> str:
    """The torch number type by name: bfloat16 on CUDA (float16 overflows in this model) and on a processor that has
    it, float32 elsewhere."""
    if not wanted or wanted == "auto":
        if device == "cpu":
            return this_processor().dtype
        return "bfloat16" if device.startswith("cuda") else "float32"
    dtype = DTYPES.get(wanted, wanted)
    if dtype == "int8":
        if device != "cpu":
            raise InputError("--dtype int8 is for processors only; use bfloat16 on a graphics card, or --device cpu.")
    elif dtype not in DTYPES.values():
        raise InputError(f"--dtype {wanted} is unknown; use bfloat16, float16, float32, or int8 on a CPU.")
    return dtype


def choose_runtime(wanted: str, device: str | None) -> str:
    """`wanted` checked; "auto" is our own wherever it was tried, which Apple's GPUs are not."""
    if wanted not in ("auto", "fast", "compiled", "stock"):
        raise InputError(f"--runtime {wanted} is unknown; use auto, fast, compiled or stock.")
    if wanted != "auto":
        return wanted
    apple = device == "mps" or (sys.platform == "darwin" and device in (None, "auto"))
    return "stock" if apple else "fast"


def free_bytes(device: str) -> int | None:
    """Free memory of the device; None if it cannot be told."""
    if device.startswith("cuda"):
        number = int(device.partition(":")[2] or 0)
        free = _driver_free_bytes(number)
        return _torch_free_bytes(number) if free is None and _torch_has_gpu_code() else free
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def check_device(device: str) -> None:
    """Raises `EngineError` when torch (which is imported) cannot use the device after all."""
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        if (why := too_old(driver_version(), torch_build())) is not None:
            raise EngineError(f"--device {device} cannot be used: {why}.")
        raise EngineError(
            f"torch {torch.__version__} cannot use this GPU (it was built {'for' if torch.version.cuda else 'without'} "
            "CUDA): use --device cpu, or install torch for your GPU from https://pytorch.org/get-started"
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise EngineError(f"torch {torch.__version__} cannot use this Mac's GPU: use --device cpu.")


def is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA and ROCm have a type for it; MPS and the CPU say it in words."""
    import torch

    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "can't allocate memory" in words


def give_back_memory() -> None:
    """Return what torch holds unused. Call it when no exception is being handled: its traceback holds tensors."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def trim_heap() -> None:
    """Let glibc return freed memory to the system: batches of ever different shapes would leave it in pieces."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _torch_has_gpu_code() -> bool:
    """Whether the installed torch was built for CUDA or ROCm."""
    build = torch_build()
    return build is not None and bool(build.cuda or build.hip)


def _torch_free_bytes(number: int) -> int | None:
    """Free memory of torch's GPU of that number, as torch tells, which takes seconds to import; None without GPU.

    It knows of GPUs in a container without the driver's tool, and of parts of one (MIG), which that has other names
    for.
    """
    import torch

    if not torch.cuda.is_available() or number >= torch.cuda.device_count():
        return None
    free, _ = torch.cuda.mem_get_info(number)
    return int(free)


def _driver_free_bytes(number: int) -> int | None:
    """Free memory of torch's GPU of that number, as the driver's tool tells; None without GPU or tool."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [str(number)] if visible is None else visible.split(",")[number : number + 1]
    if names in ([], [""], ["-1"]):
        return None
    if tool := shutil.which("nvidia-smi"):
        answer = _ask([tool, f"--id={names[0]}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"])
        return int(answer) * 2**20 if answer.isdigit() else None
    if tool := shutil.which("rocm-smi"):
        rows = _ask([tool, "--showmeminfo", "vram", "--csv"]).splitlines()
        numbers = [int(cell) for cell in rows[-1].split(",") if cell.isdigit()] if rows else []
        return numbers[0] - numbers[1] if len(numbers) == 2 else None
    return None


def _ask(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
