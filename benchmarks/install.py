"""What an installation takes: `python benchmarks/install.py dist/*.whl [--python python3.12] [--extras ,ja]`.

For each Python and each extra: a new environment, the wheel with what it needs, a sample to a file in an empty home.
`--with PACKAGE` is installed first, such as torch==2.13.0 or av==18.1.0. Sizes are the files of the environment without
pip; how long an installation takes depends on what pip keeps at hand. A table, then one line of JSON.
Needs nothing but Python, so that it runs where nothing is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MEGABYTE = 1e6
SAMPLES = {"": "lighthouse.en.txt", "ja": "umbrella.ja.txt"}  # extra → what its voice reads
TRIED = ("numpy", "av", "torch", "qwen-tts", "pyopenjtalk-plus")
SHOW = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
SPEAK = (
    "import narrate; samples, rate = narrate.synthesize('It was a dark night.', engine='espeak'); assert len(samples)"
)


class NoIndex(Exception):
    """The package index does not answer."""


@dataclass(frozen=True)
class Line:
    """One installation: what it took, what it weighs, and how long it then needs for a sample."""

    python: str
    extra: str
    packages: int
    megabytes: float
    install_seconds: float
    start_seconds: float
    sample_seconds: float
    sound_seconds: float
    versions: dict[str, str]


def measure(wheel: Path, python: str, extras: Sequence[str], folder: Path, first: Sequence[str] = ()) -> Iterator[Line]:
    """A line for each extra. Raises `NoIndex`, and `CalledProcessError` for what does not work."""
    if not _reachable(python, folder):
        raise NoIndex("pip found nothing")
    for extra in extras:
        yield _measure(wheel, python, extra, folder / f"with-{extra or 'nothing'}", first)


def seconds(path: Path) -> float:
    """The length of a WAV file."""
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


def _reachable(python: str, folder: Path) -> bool:
    inside = str(_environment(python, folder / "probe") / "python")
    ask = [inside, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder / "probe"), "platformdirs"]
    return subprocess.run(ask, capture_output=True, check=False).returncode == 0


def _environment(python: str, folder: Path) -> Path:
    """A new environment. Returns the folder of its programs."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    return folder / ("Scripts" if os.name == "nt" else "bin")


def _measure(wheel: Path, python: str, extra: str, folder: Path, first: Sequence[str]) -> Line:
    home = folder / "home"
    home.mkdir(parents=True)
    programs = _environment(python, folder / "venv")
    inside = str(programs / "python")
    begin = time.monotonic()
    for packages in first, [f"{wheel}[{extra}]" if extra else str(wheel)]:
        if packages:
            subprocess.run([inside, "-m", "pip", "install", "-q", *packages], check=True)
    installed = time.monotonic() - begin
    narrate = str(programs / "narrate")
    started, _ = _timed([narrate, "--version"], home)
    sample = _samples(inside, home) / SAMPLES.get(extra, SAMPLES[""])
    voice = "openjtalk" if extra == "ja" else "espeak"
    read, _ = _timed([narrate, str(sample), "-e", voice, "-o", "sample.wav"], home)
    _timed([narrate, str(sample), "-e", voice, "-o", "sample.m4b"], home)
    _timed([inside, "-c", SPEAK], home)
    versions = json.loads(_timed([inside, "-c", SHOW], home)[1])
    line = Line(
        python=_timed([inside, "-c", "import platform; print(platform.python_version())"], home)[1].strip(),
        extra=extra,
        packages=len(versions.keys() - {"pip", "setuptools"}),
        megabytes=round(_bytes(folder / "venv") / MEGABYTE, 1),
        install_seconds=round(installed, 1),
        start_seconds=round(started, 2),
        sample_seconds=round(read, 2),
        sound_seconds=round(seconds(home / "sample.wav"), 1),
        versions={name: versions[name] for name in TRIED if name in versions},
    )
    shutil.rmtree(folder)
    return line


def _timed(command: list[str], home: Path) -> tuple[float, str]:
    """How long a command takes in an empty home, in seconds, and what it prints."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    places = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    begin = time.monotonic()
    done = subprocess.run(command, cwd=home, env={**kept, **places}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return time.monotonic() - begin, done.stdout


def _samples(python: str, home: Path) -> Path:
    return Path(_timed([python, "-c", "import narrate.folders; print(narrate.folders.samples())"], home)[1].strip())


def _bytes(environment: Path) -> int:
    return sum(
        path.stat().st_size
        for path in environment.rglob("*")
        if path.is_file() and not path.is_symlink() and not {"pip", "setuptools"} & set(path.parts)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", action="append", help="an interpreter; may be given several times")
    parser.add_argument("--extras", default=",ja", help="extras with commas between them; the empty one is none")
    parser.add_argument("--with", dest="first", action="append", default=[], metavar="PACKAGE")
    asked = parser.parse_args()
    found: list[Line] = []
    print(f"{'Python':8} {'extra':10} {'packages':>8} {'MB':>7} {'install':>8} {'start':>7} {'sample':>7} {'sound':>7}")
    for python in asked.python or [sys.executable]:
        with tempfile.TemporaryDirectory() as folder:
            for line in measure(asked.wheel.resolve(), python, asked.extras.split(","), Path(folder), asked.first):
                print(
                    f"{line.python:8} {line.extra or '-':10} {line.packages:8} {line.megabytes:7.1f} "
                    f"{line.install_seconds:6.1f} s {line.start_seconds:5.2f} s {line.sample_seconds:5.2f} s "
                    f"{line.sound_seconds:5.1f} s  {' '.join(f'{name} {of}' for name, of in line.versions.items())}",
                    flush=True,
                )
                found.append(line)
    machine = {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()}
    print(json.dumps({**machine, "installations": [asdict(line) for line in found]}))


if __name__ == "__main__":
    main()
