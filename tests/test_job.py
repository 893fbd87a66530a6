"""The store of takes: every take that exists is whole, and nothing that happens to the disk stops the reading."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from narrate.clip import to_int16
from narrate.errors import InputError
from narrate.folders import home
from narrate.store import flac
from narrate.store.key import take_key
from narrate.store.memory import Memory
from narrate.store.store import Store
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.stored import RATE, files, key, same, sound

CHUNK = Chunk(7, 1, "One", "It was 9.", "It was nine.", "en", 0.4, 100, 109, paragraph=3)
ENGINE = {"name": "tone", "version": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


# The key


def test_the_key_knows_what_shapes_the_sound_and_nothing_else(tmp_path: Path) -> None:
    voice = Voice(name="anna", seed=3)
    this = take_key(ENGINE, voice, CHUNK)
    for chunk in (
        replace(CHUNK, index=8, text="It was IX.", pause=1.0, start=0, end=1, chapter=2, title="Two", paragraph=9),
        replace(CHUNK, attempt=2),
    ):
        assert take_key(ENGINE, voice, chunk) == this
    assert take_key(dict(reversed(ENGINE.items())), replace(voice, speed=1.5), CHUNK) == this

    recording = tmp_path / "anna.wav"
    recording.write_bytes(b"one")
    others = [
        take_key({**ENGINE, "version": "2"}, voice, CHUNK),
        take_key(ENGINE, voice, replace(CHUNK, spoken="It was ten.")),
        take_key(ENGINE, voice, replace(CHUNK, language="de")),
        take_key(ENGINE, voice, replace(CHUNK, take=1)),
        *(
            take_key(ENGINE, replace(voice, **{name: value}), CHUNK)  # type: ignore[arg-type]
            for name, value in [
                ("name", None), ("seed", 4), ("instruct", "softly"), ("describe", "softly"), ("reference", recording),
                ("reference_text", "softly"),
            ]
        ),
    ]  # fmt: skip
    assert len({this, *others}) == 1 + len(others)


def test_the_key_of_a_take_stays_the_same_in_the_next_version() -> None:
    assert take_key(ENGINE, Voice(), CHUNK) == "b2:39dd9247669412c0f5007fb586a2b2d4d0e09fa7"


def test_a_recording_counts_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one.wav", tmp_path / "other.wav"
    one.write_bytes(b"the same voice")
    other.write_bytes(b"the same voice")
    keys = [take_key(ENGINE, Voice(reference=path), CHUNK) for path in (one, other)]
    assert keys[0] == keys[1]
    other.write_bytes(b"another voice altogether")
    assert take_key(ENGINE, Voice(reference=other), CHUNK) != keys[0]
    with pytest.raises(InputError, match="gone.wav"):
        take_key(ENGINE, Voice(reference=tmp_path / "gone.wav"), CHUNK)


def test_home_is_where_the_listener_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("NARRATE_HOME")
    assert "narrate" in str(home())


# A take is whole


@given(
    st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=500),
    st.sampled_from([8000, 16000, 22050, 24000, 48000]),
)
@settings(max_examples=40, deadline=None)
def test_a_take_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], rate: int
) -> None:
    folder = tmp_path_factory.mktemp("store")
    samples = np.array(values, dtype=np.float32)
    with Store(folder) as store:
        store.put(key(1), samples, rate)
        heard = store.get(key(1))
    with Store(folder) as store:
        read = store.get(key(1))
    assert heard is not None
    assert read is not None
    assert heard.sample_rate == read.sample_rate == rate
    assert heard.samples.dtype == read.samples.dtype == np.float32
    assert np.array_equal(heard.samples, read.samples)
    assert np.array_equal(to_int16(read.samples), to_int16(samples))
    (path,) = files(folder)
    played, played_rate = soundfile.read(path, dtype="int16")
    assert played_rate == rate
    assert np.array_equal(played, to_int16(samples))


def test_the_length_of_a_take_is_known_without_its_sound(folder: Path) -> None:
    with Store(folder) as store:
        for length in (1, 2400, 700_001):
            store.put(key(length), sound(1, length), RATE)
            assert store.seconds(key(length)) == length / RATE
        assert store.seconds(key(2)) is None
        files(folder)[0].write_bytes(b"rubbish")
        assert [store.seconds(key(length)) for length in (1, 2400, 700_001)].count(None) == 1


def test_other_programs_can_play_the_files(folder: Path) -> None:
    import av

    with Store(folder, book="a book") as store:
        store.put(key(1), sound(1, RATE), RATE)
    with av.open(str(files(folder)[0])) as file:
        played = np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)])
    assert np.array_equal(played, to_int16(sound(1, RATE)))


def test_a_take_cannot_be_changed_by_who_hears_it(folder: Path) -> None:
    with Store(folder) as store:
        store.put(key(1), sound(1), RATE)
        take = store.get(key(1))
        assert take is not None
        with pytest.raises(ValueError, match="read-only"):
            take.samples[0] = 1.0


def test_a_take_without_a_sample_is_not_kept(folder: Path) -> None:
    with Store(folder) as store:
        store.put(key(1), np.zeros(0, np.float32), RATE)
        assert store.get(key(1)) is None
        assert not store.has(key(1))


def test_every_single_bit_of_a_file_counts() -> None:
    data = flac.seal(sound(1, 40), RATE, flac.Label(key(1), "book"))
    flac.check(data, key(1))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(flac.Damaged):
            flac.unseal(bytes(damaged), key(1))
    for length in range(len(data)):
        with pytest.raises(flac.Damaged):
            flac.unseal(data[:length], key(1))
    with pytest.raises(flac.Damaged):
        flac.unseal(data + b"\0", key(1))
    with pytest.raises(flac.Damaged):
        flac.unseal(data, key(2))


def test_fifty_takes_with_one_bit_flipped_are_all_noticed_and_made_again(folder: Path) -> None:
    with Store(folder) as store:
        for number in range(60):
            store.put(key(number), sound(number), RATE)
    chance = random.Random(1)
    for path in files(folder)[:50]:
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    with Store(folder) as store:
        damaged = [number for number in range(60) if store.get(key(number)) is None]
        assert damaged == list(range(50))
        assert store.damaged == 50
        assert store.size().takes == 10
        for number in damaged:
            store.put(key(number), sound(number), RATE)
    with Store(folder) as store:
        assert all(same(store, number) for number in range(60))


def test_a_file_that_lost_its_bytes_in_a_power_cut_is_made_again(folder: Path) -> None:
    with Store(folder) as store:
        for number in range(3):
            store.put(key(number), sound(number), RATE)
    empty, zeros, _ = files(folder)
    zeros.write_bytes(bytes(zeros.stat().st_size))
    empty.write_bytes(b"")
    with Store(folder) as store:
        assert [store.get(key(number)) is None for number in range(3)] == [True, True, False]


def test_verify_finds_what_is_damaged_and_keeps_the_rest(folder: Path) -> None:
    with Store(folder, book="b") as store:
        for number in range(9):
            store.put(key(number), sound(number), RATE)
    bad, moved, gone = files(folder)[:3]
    bad.write_bytes(bad.read_bytes()[:-1])
    moved.rename(moved.with_name(f"{100:040x}.flac"))
    gone.unlink()
    with Store(folder) as store:
        health = store.verify()
        assert sorted(health.damaged) == [key(0), key(100)]
        assert health.whole == store.size() == store.books()["b"]
        assert health.whole.takes == 6
        assert store.verify().damaged == []


def test_clear_removes_takes_and_nothing_else(folder: Path) -> None:
    for book in ("one", "two"):
        with Store(folder, book=book) as store:
            for number in range(4):
                store.put(key(number + 10 * (book == "two")), sound(number), RATE)
    (folder / "my notes.txt").write_text("mine")
    (folder / "takes" / "00" / "cover.png").write_text("mine too")
    with Store(folder) as store:
        assert store.clear("one").takes == 4
        assert [store.has(key(number)) for number in (0, 3, 10, 13)] == [False, False, True, True]
        assert store.clear().takes == 4
        assert store.size() == (0, 0)
    assert not files(folder)
    assert (folder / "my notes.txt").exists()
    assert (folder / "takes" / "00" / "cover.png").exists()


# The limit


@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["put", "get"])), max_size=60))
@settings(max_examples=40, deadline=None)
def test_the_least_recently_used_go_first(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    one = len(flac.seal(sound(0), RATE, flac.Label(key(0), "")))
    limit = int(one * 5.5)
    used: list[int] = []  # the latest last
    with Store(folder, limit_bytes=limit, memory_bytes=0) as store:
        for number, step in steps:
            there = store.has(key(number))
            if step == "put":
                store.put(key(number), sound(number), RATE)
            elif there:
                assert same(store, number)
            if step == "put" or there:
                used = [*(other for other in used if other != number), number]
            kept = [other for other in range(12) if store.has(key(other))]
            assert store.size().bytes == sum(path.stat().st_size for path in files(folder)) <= limit
            used = used[len(used) - len(kept) :]
            assert kept == sorted(used)


def test_takes_of_an_open_book_never_make_room(folder: Path) -> None:
    with Store(folder, book="old") as store:
        for number in range(8):
            store.put(key(number), sound(number), RATE)
        one = store.size().bytes // 8
    with Store(folder, book="mine") as store:
        for number in range(20, 24):
            store.put(key(number), sound(number), RATE)
    with Store(folder, book="other"), Store(folder, book="mine", limit_bytes=int(one * 6.5)) as store:
        with Store(folder, book="other") as other:
            other.put(key(40), sound(40), RATE)
        for number in range(24, 34):
            store.put(key(number), sound(number), RATE)
        assert not any(store.has(key(number)) for number in range(8))
        assert all(same(store, number) for number in [*range(20, 34), 40])


def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    memory = Memory(3 * sound(0).nbytes)
    for number in range(4):
        memory.put(key(number), sound(number), RATE)
        assert same(memory, 1) or number < 1
    assert [memory.has(key(number)) for number in range(4)] == [False, True, True, True]
    memory.put(key(9), sound(9, 24000), RATE)
    assert not memory.has(key(9))


# The index is not needed


def heap_of_takes(folder: Path) -> None:
    for book in ("one", "two"):
        with Store(folder, book=book) as store:
            for number in range(20):
                store.put(key(number + 100 * (book == "two")), sound(number), RATE)


@pytest.mark.parametrize("damage", ["deleted", "emptied", "rubbish", "cut", "other tables", "is a folder"])
def test_an_index_that_is_lost_is_written_anew_from_the_files(folder: Path, damage: str) -> None:
    heap_of_takes(folder)
    index = folder / "index.sqlite"
    with Store(folder) as store:
        known = store.books()
    data = index.read_bytes()
    index.unlink()
    if damage == "other tables":
        with contextlib.closing(sqlite3.connect(index)) as other:
            other.executescript("CREATE TABLE take (name TEXT); PRAGMA user_version = 1;")
    elif damage == "is a folder":
        index.mkdir()
        known = {"": known["one"]._replace(takes=40, bytes=known["one"].bytes + known["two"].bytes)}
    elif damage != "deleted":
        changed = {"emptied": b"", "rubbish": os.urandom(len(data)), "cut": data[: len(data) // 2 + 7]}
        index.write_bytes(changed[damage])
    with Store(folder) as store:
        assert store.books() == known
        assert store.get(key(3)) is not None
        store.put(key(999), sound(9), RATE)
        assert store.size().takes == 41


def test_an_index_that_breaks_while_in_use_is_written_anew(folder: Path) -> None:
    heap_of_takes(folder)
    with Store(folder, book="one") as store:
        for ending in ("-wal", "-shm", ""):
            path = folder / f"index.sqlite{ending}"
            path.write_bytes(os.urandom(path.stat().st_size))
        for number in range(300, 310):
            store.put(key(number), sound(number), RATE)
            assert same(store, number)
    with Store(folder, book="one") as store:
        assert store.size().takes == 50
        assert store.books()["two"].takes == 20
        assert store.verify().damaged == []


@given(st.binary(min_size=1, max_size=60), st.floats(0, 1))
@example(b"\x80", 0.25)
@settings(max_examples=25, deadline=None)
def test_no_damage_to_the_index_costs_a_take(
    tmp_path_factory: pytest.TempPathFactory, rubbish: bytes, where: float
) -> None:
    folder = tmp_path_factory.mktemp("store")
    heap_of_takes(folder)
    index = folder / "index.sqlite"
    data = index.read_bytes()
    place = int(where * (len(data) - len(rubbish)))
    index.write_bytes(data[:place] + rubbish + data[place + len(rubbish) :])
    with Store(folder, memory_bytes=0) as store:
        store.put(key(999), sound(9), RATE)
        assert all(same(store, number) for number in range(20))
        assert store.verify().whole.takes == 41
        assert store.damaged == 0


def test_an_index_held_by_somebody_else_does_not_stop_anybody(folder: Path) -> None:
    said: list[str] = []
    with Store(folder, say=said.append) as store:
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.put(key(1), sound(1), RATE)
            assert same(store, 1)
        store.put(key(2), sound(2), RATE)
        assert store.size().takes == 2
    assert said == []
