"""The processor that a model runs on when there is no GPU: how many cores are ours, and whether it computes bfloat16.

Nothing here imports torch, except on Windows, which does not tell what a processor can do. What the cores are counted
from is what the system says: the affinity of this process, which logical processors share a core, and the quota of the
control group that a container lives in (`docker run --cpus 1` leaves all processors in sight and takes the time away).
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

# Instructions that multiply bfloat16 numbers, as the kernels call them, the fastest first; and what people call them.
_BFLOAT16 = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "bf16": "ARM BF16"}

# The numbers of `mallopt` in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


@dataclass(frozen=True, slots=True)
class Processor:
    """`cores`: physical ones that this process may use, at most its quota. `quota`: processors' worth of time that a
    container may use, None if it is not limited. `bfloat16`: the instructions for it, None without."""

    name: str
    cores: int
    quota: float | None
    bfloat16: str | None

    @property
    def threads(self) -> int:
        """As many as there are cores: two threads on one core share its arithmetic, and those beyond the quota wait."""
        return self.cores

    @property
    def dtype(self) -> str:
        """The torch number type that is quickest here without being heard."""
        return "bfloat16" if self.bfloat16 else "float32"

    def __str__(self) -> str:
        """As `narrate doctor` says it: “AMD EPYC, 2 cores, no bfloat16 instructions”."""
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        limit = "" if self.quota is None else f" (a quota allows {self.quota:g})"
        instructions = f"bfloat16 by {self.bfloat16}" if self.bfloat16 else "no bfloat16 instructions"
        return f"{self.name}, {cores}{limit}, {instructions}"


@cache
def this_processor() -> Processor:
    """The processor that this process runs on, asked once."""
    if sys.platform == "linux":
        return on_linux(os.sched_getaffinity(0))
    if sys.platform == "darwin":
        return _on_mac()
    return _elsewhere()


def on_linux(allowed: Iterable[int], root: Path = Path("/")) -> Processor:
    """From /proc and /sys below `root`, for a process that may use the `allowed` logical processors."""
    described = _read(root / "proc/cpuinfo")
    quota = min(_quotas(root), default=None)
    return Processor(
        _field(described, "model name") or platform.machine() or "processor",
        _within(quota, _physical(set(allowed), root / "sys/devices/system/cpu")),
        quota,
        _instructions(f"{_field(described, 'flags')} {_field(described, 'Features')}".split()),
    )


def use_cores() -> None:
    """Let torch compute with `this_processor().threads`. What the user has set with `OMP_NUM_THREADS` stands."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(this_processor().threads)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, all in one place, for the next block of the same size.

    Else it gives large tensors back to the system and takes them anew, page by page, a dozen times in every frame: a
    fifth of the vocoder's time at ten rows, and a third at 32. Only GNU's library can be told.
    """
    with suppress(OSError, AttributeError):
        tell = ctypes.CDLL(None).mallopt
        tell(_ARENA_MAX, 1)
        tell(_TRIM_THRESHOLD, 2**30)
        if not tell(_MMAP_THRESHOLD, 2**30):
            tell(_MMAP_THRESHOLD, 2**25)  # the most that versions before 2.35 take


def _within(quota: float | None, cores: int) -> int:
    """A quota of 2.5 is two threads: a third would be stopped half of the time, and the others wait for it."""
    return cores if quota is None else max(1, min(cores, int(quota)))


def _physical(allowed: set[int], folder: Path) -> int:
    """How many cores the `allowed` logical processors are on; one of which nothing is known is a core of its own."""
    cores = set()
    for number in allowed:
        siblings = _read(folder / f"cpu{number}/topology/thread_siblings_list").strip()
        cores.add(siblings or str(number))
    return max(1, len(cores))


def _quotas(root: Path) -> Iterator[float]:
    """The limits of this process's control group and of all those around it, in processors."""
    for version, folder, top in _control_groups(root):
        while True:
            if (quota := _quota(version, folder)) is not None:
                yield quota
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent


def _control_groups(root: Path) -> Iterator[tuple[int, Path, Path]]:
    """Version, this process's own folder and the topmost visible one, for each hierarchy that limits processors.

    A container sees a part of the tree (the mount's root), but may be told its path in the whole.
    """
    paths = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or "cpu" in controllers.split(","):
            paths["" if number == "0" else "cpu"] = path
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        shown, mounted = before.split()[3:5]
        kind, _, options = after.split()[:3]
        name = {"cgroup2": "", "cgroup": "cpu"}.get(kind)
        if name is None or name not in paths or (name and name not in options.split(",")):
            continue
        top = root / mounted.lstrip("/")
        whole = PurePosixPath(paths[name])
        inside = whole.relative_to(shown) if whole.is_relative_to(shown) else PurePosixPath()
        yield (1 if name else 2), top / inside, top


def _quota(version: int, folder: Path) -> float | None:
    if version == 2:
        quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    else:
        quota, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _instructions(flags: Iterable[str]) -> str | None:
    known = set(flags)
    return next((name for flag, name in _BFLOAT16.items() if flag in known), None)


def _on_mac() -> Processor:
    """The quick cores of an Apple processor; the slow ones would be waited for."""
    cores = _asked("hw.perflevel0.physicalcpu") or _asked("hw.physicalcpu")
    name = _asked("machdep.cpu.brand_string") or platform.machine()
    has = _asked("hw.optional.arm.FEAT_BF16") == "1"
    return Processor(name, int(cores) if cores.isdigit() else os.cpu_count() or 1, None, "ARM BF16" if has else None)


def _asked(name: str) -> str:
    try:
        return subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _elsewhere() -> Processor:
    """Torch starts with as many threads as there are cores, and knows the instructions."""
    name = platform.processor() or platform.machine() or "processor"
    try:
        import torch

        flags = {flag for flag, has in torch.cpu.get_capabilities().items() if has is True}
    except (ImportError, AttributeError):  # an older torch knows the instructions too, but does not tell
        return Processor(name, os.cpu_count() or 1, None, None)
    return Processor(name, torch.get_num_threads(), None, _instructions(flags))


def _field(described: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.*)$", described, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
