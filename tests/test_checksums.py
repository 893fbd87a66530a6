"""Who gets a wheel can check that it is the one that was built, and by whom."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "checksums"

if not shutil.which("sha256sum"):
    pytest.skip("sha256sum is not here (apt install coreutils)", allow_module_level=True)


def run(*command: object, folder: Path, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=folder, input=said, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "narrate_aloud-1-py3-none-any.whl").write_bytes(b"wheel")
    (dist / "narrate_aloud-1.tar.gz").write_bytes(b"sources")
    (dist / "notes.txt").write_bytes(b"not handed out")
    return dist


def test_a_changed_file_is_found_out(folder: Path) -> None:
    assert run(SCRIPT, folder, folder=folder.parent).returncode == 0
    assert not (folder / "SHA256SUMS.sig").exists()
    sums = (folder / "SHA256SUMS").read_text()
    assert sums.count("\n") == 2
    assert "notes.txt" not in sums
    assert run("sha256sum", "--check", "SHA256SUMS", folder=folder).returncode == 0
    (folder / "narrate_aloud-1.tar.gz").write_bytes(b"something else")
    checked = run("sha256sum", "--check", "SHA256SUMS", folder=folder)
    assert checked.returncode == 1
    assert "narrate_aloud-1.tar.gz: FAILED" in checked.stdout


def test_a_signature_is_of_these_sums_and_of_this_person(folder: Path) -> None:
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not here (apt install openssh-client)")
    above = folder.parent
    for name in "publisher", "somebody":
        assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name, folder=above).returncode == 0
    (above / "allowed").write_text(f"publisher {(above / 'publisher.pub').read_text()}")
    verify = ("ssh-keygen", "-Y", "verify", "-f", above / "allowed", "-I", "publisher", "-n", "file", "-s")

    def verified(sums: str) -> bool:
        return run(*verify, folder / "SHA256SUMS.sig", folder=folder, said=sums).returncode == 0

    assert run(SCRIPT, "dist", "publisher", folder=above).returncode == 0
    sums = (folder / "SHA256SUMS").read_text()
    assert verified(sums)
    assert not verified(sums.replace("0", "1").replace("a", "b"))
    assert run(SCRIPT, "dist", "somebody", folder=above).returncode == 0
    assert not verified(sums)


def test_where_nothing_was_built_it_says_what_to_do(tmp_path: Path) -> None:
    done = run(SCRIPT, tmp_path, folder=tmp_path)
    assert done.returncode == 2
    assert "python -m build" in done.stderr
    assert not (tmp_path / "SHA256SUMS").exists()
