"""Readings for browsers through a real server: sound, places, jumps, events, files, and what comes of leaving."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from narrate.playback.bookmark import Bookmarks
from narrate.server import readings as rooms
from tests.served import Served, free_port, serving, start, until

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SENTENCES = 300
STORY = "\n\n".join(f"This is paragraph {number} of a story for the ear." for number in range(SENTENCES))
SHORT = "A short story. It has three sentences. That is all."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), "--library", str(SAMPLES)) as found:
        yield found


def path(reading: dict[str, Any], rest: str = "") -> str:
    return f"/api/readings/{reading['id']}{rest}"


def run_of(server: Served, reading: dict[str, Any], number: int) -> dict[str, Any]:
    run: dict[str, Any] = server.ask(path(reading, f"/runs/{number}"))
    return run


def current(server: Served, reading: dict[str, Any]) -> int:
    """The run that is heard, once there is sound in it."""
    number: int = until(lambda: server.ask(path(reading))["run"])
    until(lambda: run_of(server, reading, number)["segments"])
    return number


def hears(server: Served, reading: dict[str, Any], run: int, seconds: float, *, playing: bool = True) -> bool:
    ear = {"run": run, "seconds": seconds, "playing": playing}
    return bool(server.ask(path(reading, "/position"), ear)["current"])


def events(server: Served, reading: dict[str, Any], after: int, wanted: str) -> list[tuple[str, Any, int | None]]:
    """The events after that one, until one of the wanted kind has come."""
    address = f"{server.address}{path(reading, '/events')}"
    request = urllib.request.Request(address, headers={"Last-Event-ID": str(after)})
    found: list[tuple[str, Any, int | None]] = []
    with urllib.request.urlopen(request, timeout=60) as answer:
        kind, number = "", None
        for line in map(bytes.decode, answer):
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                number = int(value)
            elif name == "data":
                found.append((kind, json.loads(value), number))
                number = None
                if kind == wanted:
                    break
    return found


def test_the_sound_of_a_run_is_as_long_as_its_playlist_says_to_the_sample(server: Served) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("the sound is decoded with FFmpeg, which is not here")
    reading = server.read(SHORT)
    number = current(server, reading)
    until(lambda: run_of(server, reading, number)["complete"])
    run = run_of(server, reading, number)
    playlist = server.ask(run["url"]).decode()
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    lengths = [float(line[8:-1]) for line in playlist.splitlines() if line.startswith("#EXTINF:")]
    command = ["ffmpeg", "-v", "error", "-i", server.address + run["url"], "-f", "s16le", "-"]
    decoded = subprocess.run(command, capture_output=True, check=True)
    assert decoded.stderr == b""
    assert len(decoded.stdout) / 2 == round(sum(lengths) * 24000)
    assert run["segments"][-1]["end"] == pytest.approx(sum(lengths), abs=1e-5)
    # All sentences follow one another without a gap, and the last ends less than a frame before the end of the sound.
    sentences = run["sentences"]
    assert [each["start"] for each in sentences[1:]] == [each["end"] for each in sentences[:-1]]
    assert 0 <= run["segments"][-1]["end"] - sentences[-1]["end"] < 1024 / 24000 + 1e-6


def test_the_sound_of_a_run_is_that_of_a_file_of_the_text(server: Served, tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("the sound is decoded with FFmpeg, which is not here")
    import numpy as np

    reading = server.read(SHORT)
    number = current(server, reading)
    until(lambda: run_of(server, reading, number)["complete"])
    run = run_of(server, reading, number)
    book = tmp_path / "short.txt"
    book.write_text(SHORT)
    wav = tmp_path / "short.wav"
    command = [sys.executable, "-m", "narrate", str(book), "-e", "tone:rate=24000", "-l", "en", "-o", str(wav), "-q"]
    subprocess.run(command, check=True)

    def samples(source: str) -> Any:
        done = subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-f", "f32le", "-"], capture_output=True)
        return np.frombuffer(done.stdout, np.float32)

    heard, written = samples(server.address + run["url"]), samples(str(wav))
    assert 1024 + len(written) <= len(heard) < 2048 + len(written)
    same = heard[1024 : 1024 + len(written)]
    assert np.corrcoef(same, written)[0, 1] > 0.99


def test_no_more_is_made_than_a_minute_ahead_of_the_ear(server: Served) -> None:
    reading = server.read(STORY)
    number = current(server, reading)

    def ready() -> float:
        return float(run_of(server, reading, number)["segments"][-1]["end"])

    until(lambda: ready() > rooms.UNHEARD_SECONDS - 5)
    time.sleep(1.0)
    assert ready() <= rooms.UNHEARD_SECONDS + 1
    assert hears(server, reading, number, 20.0)
    until(lambda: ready() > rooms.UNHEARD_SECONDS + 15)
    time.sleep(0.5)
    assert ready() <= rooms.UNHEARD_SECONDS + 21
    progress = server.ask(path(reading))["progress"]
    assert progress["position_seconds"] == pytest.approx(20.0, abs=0.2)
    assert progress["ready_seconds"] >= rooms.UNHEARD_SECONDS - 5


def test_a_jump_within_what_is_made_needs_no_new_sound(server: Served) -> None:
    reading = server.read(STORY)
    number = current(server, reading)
    until(lambda: len(run_of(server, reading, number)["sentences"]) > 5)
    where = server.ask(path(reading, "/seek"), {"chunk": 4})
    assert (where["run"], where["chunk"]) == (number, 4)
    sentence = run_of(server, reading, number)["sentences"][4]
    assert where["seconds"] == sentence["start"]
    assert server.ask(path(reading))["chunk"] == 4


def test_a_jump_to_what_is_not_made_makes_it_next_in_a_new_run(server: Served) -> None:
    reading = server.read(STORY)
    number = current(server, reading)
    assert server.ask(path(reading, "/seek"), {"chunk": 200}) == {"chunk": 200, "run": None, "seconds": None}
    assert server.ask(path(reading))["chunk"] == 200
    later = until(lambda: (now := current(server, reading)) != number and now)
    run = run_of(server, reading, later)
    assert run["sentences"][0]["chunk"] == 200
    assert run["segments"][0]["start"] == 0
    assert not hears(server, reading, number, 5.0)
    assert server.ask(path(reading))["chunk"] == 200


@pytest.mark.parametrize("to", [{"chunk": 0}, {"chunk": 150}, {"chapter": 1}, {"seconds": 0}, {"seconds": 300}])
def test_many_quick_jumps_end_where_the_last_one_leads(server: Served, to: dict[str, int]) -> None:
    reading = server.read(STORY)
    current(server, reading)
    for chunk in (100, 2, 250, 3, 99):
        server.ask(path(reading, "/seek"), {"chunk": chunk})
    where = server.ask(path(reading, "/seek"), to)
    state = until(lambda: (now := server.ask(path(reading)))["run"] and now)
    assert state["chunk"] == where["chunk"]
    until(lambda: run_of(server, reading, state["run"])["segments"])


def test_a_place_that_is_not_there_is_refused_in_words(server: Served) -> None:
    reading = server.read(SHORT)
    assert server.refusal(path(reading, "/seek"), {"chunk": 9999}) == (400, "The text has no sentence 9999.")
    assert server.refusal(path(reading, "/seek"), {"chapter": 77}) == (400, "The text has no chapter 77.")
    assert server.refusal(path(reading, "/seek"), {})[0] == 422
    assert server.refusal("/api/readings/nothing") == (
        404,
        "There is no such reading. Choose the text again: its place is kept.",
    )
    assert server.refusal(path(reading, "/runs/99"))[0] == 404
    assert server.refusal(path(reading, "/runs/1/9999.m4s"))[0] == 404


def test_events_can_be_resumed_where_they_broke_off(server: Served) -> None:
    reading = server.read(SHORT)
    whole = events(server, reading, 0, "complete")
    kinds = [kind for kind, _, _ in whole]
    assert kinds.index("run") < kinds.index("text") < kinds.index("audio") < kinds.index("complete")
    numbered = [(kind, data, number) for kind, data, number in whole if number is not None]
    assert [number for _, _, number in numbered] == list(range(1, len(numbered) + 1))
    middle = len(numbered) // 2
    rest = [each for each in events(server, reading, middle, "complete") if each[2] is not None]
    assert rest == numbered[middle:]
    texts = [data for kind, data, _ in whole if kind == "text" and data["end"] is not None]
    assert "".join(each["text"] for each in texts).replace(" ", "") == SHORT.replace(" ", "")
    segments = [data for kind, data, _ in whole if kind == "audio"]
    assert [each["index"] for each in segments] == list(range(len(segments)))
    assert all(server.ask(each["url"])[4:8] == b"moof" for each in segments)


def test_who_missed_too_much_is_told_to_ask_anew(server: Served) -> None:
    reading = server.read(SHORT)
    assert [kind for kind, _, _ in events(server, reading, 10**9, "reset")] == ["reset"]


def test_the_voice_can_be_changed_in_the_middle(server: Served) -> None:
    reading = server.read(STORY)
    number = current(server, reading)
    sentence = until(lambda: run_of(server, reading, number)["sentences"][3:])[0]
    hears(server, reading, number, sentence["start"] + 0.1)
    until(lambda: server.ask(path(reading))["progress"].get("chunk") == 3)
    changed = server.ask(path(reading, "/voice"), {"voice": "high"})
    assert changed["voice"] == "high"
    later = until(lambda: (now := current(server, reading)) != number and now)
    assert run_of(server, reading, later)["sentences"][0]["chunk"] == 3
    assert server.refusal(path(reading, "/voice"), {"voice": "nobody"})[0] == 400
    assert server.ask(path(reading))["voice"] == "high"
    names = [voice["name"] for voice in server.ask(path(reading, "/voices"))["voices"]]
    assert {"low", "high"} <= set(names)


def test_a_file_is_made_from_the_sound_that_was_heard(server: Served) -> None:
    reading = server.read(SHORT)
    number = current(server, reading)
    until(lambda: run_of(server, reading, number)["complete"])
    server.ask(path(reading, "/files/m4b"), {})
    done = until(lambda: (now := server.ask(path(reading, "/files/m4b")))["state"] == "done" and now)
    data = server.ask(done["url"])
    assert data[4:12] == b"ftypM4B "
    assert len(data) == done["size"]
    part = urllib.request.Request(server.address + done["url"], headers={"Range": "bytes=4-11"})
    with urllib.request.urlopen(part) as answer:
        assert (answer.status, answer.read()) == (206, b"ftypM4B ")
    assert server.refusal(path(reading, "/files/epub"))[0] == 404
    assert server.refusal(path(reading, "/files/exe"), {})[0] == 422


def test_the_end_is_reached_when_the_ear_is_there(server: Served) -> None:
    reading = server.read(SHORT)
    number = current(server, reading)
    until(lambda: run_of(server, reading, number)["complete"])
    time.sleep(0.6)
    assert server.ask(path(reading))["state"] == "playing"
    hears(server, reading, number, run_of(server, reading, number)["segments"][-1]["end"])
    until(lambda: server.ask(path(reading))["state"] == "finished")
    assert server.ask(path(reading, "/play"), {})["state"] == "playing"
    later = until(lambda: (now := current(server, reading)) != number and now)
    assert run_of(server, reading, later)["sentences"][0]["chunk"] == 0


def test_the_sleep_timer_stops_at_a_sentence(server: Served) -> None:
    reading = server.read(STORY)
    number = current(server, reading)
    until(lambda: len(run_of(server, reading, number)["sentences"]) > 4)
    assert server.ask(path(reading, "/sleep"), {"minutes": 0.1})["sleep"] == 0.1
    for second in range(9):
        hears(server, reading, number, float(second))
    until(lambda: server.ask(path(reading))["state"] == "resting")
    assert server.ask(path(reading))["sleep"] is None


def test_a_reading_is_deleted_with_its_sound(server: Served) -> None:
    reading = server.read(SHORT)
    current(server, reading)
    folders = [each for each in (server.home / "served").rglob(reading["id"]) if each.is_dir()]
    assert folders
    server.ask(path(reading), method="DELETE")
    assert not any(each.exists() for each in folders)
    assert server.refusal(path(reading))[0] == 404


def ear_of(home: Path, name: str) -> str | None:
    """The sentence that is kept as the place of a book."""
    for each in Bookmarks(home / "places").books():
        if each.book.path.endswith(name) and each.place:
            return each.place.sentence
    return None


def choose(server: Served, name: str) -> dict[str, Any]:
    document = next(each for each in server.ask("/api/documents")["documents"] if each["name"] == name)
    reading: dict[str, Any] = server.ask("/api/readings", {"document": document["id"]})
    return reading


NAMES = ("lighthouse.en.txt", "umbrella.ja.txt", "well.zh.txt")


def listen_to_the_fourth_sentence(server: Served, name: str) -> str:
    """Its first word, once the place is kept."""
    reading = choose(server, name)
    run = current(server, reading)
    sentence = until(lambda: run_of(server, reading, run)["sentences"][3:4])[0]
    hears(server, reading, run, sentence["start"] + 0.2)
    word: str = sentence["text"].split()[0]
    until(lambda: word in (ear_of(server.home, name) or ""))
    return word


def _reuses(server: Served, reading: dict[str, Any]) -> bool:
    return bool(server.ask(path(reading))["progress"].get("reused", 0) >= 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_takes_and_places_are_there_after_the_server_ends(tmp_path: Path, number: signal.Signals) -> None:
    served = start(tmp_path, "--library", str(SAMPLES))
    ends = {name: listen_to_the_fourth_sentence(served, name) for name in NAMES}
    before = time.monotonic()
    code = served.stop(number)
    assert time.monotonic() - before < 10
    assert code == (-9 if number is signal.SIGKILL else 128 + number)
    with serving(tmp_path, "--library", str(SAMPLES)) as again:
        assert len(list((tmp_path / "served").iterdir())) == 1  # what was left was swept away
        for name, words in ends.items():
            reading = choose(again, name)
            assert reading["chunk"] == 3
            run = current(again, reading)
            assert run_of(again, reading, run)["sentences"][0]["text"].startswith(words)
            until(partial(_reuses, again, reading))


def test_those_who_follow_are_told_when_the_server_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        reading = served.read(STORY)
        current(served, reading)
        with urllib.request.urlopen(f"{served.address}{path(reading, '/events')}", timeout=60) as stream:
            assert served.stop() == 128 + signal.SIGTERM
            assert b"event: bye" in stream.read()


def test_a_port_that_is_taken_is_a_plain_error(server: Served, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    command = [sys.executable, "-m", "narrate", "serve", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"The port {port} of 127.0.0.1 cannot be served" in done.stderr


def test_the_address_is_said_with_its_password(tmp_path: Path) -> None:
    port = free_port()
    settings = {"NARRATE_TOKEN": "a b", "NARRATE_LIBRARY": str(SAMPLES)}
    with serving(tmp_path, port=port, environment=settings) as served:
        assert f"open http://127.0.0.1:{port}/?token=a+b in a browser" in served.said
        assert served.refusal("/api/documents")[0] == 401
        assert len(served.ask("/api/documents?token=a+b")["documents"]) == 3


def test_what_every_listener_asks_every_second_is_not_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        reading = served.read(SHORT)
        run = current(served, reading)
        assert hears(served, reading, run, 0.5)
        served.ask(run_of(served, reading, run)["segments"][0]["url"])
        assert "POST /api/readings 201" in served.said
        assert "/position" not in served.said
        assert ".m4s" not in served.said
        assert served.refusal(path(reading, "/runs/1/999.m4s"))[0] == 404
        until(lambda: "/runs/1/999.m4s 404" in served.said)


def test_other_addresses_need_a_password() -> None:
    command = [sys.executable, "-m", "narrate", "serve", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n") >= 1) == (2, True)
    assert "--token" in done.stderr
