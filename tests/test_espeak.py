"""The child process that eSpeak NG runs in: it may be killed at any time, and never outlives its parent."""

from __future__ import annotations

import logging
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import espeak_child
from narrate.engines.espeak import DEATHS_IN_A_ROW, TEXTS_PER_CHILD, VOICES, Espeak
from narrate.errors import EngineError
from narrate.pace import expected_seconds
from narrate.pipeline import Background
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, chunks, requests

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
LONG = "The rain had not stopped for days, and the river was over its banks. " * 300  # a second of work or more
SENTENCES = {
    "en": "The ship left the harbour early in the morning, long before the town awoke.",
    "zh": "清晨，城里的人还没有醒来，船就离开了港口。",
    "ko": "도시가 잠에서 깨기 훨씬 전인 이른 아침에 배가 항구를 떠났다.",
    "de": "Das Schiff verließ den Hafen früh am Morgen, lange bevor die Stadt erwachte.",
    "fr": "Le navire quitta le port tôt le matin, bien avant que la ville ne s'éveille.",
    "ru": "Корабль вышел из гавани рано утром, задолго до того, как проснулся город.",
    "pt": "O navio deixou o porto de manhã cedo, muito antes de a cidade acordar.",
    "es": "El barco dejó el puerto por la mañana temprano, mucho antes de que la ciudad despertara.",
    "it": "La nave lasciò il porto la mattina presto, molto prima che la città si svegliasse.",
}


@pytest.fixture
def espeak() -> Iterator[Espeak]:
    engine = Espeak()
    yield engine
    engine.close()


def the_children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            found += [child] if any("espeak_child" in word for word in child.cmdline()) else []
    return found


def while_it_speaks(espeak: Espeak, text: str, act: Callable[[psutil.Process], object], times: int = 1) -> list[Clip]:
    """Speak `text` beside this thread, and `act` on the first `times` children while they are at work on it."""
    speaking = Background(lambda: espeak.synthesize_batch(requests([a_chunk(7, text), *chunks(1)])))
    met: set[int] = set()
    while not speaking.wait(0.002):
        for child in the_children():
            with suppress(psutil.NoSuchProcess):
                if child.pid not in met and len(met) < times and child.cpu_times().user > 0.2:
                    met.add(child.pid)
                    act(child)
    assert len(met) == times
    return speaking.result()


@pytest.mark.parametrize("language", SENTENCES)
def test_it_speaks_nine_languages(espeak: Espeak, language: str) -> None:
    text = SENTENCES[language]
    [clip] = espeak.synthesize_batch([a_request(a_chunk(0, text, language=language))])
    assert clip.failure is None
    assert 0.6 < clip.seconds / expected_seconds(text, language) < 1.7
    foreign = "de" if language != "de" else "fr"
    [other] = espeak.synthesize_batch([a_request(a_chunk(0, text, language=foreign))])
    assert not np.array_equal(clip.samples, other.samples)


def test_a_voice_with_a_name_speaks_whatever_the_language(espeak: Espeak) -> None:
    text = "Guten Morgen"
    [german] = espeak.synthesize_batch([a_request(a_chunk(0, text, language="de"))])
    [named] = espeak.synthesize_batch([a_request(a_chunk(0, text, language="en"), Voice(name="de"))])
    assert np.array_equal(german.samples, named.samples)


def test_the_first_voice_of_a_language_is_its_default(espeak: Espeak) -> None:
    for language in espeak.abilities.languages:
        first = next(entry.name for entry in VOICES if language in entry.languages)
        chunk = a_chunk(0, "1 2 3", language=language)
        [default] = espeak.synthesize_batch([a_request(chunk)])
        [named] = espeak.synthesize_batch([a_request(chunk, Voice(name=first))])
        assert np.array_equal(default.samples, named.samples)


def test_killed_at_work_it_says_so_and_starts_again(espeak: Espeak, caplog: pytest.LogCaptureFixture) -> None:
    whole = espeak.synthesize_batch(requests([a_chunk(7, LONG), *chunks(1)]))
    espeak.close()
    other = Espeak()
    try:
        with caplog.at_level(logging.WARNING):
            clips = while_it_speaks(other, LONG, lambda child: child.kill())
    finally:
        other.close()
    assert [clip.index for clip in clips] == [7, 0]
    assert all(np.array_equal(clip.samples, before.samples) for clip, before in zip(clips, whole, strict=True))
    assert "chunk 7: 'The rain" in caplog.text
    assert "-9" in caplog.text


def test_killed_twice_over_one_text_the_others_are_spoken(espeak: Espeak) -> None:
    died, spoken = while_it_speaks(espeak, LONG, lambda child: child.kill(), times=2)
    assert died.failure == "the speech process died of this text twice"
    assert not len(died.samples)
    assert spoken.failure is None


def test_killed_between_texts_nothing_is_lost(espeak: Espeak, caplog: pytest.LogCaptureFixture) -> None:
    for chunk in chunks(3):
        [clip] = espeak.synthesize_batch([a_request(chunk)])
        assert clip.failure is None
        [child] = the_children()
        child.kill()
        child.wait()
    assert caplog.text == ""


def test_killed_always_it_is_given_up_with_the_text_named(espeak: Espeak) -> None:
    speaking = Background(lambda: espeak.synthesize_batch(requests(chunks(DEATHS_IN_A_ROW))))
    while not speaking.wait(0):
        for child in the_children():
            with suppress(psutil.NoSuchProcess):
                child.kill()
    with pytest.raises(EngineError, match=rf"'Sentence \d .*{DEATHS_IN_A_ROW} times in a row"):
        speaking.result()


def test_a_child_that_was_stopped_is_ended_and_another_speaks(
    espeak: Espeak, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrate.engines.espeak.PATIENCE_SECONDS", 2.0)
    [before] = espeak.synthesize_batch(requests(chunks(1)))
    [child] = the_children()
    child.suspend()
    with caplog.at_level(logging.WARNING):
        [clip] = espeak.synthesize_batch(requests(chunks(1)))
    assert np.array_equal(clip.samples, before.samples)
    assert "did not answer for 2 seconds at chunk 0: 'Sentence 0" in caplog.text
    assert not child.is_running()


def test_stopped_twice_over_one_text_the_failure_is_named_and_the_others_are_spoken(
    espeak: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrate.engines.espeak.PATIENCE_SECONDS", 4.0)
    stopped, spoken = while_it_speaks(espeak, LONG, lambda child: child.suspend(), times=2)
    assert stopped.failure == "the speech process did not answer to this text twice"
    assert spoken.failure is None


def test_a_child_that_is_idle_is_not_ended(espeak: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.engines.espeak.PATIENCE_SECONDS", 0.3)
    espeak.prepare(Voice(), OFF)
    [child] = the_children()
    time.sleep(1.0)
    espeak.synthesize_batch(requests(chunks(2)))
    assert the_children() == [child]


def test_cancel_ends_even_a_child_that_hangs(espeak: Espeak) -> None:
    def stop(child: psutil.Process) -> None:
        child.suspend()
        espeak.cancel([":7:0", ":0:0"])

    assert while_it_speaks(espeak, LONG, stop) == []
    assert len(espeak.synthesize_batch(requests(chunks(2)))) == 2


def test_only_the_cancelled_text_is_cut_short(espeak: Espeak, caplog: pytest.LogCaptureFixture) -> None:
    [spoken] = while_it_speaks(espeak, LONG, lambda child: espeak.cancel([":7:0"]))
    [alone] = espeak.synthesize_batch(requests(chunks(1)))
    assert spoken.index == 0
    assert np.array_equal(spoken.samples, alone.samples)
    assert caplog.text == ""  # the child did not die of the text


def test_cancelling_another_text_disturbs_nobody(espeak: Espeak, caplog: pytest.LogCaptureFixture) -> None:
    clips = while_it_speaks(espeak, LONG, lambda child: espeak.cancel([":0:0", "another:7:0"]))
    assert [clip.index for clip in clips] == [7]
    assert caplog.text == ""  # the child goes on


def test_prepared_it_has_its_child_at_hand(espeak: Espeak) -> None:
    espeak.prepare(Voice(), OFF)
    [child] = the_children()
    espeak.prepare(Voice(), OFF)
    espeak.synthesize_batch(requests(chunks(1)))
    assert [one.pid for one in the_children()] == [child.pid]


def test_ctrl_c_is_for_the_parent_to_hear(espeak: Espeak) -> None:
    espeak.synthesize_batch(requests(chunks(1)))
    [child] = the_children()
    child.send_signal(signal.SIGINT)
    espeak.synthesize_batch(requests(chunks(1)))
    assert [one.pid for one in the_children()] == [child.pid]


def test_closing_leaves_no_child(espeak: Espeak) -> None:
    espeak.synthesize_batch(requests(chunks(1)))
    [child] = the_children()
    espeak.close()
    assert not child.is_running()
    assert the_children() == []


@pytest.mark.parametrize("text", ["Done.", LONG], ids=["idle", "at work"])
def test_the_child_goes_when_its_parent_is_killed(text: str) -> None:
    program = f"""
import psutil, threading
from narrate.engines.espeak import Espeak
from tests.speech import a_chunk, a_request
engine = Espeak()
engine.synthesize_batch([a_request(a_chunk(0))])
print(psutil.Process().children()[0].pid, flush=True)
engine.synthesize_batch([a_request(a_chunk(0, {text!r}))])
threading.Event().wait()
"""
    folder = Path(__file__).resolve().parents[1]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=folder) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert psutil.wait_procs([child], timeout=60)[1] == []


def test_the_library_is_not_in_this_process(espeak: Espeak) -> None:
    espeak.synthesize_batch(requests(chunks(1)))
    mapped = {os.path.basename(entry.path) for entry in psutil.Process().memory_maps()}
    assert not [path for path in mapped if "espeak" in path]
    assert "espeakng_loader" not in sys.modules


def test_a_broken_installation_is_told_in_words(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", espeak_child.__file__, str(tmp_path)], capture_output=True)
    (size, rate), why = struct.unpack("<II", done.stdout[:8]), done.stdout[8:].decode()
    assert size == 4 + len(why.encode())
    assert rate == 0
    assert str(tmp_path) in why
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_child_is_relieved_before_the_library_has_lost_much_memory(espeak: Espeak) -> None:
    [before] = espeak.synthesize_batch([a_request(a_chunk(0, "Ho!"))])
    [first] = the_children()
    clips = espeak.synthesize_batch(requests(a_chunk(index, "Ho!") for index in range(TEXTS_PER_CHILD)))
    [second] = the_children()
    assert first.pid != second.pid
    assert all(np.array_equal(clip.samples, before.samples) for clip in clips)
