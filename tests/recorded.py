"""Sound devices whose sound can be read back, for programs run by tests: an ALSA file device and a PulseAudio server.

PortAudio reads its environment when it is imported, so what plays must be a process of its own, run with `env`.
In it the recorder is the default device.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from narrate.clip import Samples

ALSA = Path("/usr/share/alsa/alsa.conf")
TAPE = Path(__file__).with_name("tape.py")
PATIENCE = 20.0  # seconds to wait for another process, on a busy machine


@dataclass(frozen=True, slots=True)
class Recorder:
    """`env`: for the program that plays. `device`: the recorder's name there, which is also the default."""

    env: dict[str, str]
    device: str
    raw: Path
    server: subprocess.Popen[bytes] | None = None

    def read(self) -> Samples:
        """All that was played, once the program that played it has ended."""
        _wait(lambda: Path(f"{self.raw}.end").exists(), "the tape's end")
        return np.fromfile(self.raw, dtype="<f4")

    def times(self) -> list[tuple[float, int]]:
        """When (CLOCK_MONOTONIC) sound arrived, and how many samples in all by then."""
        lines = Path(f"{self.raw}.times").read_text().splitlines(keepends=True)
        rows = [line.split() for line in lines if line.endswith("\n")]
        counts = np.cumsum([int(count) // 4 for _, count in rows])
        return [(float(when), int(count)) for (when, _), count in zip(rows, counts, strict=True)]


def alsa_recorder(folder: Path, *, paced: bool, sample_rate: int = 24000) -> Recorder:
    """An ALSA device that keeps every sample as it came; `paced`: in real time, otherwise as fast as it is fed.

    It never runs dry, and what it was given cannot be taken back: ALSA may end a program that aborts its stream.
    """
    if ctypes.util.find_library("portaudio") is None or not ALSA.exists():
        pytest.skip("PortAudio is not installed (apt install libportaudio2)")
    raw = folder / "played.raw"
    tape = f"|{sys.executable} -I -S {TAPE} {raw}" + (f" {sample_rate * 4}" if paced else "")
    conf = folder / "asound.conf"
    conf.write_text(
        f"""
        pcm.narrate_test {{
          type plug
          slave {{
            pcm {{ type file  slave.pcm {{ type null }}  file "{tape}"  format raw }}
            format FLOAT_LE  rate {sample_rate}  channels 1
          }}
        }}
        pcm.!default {{ type plug  slave.pcm "narrate_test" }}
        """
    )
    return Recorder({**os.environ, "ALSA_CONFIG_PATH": f"{ALSA}:{conf}"}, "narrate_test", raw)


@contextmanager
def pulse_recorder(sample_rate: int = 24000) -> Iterator[Recorder]:
    """A PulseAudio server with a null sink: real time, can run dry, drops what it is told to drop, and can be killed.

    What it records begins with the silence before the first sound.
    """
    needed = ("pulseaudio", "pactl", "parec")
    plugins = Path("/usr/share/alsa/alsa.conf.d/pulse.conf")
    if not all(map(shutil.which, needed)) or not plugins.exists() or ctypes.util.find_library("portaudio") is None:
        pytest.skip(
            "PulseAudio is not installed (apt install libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils)"
        )
    with tempfile.TemporaryDirectory(prefix="pulse-") as name:  # a socket's path must be short
        folder = Path(name)
        conf = folder / "asound.conf"
        conf.write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\npcm.pulse { type pulse }\n")
        here = {
            "XDG_RUNTIME_DIR": name,
            "PULSE_SERVER": f"unix:{name}/pulse.sock",
            "PULSE_COOKIE": f"{name}/cookie",
            "ALSA_CONFIG_PATH": f"{ALSA}:{conf}",
        }
        env = {**os.environ, **here}
        server = subprocess.Popen(_server(name, sample_rate), env={**env, "HOME": name})
        tape = None
        try:
            _wait(lambda: not subprocess.run(["pactl", "info"], env=env, capture_output=True).returncode, "PulseAudio")
            tape = _parec(folder, env, sample_rate)
            yield Recorder(env, "pulse", folder / "played.raw", server)
        finally:
            server.kill()
            server.wait()
            if tape is not None:
                tape.wait()


def _wait(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def _parec(folder: Path, env: dict[str, str], sample_rate: int) -> subprocess.Popen[bytes]:
    """A tape running on what the null sink plays. It ends with the server."""
    raw = folder / "played.raw"
    form = f"--raw --format=float32le --rate={sample_rate} --channels=1 --latency-msec=20"
    listen = subprocess.Popen(["parec", "-d", "narrate.monitor", *form.split()], env=env, stdout=subprocess.PIPE)
    tape = subprocess.Popen([sys.executable, "-I", "-S", TAPE, raw], stdin=listen.stdout)
    assert listen.stdout is not None
    listen.stdout.close()
    _wait(lambda: raw.exists() and raw.stat().st_size, "the first sound from PulseAudio")
    return tape


def _server(folder: str, sample_rate: int) -> list[str]:
    alone = "-n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --disable-shm=yes --log-level=error"
    return [
        "pulseaudio",
        *alone.split(),
        "-L",
        f"module-native-protocol-unix socket={folder}/pulse.sock auth-anonymous=1",
        "-L",  # norewinds: else the first tenth of a second may be lost
        f"module-null-sink sink_name=narrate rate={sample_rate} channels=1 format=float32le norewinds=1",
    ]
