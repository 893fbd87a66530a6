"""The speaker, on devices whose sound is read back: every sample, in order, once; plain words when they fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from narrate.clip import Samples, from_int16
from narrate.packages import how_to_install
from tests.recorded import Recorder, alsa_recorder, pulse_recorder

ROOT = Path(__file__).parents[1]
RATE = 24_000

# What the programs below begin with. Noise, so that no sample can take another's place; on the 16-bit grid.
BEGIN = """
import sys, threading, time
import numpy as np
from narrate.clip import Clip, from_int16
from narrate.text.document import Chunk
from narrate.sinks.portaudio import devices, find_device
from narrate.sinks.speaker import Speaker

def noise(seconds, seed=0):
    return from_int16(np.random.default_rng(seed).integers(-9000, 9000, int(seconds * 24000)).astype(np.int16))

CHUNK = Chunk(0, 0, "", "A.", "A.", "en", 0.0, 0, 2)

def write(speaker, samples, step=5000):
    for start in range(0, len(samples), step):
        speaker.write(Clip(CHUNK, samples[start:start + step], 24000))
"""
PLAY_THREE_SECONDS = """
with Speaker(24000) as speaker:
    write(speaker, noise(3))
print(speaker.gaps, speaker.heard_seconds)
"""


def noise(seconds: float, seed: int = 0) -> Samples:
    """The same as in `BEGIN`."""
    return from_int16(np.random.default_rng(seed).integers(-9000, 9000, int(seconds * RATE)).astype(np.int16))


def run(env: dict[str, str], program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BEGIN + program], env=env, cwd=ROOT, capture_output=True, text=True)


def start(env: dict[str, str], program: str) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", BEGIN + program], env=env, cwd=ROOT, text=True, **pipes)


def heard_on(recorder: Recorder) -> Samples:
    """What the server played, from the first sound to the last."""
    assert recorder.server is not None
    recorder.server.kill()  # the tape ends with it
    samples = recorder.read()
    sounding = np.flatnonzero(samples)
    return samples[sounding[0] : sounding[-1] + 1]


@pytest.mark.parametrize("paced", [False, True])
def test_every_sample_is_played_in_order_and_once(tmp_path: Path, paced: bool) -> None:
    recorder = alsa_recorder(tmp_path, paced=paced)
    ended = run(recorder.env, PLAY_THREE_SECONDS)
    assert (ended.stdout, ended.stderr) == ("0 3.0\n", "")
    played = recorder.read()
    assert np.array_equal(played[: 3 * RATE], noise(3))
    assert not played[3 * RATE :].any()


def test_a_sound_server_plays_all_to_the_end_and_a_gap_is_counted_if_there_was_one() -> None:
    """On a machine that is busy enough there is one, whoever plays."""
    with pulse_recorder() as recorder:
        ended = run(recorder.env, PLAY_THREE_SECONDS)
        gaps, seconds = ended.stdout.split()
        heard, wanted = heard_on(recorder), noise(3)
        assert (seconds, ended.stderr) == ("3.0", "")
        assert np.array_equal(heard[heard != 0], wanted[wanted != 0])
        assert (gaps == "0") == (len(heard) == len(wanted))


def test_a_gap_is_counted_once_unless_it_is_a_rest() -> None:
    program = """
with Speaker(24000) as speaker:
    time.sleep(0.4)  # opened early
    write(speaker, noise(0.5))
    time.sleep(0.8)
    write(speaker, noise(0.5, seed=1))
    print(speaker.gaps)
    speaker.rest()
    time.sleep(0.8)
    write(speaker, noise(0.5, seed=2))
    print(speaker.gaps)
"""
    with pulse_recorder() as recorder:
        ended = run(recorder.env, program)
        assert (ended.stdout, ended.stderr) == ("1\n1\n", "")
        heard = heard_on(recorder)
        wanted = [noise(0.5), noise(0.5, 1), noise(0.5, 2)]
        assert np.array_equal(heard[heard != 0], np.concatenate([part[part != 0] for part in wanted]))


def test_abort_from_another_thread_is_silence_at_once() -> None:
    program = """
with Speaker(24000) as speaker:
    def abort():
        speaker.abort()
    threading.Timer(0.7, abort).start()
    write(speaker, noise(30))
    write(speaker, noise(30))
"""
    with pulse_recorder() as recorder:
        ended = run(recorder.env, program)
        assert ended.stderr == ""
        assert 0 < len(heard_on(recorder)) < 20 * RATE, "of a minute"


def test_ctrl_c_is_silence_at_once() -> None:
    program = """
with Speaker(24000) as speaker:
    write(speaker, noise(0.5))
    print("playing", flush=True)
    write(speaker, noise(30))
"""
    with pulse_recorder() as recorder:
        player = start(recorder.env, program)
        assert player.stdout is not None
        player.stdout.readline()
        player.send_signal(signal.SIGINT)
        _, said = player.communicate()
        assert said.splitlines()[-1] == "KeyboardInterrupt"
        assert len(heard_on(recorder)) < 10 * RATE, "of half a minute"


def test_a_server_that_dies_is_one_plain_line_soon() -> None:
    program = """
with Speaker(24000) as speaker:
    write(speaker, noise(0.3))
    print("playing", flush=True)
    write(speaker, noise(60))
"""
    with pulse_recorder() as recorder:
        player = start(recorder.env, program)
        assert player.stdout is not None
        assert recorder.server is not None
        player.stdout.readline()
        recorder.server.kill()
        _, said = player.communicate(timeout=30)  # of a minute of sound
        line = said.splitlines()[-1]
        assert line.startswith("narrate.errors.SinkError: The sound device 'default' stopped playing (")
        assert line.endswith("Check it and start again, or write a file with -o book.wav.")


def test_devices_have_numbers_names_and_a_default(tmp_path: Path) -> None:
    program = """
print([tuple(device) for device in devices()])
print([find_device(wanted).number for wanted in (None, "narrate_test", "0", "RRATE", "default", "1")])
for wanted in ("e", "piano", "7"):
    try:
        find_device(wanted)
    except Exception as error:
        print(repr(error))
"""
    ended = run(alsa_recorder(tmp_path, paced=False).env, program)
    assert ended.stderr == ""
    found, numbers, *refused = ended.stdout.splitlines()
    assert found == "[(0, 'narrate_test', False), (1, 'default', True)]"
    assert numbers == "[1, 0, 0, 0, 1, 1]"
    assert refused == [
        "InputError(\"'e' names several sound devices. Choose from: 0 narrate_test, 1 default.\")",
        "InputError(\"There is no sound device 'piano'. Choose from: 0 narrate_test, 1 default.\")",
        "InputError(\"There is no sound device '7'. Choose from: 0 narrate_test, 1 default.\")",
    ]


def test_a_device_is_chosen_by_name(tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=False)
    ended = run(recorder.env, 'with Speaker(24000, "NARRATE") as speaker: write(speaker, noise(1))')
    assert ended.stderr == ""
    assert np.array_equal(recorder.read()[:RATE], noise(1))


def test_no_device_is_one_plain_line() -> None:
    alsa_alone = {key: value for key, value in os.environ.items() if not key.startswith(("ALSA_", "PULSE_"))}
    ended = run(alsa_alone, "print(devices(), flush=True)\nSpeaker(24000)")
    if "SinkError" not in ended.stderr:
        pytest.skip("this machine has a sound device")
    assert ended.stdout == "[]\n"
    line = "There is no sound device here. Connect one, or write a file with -o book.wav."
    assert ended.stderr.splitlines()[-1] == f"narrate.errors.SinkError: {line}"


def test_a_device_that_cannot_be_opened_is_one_plain_line(tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=False)
    program = """
try:
    Speaker(10**9)
except Exception as error:
    print(repr(error))
"""
    ended = run(recorder.env, program)
    assert ended.stdout.startswith("SinkError(\"The sound device 'default' cannot play 1000000000 Hz (")
    assert ended.stderr == ""


def test_without_portaudio_the_remedy_is_named() -> None:
    hide = "import ctypes.util\nctypes.util.find_library = lambda name: None\n"
    ended = subprocess.run(
        [sys.executable, "-c", hide + BEGIN + "devices()"],
        env={**os.environ, "LC_ALL": "C"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    line = ended.stderr.splitlines()[-1]
    assert "the PortAudio library is missing" in line
    assert how_to_install("PortAudio") in line
    assert "-o book.wav" in line


def test_what_libraries_below_have_to_say_is_not_on_the_screen() -> None:
    """PulseAudio complains of a home in which it cannot keep its cookie, and plays all the same."""
    with pulse_recorder() as recorder:
        env = {name: value for name, value in recorder.env.items() if name != "PULSE_COOKIE"}
        ended = run({**env, "HOME": "/proc/nohome"}, PLAY_THREE_SECONDS + "print('still heard', file=sys.stderr)")
        assert (ended.stdout.split()[-1], ended.stderr) == ("3.0", "still heard\n")
