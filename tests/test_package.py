"""What is handed out: a wheel and a source archive that are whole, the same bytes twice, and run without a checkout."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import narrate
from benchmarks import install

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = sorted(path.name for path in (ROOT / "samples").iterdir())
A_DAY = "1767225600"  # 2026-01-01, as SOURCE_DATE_EPOCH


def run(*command: object, cwd: Path, **environment: str) -> str:
    """What a program prints. It sees of the environment what pip needs, and nothing of narrate's."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("PIP_")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, target: Path, *, date: str = A_DAY) -> dict[str, Path]:
    """The wheel (from the source archive) and the source archive, by the ending of their names."""
    run(
        *(sys.executable, "-m", "build", "--no-isolation", source, "-o", target),
        cwd=target.parent,
        SOURCE_DATE_EPOCH=date,
        HOME=str(target.parent),
    )
    return {path.suffix: path for path in target.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(ROOT, tmp_path_factory.mktemp("build") / "dist")


@pytest.fixture(scope="module")
def wheel(built: dict[str, Path]) -> Path:
    return built[".whl"]


@pytest.fixture(scope="module")
def sources(built: dict[str, Path]) -> list[str]:
    """The files of the source archive, as they are named in a checkout."""
    with tarfile.open(built[".gz"]) as archive:
        return sorted(name.partition("/")[2] for name in archive.getnames())


def test_the_wheel_holds_the_package_the_samples_and_the_manual_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "narrate").rglob("*.py")}
    assert modules <= names
    assert {f"narrate/samples/{name}" for name in SAMPLES} <= names
    assert {"narrate/py.typed", "narrate/server/page/index.html"} <= names
    (data,) = (name.partition("/")[0] for name in names if name.endswith("share/man/man1/narrate.1"))
    others = {name for name in names if not name.startswith(("narrate/", data, data.replace(".data", ".dist-info")))}
    assert others == set()


def test_the_source_archive_is_what_is_under_version_control(sources: list[str]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    kept = run("git", "ls-files", cwd=ROOT).splitlines()
    new = run("git", "ls-files", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    assert set(sources) - set(new) - {"PKG-INFO"} == set(kept)


def test_the_source_archive_has_what_the_tests_need(sources: list[str]) -> None:
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert tests | {"pyproject.toml", "README.md", ".ci/run", "man/narrate.1", "benchmarks/install.py"} <= set(sources)


def test_the_index_would_take_both(built: dict[str, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *built.values(), cwd=tmp_path)


def test_the_same_files_become_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    """Also elsewhere, from files with another date and other permissions."""
    with tarfile.open(built[".gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (elsewhere,) = tmp_path.iterdir()
    for path in elsewhere.rglob("*"):
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o700)
            os.utime(path, (1, 1))
    again = build(elsewhere, tmp_path / "dist")
    assert {path.name: _digest(path) for path in again.values()} == {
        path.name: _digest(path) for path in built.values()
    }


def test_the_date_is_what_was_asked_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(2026, 1, 1)}


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed beside this environment, whose packages it uses."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, wheel, cwd=folder)
    return folder


def test_it_runs_in_an_empty_home_without_a_checkout(unpacked: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PYTHONPATH": str(unpacked), "HOME": str(home)}
    find = "import narrate.folders as folders; print(folders.__file__); print(folders.samples())"
    module, samples = run(sys.executable, "-c", find, cwd=home, **environment).splitlines()
    assert Path(module).is_relative_to(unpacked)
    assert sorted(path.name for path in Path(samples).iterdir()) == SAMPLES
    command = unpacked / "bin" / "narrate"
    assert run(command, "--version", cwd=home, **environment).split()[-1] == narrate.__version__
    run(command, Path(samples) / "lighthouse.en.txt", "-e", "espeak", "-o", "out.wav", cwd=home, **environment)
    assert install.seconds(home / "out.wav") > 60


@pytest.mark.long
def test_it_installs_into_a_new_environment_and_reads_a_sample(wheel: Path, tmp_path: Path) -> None:
    """As a person would, from the index, with nothing but the wheel."""
    try:
        found = list(install.measure(wheel, sys.executable, ("",), tmp_path))
    except install.NoIndex as error:
        pytest.skip(f"the package index cannot be reached: {error}")
    assert [line.extra for line in found] == [""]
    assert found[0].sound_seconds > 60


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
