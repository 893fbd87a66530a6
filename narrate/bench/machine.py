"""The machine that numbers come from, and how much of it is in use. What cannot be found out here is None."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

PACKAGES = ("numpy", "espeakng-loader", "pyopenjtalk-plus", "torch", "transformers", "qwen-tts")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Machine:
    """As JSON has it."""

    system: str
    processor: str
    cores: int | None
    memory_gb: float | None
    gpu: str | None
    python: str
    packages: dict[str, str]


def describe() -> Machine:
    packages = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    return Machine(
        f"{platform.system()} {platform.release()}",
        _processor(),
        os.cpu_count(),
        _memory_gb(),
        _gpu(),
        platform.python_version(),
        packages,
    )


def commit() -> str | None:
    """The commit that the running code is at, "+" if it was changed since; None where that is not known."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here)]
    with suppress(OSError, subprocess.SubprocessError):
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True)
        if tracked.returncode == 0:
            name = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
            changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", str(here.parent)], capture_output=True)
            return name.stdout.strip() + "+" * bool(changed.returncode)
    return None


def memory_bytes(*, children: bool = True) -> int | None:
    """What this process has in memory now, and its children."""
    try:
        own = _resident("self")
    except OSError:
        return _peak_bytes()
    return own + sum(_resident(child) for child in _children("self") if children)


def _resident(process: str) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE


def _children(process: str) -> list[str]:
    found: list[str] = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(OSError):
            found += (thread / "children").read_text().split()
    return found


def _peak_bytes() -> int | None:
    """Where the present use is not known: the most so far."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    with suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PHYS_PAGES") * PAGE / 1e9, 1)
    return None


def _gpu() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.splitlines()
        return ", ".join(found) or None
    return None


@dataclass(slots=True)
class Gpu:
    """Watches the GPU, if there is one, while the block runs: memory in use (MB) and how busy it is (percent)."""

    megabytes: list[float] = field(default_factory=list, init=False)
    busy: list[float] = field(default_factory=list, init=False)
    _watcher: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _notes: IO[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Gpu:
        if shutil.which("nvidia-smi") is not None:
            self._notes = TemporaryFile()
            query = "--query-gpu=memory.used,utilization.gpu --format=csv,noheader,nounits --loop-ms=500"
            self._watcher = subprocess.Popen(
                ["nvidia-smi", *query.split()], stdout=self._notes, stderr=subprocess.DEVNULL
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is None or self._notes is None:
            return
        self._watcher.terminate()
        self._watcher.wait()
        self._notes.seek(0)
        for line in self._notes.read().decode("ascii", "replace").splitlines():
            with suppress(ValueError):
                megabytes, busy = map(float, line.split(","))
                self.megabytes.append(megabytes)
                self.busy.append(busy)
        self._notes.close()
