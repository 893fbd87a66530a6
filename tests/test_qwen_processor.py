"""How many cores are ours and what they compute with, from what Linux says: affinity, siblings, control groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from narrate.engines.qwen.processor import Processor, on_linux

UNLIMITED_V1 = "-1\n"


def a_machine(
    root: Path, flags: str = "fpu avx2", processors: int = 8, siblings: int = 2, *, arm: bool = False
) -> Path:
    """/proc and /sys of a machine whose logical processors n and n + half of them share a core."""
    field = "Features" if arm else "flags"
    name = "" if arm else "model name\t: AMD EPYC 9R14\n"
    put(root / "proc/cpuinfo", f"processor\t: 0\n{name}{field}\t\t: {flags}\n\nprocessor\t: 1\n")
    cores = processors // siblings
    for number in range(processors):
        shared = ",".join(str(one) for one in range(number % cores, processors, cores))
        put(root / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list", shared + "\n")
    return root


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def cgroup_2(root: Path, path: str = "/", shown: str = "/") -> None:
    put(root / "proc/self/cgroup", f"0::{path}\n")
    put(root / "proc/self/mountinfo", f"30 23 0:26 {shown} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n")


def test_threads_are_physical_cores(tmp_path: Path) -> None:
    found = on_linux(range(8), a_machine(tmp_path))
    assert found == Processor("AMD EPYC 9R14", cores=4, quota=None, bfloat16=None)
    assert (found.threads, found.dtype) == (4, "float32")
    assert str(found) == "AMD EPYC 9R14, 4 cores, no bfloat16 instructions"


@pytest.mark.parametrize(
    ("allowed", "cores"), [([0], 1), ([0, 4], 1), ([0, 1], 2), ([1, 2, 6], 2), (range(4), 4), ([], 1)]
)
def test_affinity_is_honoured(tmp_path: Path, allowed: list[int], cores: int) -> None:
    assert on_linux(allowed, a_machine(tmp_path)).cores == cores


def test_where_nothing_is_said_of_siblings_each_processor_is_a_core(tmp_path: Path) -> None:
    assert on_linux(range(3), tmp_path).cores == 3


@pytest.mark.parametrize(
    ("limit", "quota", "cores"),
    [("100000 100000", 1.0, 1), ("250000 100000", 2.5, 2), ("50000 100000", 0.5, 1), ("800000 100000", 8.0, 4),
     ("max 100000", None, 4)],
)  # fmt: skip
def test_the_quota_of_a_container_is_honoured(tmp_path: Path, limit: str, quota: float | None, cores: int) -> None:
    cgroup_2(a_machine(tmp_path))
    put(tmp_path / "sys/fs/cgroup/cpu.max", f"{limit}\n")
    found = on_linux(range(8), tmp_path)
    assert (found.quota, found.cores) == (quota, cores)


def test_the_narrowest_of_all_groups_around_counts(tmp_path: Path) -> None:
    cgroup_2(a_machine(tmp_path), "/user.slice/reader.service")
    put(tmp_path / "sys/fs/cgroup/user.slice/cpu.max", "300000 100000\n")
    put(tmp_path / "sys/fs/cgroup/user.slice/reader.service/cpu.max", "max 100000\n")
    assert on_linux(range(8), tmp_path).quota == 3.0
    put(tmp_path / "sys/fs/cgroup/user.slice/reader.service/cpu.max", "150000 100000\n")
    assert on_linux(range(8), tmp_path).quota == 1.5


@pytest.mark.parametrize("shown", ["/docker/4f", "/"])
def test_quotas_of_the_first_version(tmp_path: Path, shown: str) -> None:
    """A container without a namespace of its own is told its path on the host, of which it sees the end only."""
    a_machine(tmp_path)
    put(tmp_path / "proc/self/cgroup", "5:memory:/docker/4f\n4:cpu,cpuacct:/docker/4f\n1:name=systemd:/docker/4f\n")
    put(
        tmp_path / "proc/self/mountinfo",
        f"41 30 0:31 {shown} /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
        f"42 30 0:32 {shown} /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n",
    )
    folder = tmp_path / "sys/fs/cgroup/cpu,cpuacct" / ("" if shown != "/" else "docker/4f")
    put(folder / "cpu.cfs_period_us", "100000\n")
    put(folder / "cpu.cfs_quota_us", UNLIMITED_V1)
    assert on_linux(range(8), tmp_path).quota is None
    put(folder / "cpu.cfs_quota_us", "200000\n")
    found = on_linux(range(8), tmp_path)
    assert (found.quota, found.cores) == (2.0, 2)
    assert "2 cores (a quota allows 2)" in str(found)


@pytest.mark.parametrize(
    ("flags", "arm", "name"),
    [("fma avx512f avx512_bf16", False, "AVX512-BF16"), ("avx512_bf16 amx_bf16", False, "AMX"),
     ("fp asimd bf16 i8mm", True, "ARM BF16"), ("fma avx2 avx512f", False, None)],
)  # fmt: skip
def test_bfloat16_only_where_there_are_instructions_for_it(
    tmp_path: Path, flags: str, arm: bool, name: str | None
) -> None:
    found = on_linux([0], a_machine(tmp_path, flags, arm=arm))
    assert (found.bfloat16, found.dtype) == (name, "bfloat16" if name else "float32")


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OMP_NUM_THREADS": "2"}, "2")])
def test_torch_gets_the_threads(given: dict[str, str], threads: str) -> None:
    """A process bound to one processor computes with one thread, unless the user says otherwise."""
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "from narrate.engines.qwen.processor import use_cores; use_cores();"
        "import torch; print(torch.get_num_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | given
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == threads


def test_asking_imports_no_torch() -> None:
    if sys.platform == "win32":
        pytest.skip("Windows does not tell what a processor can do")
    program = (
        "import sys; from narrate.engines.qwen.processor import this_processor as ask; ask();"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_threads_that_wait_do_not_keep_their_core() -> None:
    """The OpenMP library reads this when torch is imported, so it is set before."""
    pytest.importorskip("torch", reason="the qwen extra is not installed")
    program = (
        "import os, sys; sys.modules['qwen_tts'] = None\n"
        "from narrate.engines.qwen import loading\n"
        "try: loading.import_package()\n"
        "except Exception: print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    for given, expected in [({}, "10000"), ({"GOMP_SPINCOUNT": "5"}, "5")]:
        environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.stdout.split() == [expected, "False"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of other systems cannot be told")
def test_large_tensors_are_not_given_back_to_the_system_and_taken_anew() -> None:
    """Also in a thread, as in a reading: each would be a page fault for every four kilobytes."""
    code = """
import resource, threading, torch
from narrate.engines.qwen.processor import keep_freed_memory
keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def run():
    faults()
    print(faults())
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2_000, "it would be 400,000"
