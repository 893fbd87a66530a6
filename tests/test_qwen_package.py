"""Which package holds the model's code: qwen-tts, or qwen-tts-hf, which is the same for transformers 5."""

from __future__ import annotations

import importlib.metadata

import pytest

from narrate.engines.qwen.loading import package_version
from narrate.errors import EngineError


def installed(monkeypatch: pytest.MonkeyPatch, **packages: str) -> None:
    """Only these packages are here, by name (with _ for -) and version."""

    def version(name: str) -> str:
        try:
            return packages[name.replace("-", "_")]
        except KeyError:
            raise importlib.metadata.PackageNotFoundError(name) from None

    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.parametrize("name", ["qwen_tts", "qwen_tts_hf"])
def test_either_package_will_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, torch="2.13.0", **{name: "0.1.1.post1"})
    assert package_version() == "0.1.1.post1"


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ({"torch": "2.13.0"}, "needs the package qwen-tts,"),
        ({"qwen_tts_hf": "0.1.1"}, "needs the package torch,"),
        ({"qwen_tts": "0.1.0", "torch": "2.13.0"}, "pads batches wrongly"),
    ],
)
def test_what_is_absent_or_too_old_is_said(
    packages: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, **packages)
    with pytest.raises(EngineError, match=said):
        package_version()
