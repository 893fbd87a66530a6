"""A driver that is too old for torch's CUDA is called that, before anything is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from narrate.engines import driver
from narrate.engines.driver import TorchBuild, driver_version, too_old, torch_build
from narrate.engines.qwen.hardware import choose_device
from narrate.engines.table import without_gpu

CUDA_13 = TorchBuild("2.13.0+cu130", "13.0", None)
LOADED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version: 12\n"


@pytest.mark.parametrize(
    ("found", "torch", "fits"),
    [
        ("580.65.06", CUDA_13, True),
        ("579.99", CUDA_13, False),
        ("535.104.05", CUDA_13, False),
        ("535.104.05", TorchBuild("2.9.0+cu126", "12.6", None), True),
        ("524.1", TorchBuild("2.9.0+cu126", "12.6", None), False),
        ("600.1", CUDA_13, True),
        ("535.1", TorchBuild("3.0", "14.0", None), True),  # nobody knows: torch itself will say
        ("535.1", TorchBuild("2.13.0+cpu", None, None), True),
        ("535.1", TorchBuild("2.13.0", None, "6.4"), True),
        (None, CUDA_13, True),
        ("535.1", None, True),
    ],
)
def test_which_driver_runs_which_torch(found: str | None, torch: TorchBuild | None, fits: bool) -> None:
    assert (too_old(found, torch) is None) == fits


def test_it_says_exactly_that_and_what_to_do() -> None:
    assert too_old("535.104.05", CUDA_13) == (
        "the NVIDIA driver 535.104.05 is too old for torch 2.13.0+cu130, which is for CUDA 13.0 and needs driver 580 "
        "or newer. Update the driver, or install a torch for CUDA 12: pip install --force-reinstall torch --index-url "
        "https://download.pytorch.org/whl/cu126"
    )
    assert str(too_old("390.1", CUDA_13)).endswith("Update the driver")


def test_the_driver_that_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a shell script")
    monkeypatch.setattr(driver, "LOADED", tmp_path / "version")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert driver_version() is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 571.96\necho 571.96\n")
    tool.chmod(0o755)
    assert driver_version() == "571.96"
    tool.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    assert driver_version() is None
    (tmp_path / "version").write_text(LOADED)
    assert driver_version() == "535.104.05"
    (tmp_path / "version").write_text("NVRM version: unknown\n")
    assert driver_version() is None


def test_an_old_driver_is_told_wherever_a_gpu_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package = tmp_path / "site" / "torch"
    (package / "lib").mkdir(parents=True)
    (package / "lib" / "libtorch_cuda.so").touch()
    (package / "__init__.py").write_text("raise ImportError('not to be imported')")
    (package / "version.py").write_text("__version__ = '2.13.0+cu130'\ncuda = '13.0'\nhip = None\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(driver, "LOADED", tmp_path / "version")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("narrate.engines.table.os.path.exists", lambda path: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert torch_build() == CUDA_13
    (tmp_path / "version").write_text(LOADED)
    assert "535.104.05 is too old for torch 2.13.0+cu130" in str(without_gpu())
    assert choose_device(None) == "cpu"
    assert "The NVIDIA driver 535.104.05 is too old" in caplog.text
    (tmp_path / "version").write_text(LOADED.replace("535.104.05", "580.95.05"))
    assert without_gpu() is None
