"""Whether the driver of an NVIDIA GPU is new enough for the CUDA that torch was built for. Imports no torch."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from narrate.packages import pip_install

OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""By the first number of CUDA. Source: NVIDIA, CUDA Compatibility, "minor version compatibility"."""
WHEELS = {11: "cu118", 12: "cu126"}
"""The folders of download.pytorch.org/whl that hold torch for an earlier CUDA."""
LOADED = Path("/proc/driver/nvidia/version")


class TorchBuild(NamedTuple):
    """What torch was built for: "13.0" for CUDA 13, "6.4" for ROCm; None for what it does not have."""

    version: str
    cuda: str | None
    hip: str | None


def torch_build() -> TorchBuild | None:
    """What torch's version.py says, a file of six lines; None if torch is not installed."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return None
    path = Path(torch.origin).with_name("version.py")
    spec = importlib.util.spec_from_file_location("torch_version", path)
    if spec is None or spec.loader is None or not path.is_file():
        return None
    said = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(said)
    names = ("__version__", "cuda", "hip")
    version, cuda, hip = (getattr(said, name, None) for name in names)
    return TorchBuild(str(version or "?"), cuda, hip)


def driver_version() -> str | None:
    """The version of the driver that is loaded, as "580.95.05"; None if there is none."""
    try:
        found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", LOADED.read_text(encoding="utf-8"))
    except OSError:
        found = None
    if found is not None:
        return found[0]
    if (tool := shutil.which("nvidia-smi")) is None:
        return None
    found = re.match(r"\d{3}\.[\d.]+", answer_of([tool, "--query-gpu=driver_version", "--format=csv,noheader"]))
    return found[0] if found is not None else None


def answer_of(command: Sequence[str]) -> str:
    """What a program prints about the GPUs; "" if it cannot."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def too_old(driver: str | None, torch: TorchBuild | None) -> str | None:
    """That the driver cannot run this torch, why, and what to do; None if it can, or nobody knows."""
    if driver is None or torch is None or not torch.cuda:
        return None
    number, wanted = int(driver.partition(".")[0]), int(torch.cuda.partition(".")[0])
    oldest = OLDEST_DRIVER.get(wanted)
    if oldest is None or number >= oldest:
        return None
    fitting = max((cuda for cuda in WHEELS if number >= OLDEST_DRIVER[cuda]), default=None)
    other = f", or install a torch for CUDA {fitting}: {_wheels(fitting)}" if fitting is not None else ""
    return (
        f"the NVIDIA driver {driver} is too old for torch {torch.version}, which is for CUDA {torch.cuda} and needs "
        f"driver {oldest} or newer. Update the driver{other}"
    )


def _wheels(cuda: int) -> str:
    return pip_install("torch", again=True) + f" --index-url https://download.pytorch.org/whl/{WHEELS[cuda]}"
