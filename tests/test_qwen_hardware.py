"""Device, number type and free memory, from what the machine's own tools say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from narrate.engines.qwen import Qwen
from narrate.engines.qwen.hardware import choose_device, choose_dtype, free_bytes
from narrate.engines.qwen.processor import this_processor


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's tool that knows of two GPUs, with 9 and 23 GiB free."""
    if sys.platform == "win32":
        pytest.skip("needs a shell script")
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\ncase "$1" in --id=0) echo 9216;; --id=1) echo 23552;; *) exit 6;; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("gpus")
def test_free_memory_of_the_gpu_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert free_bytes("cuda") == free_bytes("cuda:0") == 9 * 2**30
    assert free_bytes("cuda:1") == 23 * 2**30
    assert free_bytes("cuda:2") is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert free_bytes("cuda") == 23 * 2**30
    assert free_bytes("cuda:1") is None


def test_free_memory_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert free_bytes("cuda") is None
    memory = free_bytes("cpu")
    assert memory is None or memory > 10**8


def test_what_is_wanted_is_taken() -> None:
    assert choose_device("cuda:1") == "cuda:1"
    assert choose_device("cpu") == "cpu"
    assert choose_device(None) == choose_device("auto")
    assert choose_dtype("cuda", None) == "bfloat16"
    assert choose_dtype("cpu", "auto") == this_processor().dtype
    assert choose_dtype("cpu", "bf16") == "bfloat16"


@pytest.mark.usefixtures("gpus")
def test_a_gpu_is_of_no_use_to_a_torch_without_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told from torch's version file alone; a stand-in for the package comes first on the path."""
    package = tmp_path / "site" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('not to be imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    for cuda, device in [("None", "cpu"), ("'13.0'", "cuda")]:
        (package / "version.py").write_text(f"__version__ = '2.13.0'\ncuda = {cuda}\n")
        assert Qwen().device == device


TORCH = """
class cuda:
    is_available = staticmethod(lambda: {found})
    device_count = staticmethod(lambda: 1)
    mem_get_info = staticmethod(lambda number: (7 * 2**30, 40 * 2**30))
"""


@pytest.fixture
def torch_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """A torch for CUDA that finds a GPU or none, and no tool of the driver's."""
    package = tmp_path / "site" / "torch"
    package.mkdir(parents=True)
    (package / "version.py").write_text("cuda = '13.0'\n")
    (package / "__init__.py").write_text("raise ImportError('not to be imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setitem(sys.modules, "torch", sys)  # put back afterwards, whatever takes its place
    del sys.modules["torch"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield lambda found: (package / "__init__.py").write_text(TORCH.format(found=found)) and None
    sys.modules["torch"] = sys


@pytest.mark.parametrize("visible", [None, "MIG-9f0a", "0"])
def test_a_gpu_that_the_drivers_tool_does_not_know_is_found_and_that_is_said(
    torch_finds: Callable[[bool], None],
    visible: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch_finds(True)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert choose_device(None) == "cuda"
    assert "torch finds one" in caplog.text
    assert free_bytes("cuda") == 7 * 2**30
    assert free_bytes("cuda:1") is None


def test_no_gpu_anywhere_is_nothing_to_speak_of(
    torch_finds: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    torch_finds(False)
    assert choose_device(None) == "cpu"
    assert free_bytes("cuda") is None
    assert not caplog.records


@pytest.mark.usefixtures("gpus")
def test_what_the_drivers_tool_knows_is_not_said(
    torch_finds: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    assert choose_device(None) == "cuda"
    assert "torch" not in sys.modules
    assert not caplog.records
