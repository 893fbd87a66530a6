"""The store of takes: every take that exists is whole, and nothing that happens to the disk stops the reading."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat
import time
from collections.abc import Iterable
from dataclasses import replace
from inspect import signature
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
from narrate.store.in_memory import MemoryTakes
from narrate.store.index import Index, NoIndex
from narrate.store.key import take_key
from narrate.store.store import ROOM_SHARE, BookTakes, Store
from narrate.store.take_files import SYNC_SHARE
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.stored import RATE, files, key, same, sound, takes_in

CHUNK = Chunk(7, 1, "One", "It was 9.", "It was nine.", "en", 0.4, 100, 109, paragraph=3)
ENGINE = {"name": "tone", "version": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


# The key


def test_the_key_knows_what_shapes_the_sound_and_nothing_else(tmp_path: Path) -> None:
    voice = Voice(name="anna", seed=3)
    this = take_key(ENGINE, voice, CHUNK)
    elsewhere = replace(
        CHUNK, index=8, text="It was IX.", pause=1.0, start=0, end=1, chapter=2, title="Two", paragraph=9
    )
    assert take_key(ENGINE, voice, elsewhere) == this
    assert take_key(dict(reversed(ENGINE.items())), voice, CHUNK) == this

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


def test_a_seed_that_the_engine_does_not_use_makes_no_other_take() -> None:
    """And what was stored for seed 0, as it is without being asked for, is found under every seed."""
    keys = {take_key(ENGINE, Voice(seed=seed), CHUNK, uses_seed=False) for seed in (0, 1, 7)}
    assert keys == {take_key(ENGINE, Voice(seed=0), CHUNK)}


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
    with takes_in(folder) as takes:
        takes.put(key(1), samples, rate)
        heard = takes.get(key(1))
    with takes_in(folder) as takes:
        read = takes.get(key(1))
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
    memory = MemoryTakes()
    with takes_in(folder) as takes:
        for length in (1, 2400, 700_001):
            for each in (takes, memory):
                each.put(key(length), sound(1, length), RATE)
                assert each.seconds(key(length)) == length / RATE
                assert each.seconds(key(2)) is None
        files(folder)[0].write_bytes(b"rubbish")
        assert [takes.seconds(key(length)) for length in (1, 2400, 700_001)].count(None) == 1


def test_other_programs_can_play_the_files(folder: Path) -> None:
    import av

    with takes_in(folder, "a book") as takes:
        takes.put(key(1), sound(1, RATE), RATE)
    with av.open(str(files(folder)[0])) as file:
        played = np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)])
    assert np.array_equal(played, to_int16(sound(1, RATE)))


def test_a_take_cannot_be_changed_by_who_hears_it(folder: Path) -> None:
    with takes_in(folder) as takes:
        takes.put(key(1), sound(1), RATE)
        take = takes.get(key(1))
        assert take is not None
        with pytest.raises(ValueError, match="read-only"):
            take.samples[0] = 1.0


def test_a_take_without_a_sample_is_not_kept(folder: Path) -> None:
    with takes_in(folder) as takes:
        takes.put(key(1), np.zeros(0, np.float32), RATE)
        assert takes.get(key(1)) is None
        assert not takes.has(key(1))


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
    with takes_in(folder) as takes:
        for number in range(60):
            takes.put(key(number), sound(number), RATE)
    chance = random.Random(1)
    for path in files(folder)[:50]:
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    with Store(folder) as store, store.for_book("") as takes, store.for_book("another") as other:
        damaged = [number for number in range(60) if takes.get(key(number)) is None]
        assert damaged == list(range(50))
        assert (takes.damaged, other.damaged) == (50, 0)
        assert store.size().takes == 10
        for number in damaged:
            takes.put(key(number), sound(number), RATE)
    with takes_in(folder) as takes:
        assert all(same(takes, number) for number in range(60))


def test_a_file_that_lost_its_bytes_in_a_power_cut_is_made_again(folder: Path) -> None:
    with takes_in(folder) as takes:
        for number in range(3):
            takes.put(key(number), sound(number), RATE)
    empty, zeros, _ = files(folder)
    zeros.write_bytes(bytes(zeros.stat().st_size))
    empty.write_bytes(b"")
    with takes_in(folder) as takes:
        assert [takes.get(key(number)) is None for number in range(3)] == [True, True, False]


def test_verify_finds_what_is_damaged_and_keeps_the_rest(folder: Path) -> None:
    with takes_in(folder, "b") as takes:
        for number in range(9):
            takes.put(key(number), sound(number), RATE)
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
        with takes_in(folder, book) as takes:
            for number in range(4):
                takes.put(key(number + 10 * (book == "two")), sound(number), RATE)
    (folder / "my notes.txt").write_text("mine")
    (folder / "takes" / "00" / "cover.png").write_text("mine too")
    (folder / "takes" / "00" / "song.flac").write_text("mine as well")
    with Store(folder) as store, store.for_book("two") as takes:
        assert store.clear("one").takes == 4
        assert [takes.has(key(number)) for number in (0, 3, 10, 13)] == [False, False, True, True]
        assert store.clear().takes == 4
        assert store.verify().damaged == []
        assert store.size() == (0, 0)
    assert files(folder) == [folder / "takes" / "00" / "song.flac"]
    assert (folder / "my notes.txt").exists()
    assert (folder / "takes" / "00" / "cover.png").exists()


# The disk


class TimedDisk:
    """A disk that takes a second for everything, on a clock of its own; `synced` are the files it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.synced = 1000.0, list[int]()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, descriptor: int) -> None:
        self.now += 1.0
        facts = os.fstat(descriptor)
        if stat.S_ISREG(facts.st_mode):
            self.synced.append(facts.st_ino)


def test_a_take_is_on_the_disk_when_it_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    with takes_in(folder) as takes:
        takes.put(key(1), sound(1), RATE)
        (path,) = files(folder)
        assert synced == [path.stat().st_ino, path.parent.stat().st_ino]


def test_a_slow_disk_is_waited_for_a_twentieth_of_the_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = TimedDisk(monkeypatch)
    with takes_in(folder) as takes:
        opened, waited = disk.now, 0.0
        for number in range(400):
            before = disk.now
            takes.put(key(number), sound(number, 40), RATE)
            waited += disk.now - before
            disk.now += 1.0
            assert waited <= SYNC_SHARE * (disk.now - opened) + 2.0
        assert waited >= SYNC_SHARE * (disk.now - opened) - 2.0
        before, begun = len(disk.synced), disk.now
    assert len(disk.synced) == before + 1, "at the end it is waited for a second, which is one more take"
    assert disk.now - begun == 2.0


def test_a_quick_disk_has_every_take(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = TimedDisk(monkeypatch)
    with takes_in(folder) as takes:
        for number in range(20):
            takes.put(key(number), sound(number, 40), RATE)
            disk.now += 60.0
        assert sorted(disk.synced) == sorted(path.stat().st_ino for path in files(folder))


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
    with Store(folder, limit_bytes=limit, memory_bytes=0) as store, store.for_book("") as takes:
        for number, step in steps:
            there = takes.has(key(number))
            if step == "put":
                takes.put(key(number), sound(number), RATE)
            elif there:
                assert same(takes, number)
            if step == "put" or there:
                used = [*(other for other in used if other != number), number]
            kept = [other for other in range(12) if takes.has(key(other))]
            assert store.size().bytes == sum(path.stat().st_size for path in files(folder)) <= limit
            used = used[len(used) - len(kept) :]
            assert kept == sorted(used)


def test_room_is_made_for_some_takes_at_once(folder: Path) -> None:
    """At the limit a twentieth of it becomes free, so that the next takes cost no search for old ones."""
    one = len(flac.seal(sound(0, 99), RATE, flac.Label(key(0), "")))
    with Store(folder, limit_bytes=100 * one, memory_bytes=0) as store, store.for_book("") as takes:
        for number in range(200):
            takes.put(key(number), sound(number, 99), RATE)
            if store.size().takes <= number:
                break
    assert 90 * one < store.size().bytes <= (1 - ROOM_SHARE) * 100 * one


def test_where_nothing_can_make_room_it_is_not_looked_for_at_every_take(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[int] = []
    search = Index.least_recently_used

    def counted(index: Index) -> list[tuple[str, int]]:
        searches.append(number)
        return search(index)

    monkeypatch.setattr(Index, "least_recently_used", counted)
    one = len(flac.seal(sound(0, 99), RATE, flac.Label(key(0), "long")))
    with takes_in(folder, "long", limit_bytes=400 * one) as takes:
        for number in range(440):
            takes.put(key(number), sound(number, 99), RATE)
    assert 395 < searches[0] < 405
    assert 5 < len(searches) <= 12, "about once for every hundredth of the limit"


def fill(takes: BookTakes, numbers: Iterable[int]) -> None:
    for number in numbers:
        takes.put(key(number), sound(number), RATE)


def test_takes_of_an_open_book_never_make_room(folder: Path) -> None:
    with Store(folder) as store, store.for_book("old") as takes:
        fill(takes, range(8))
        one = store.size().bytes // 8
    with takes_in(folder, "mine") as takes:
        fill(takes, range(20, 24))
    small = {"limit_bytes": int(one * 6.5), "memory_bytes": 0}
    with takes_in(folder, "other"), takes_in(folder, "mine", **small) as takes:
        with takes_in(folder, "other") as other:
            fill(other, [40])
        fill(takes, range(24, 34))
        assert not any(takes.has(key(number)) for number in range(8))
        assert all(same(takes, number) for number in [*range(20, 34), 40])


def test_all_books_that_one_process_has_open_keep_their_takes_until_they_are_closed(folder: Path) -> None:
    one = len(flac.seal(sound(0), RATE, flac.Label(key(0), "")))
    with Store(folder, limit_bytes=int(one * 6.5), memory_bytes=0) as store:
        views = [store.for_book(book) for book in ("a", "b", "a")]
        for number in range(30):
            views[number % 2].put(key(number), sound(number), RATE)
        assert len(files(folder)) == 30
        views[2].close()
        fill(views[1], [30])
        assert len(files(folder)) == 31, "book a is open in another view"
        views[0].close()
        fill(views[1], range(31, 33))
        assert [views[1].has(key(number)) for number in (0, 28)] == [False, False]
        assert all(same(views[1], number) for number in (1, 29, *range(30, 33)))
        views[1].close()
        fill(views[1], [33])
        assert store.size().bytes <= one * 6.5


def test_a_view_that_is_closed_closes_no_other(folder: Path) -> None:
    with Store(folder) as store:
        views = [store.for_book(f"book {number:02}") for number in range(12)]
        for number, view in enumerate(views):
            assert view.claim(key(number))
        views[0].close()
        views[0].close()
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
            books = index.execute("SELECT book FROM session ORDER BY book").fetchall()
            claims = index.execute("SELECT key FROM claim ORDER BY key").fetchall()
    assert [book for (book,) in books] == [f"book {number:02}" for number in range(1, 12)]
    assert [claimed for (claimed,) in claims] == [key(number) for number in range(1, 12)]


def test_what_another_book_hears_from_memory_becomes_its_own_too(folder: Path) -> None:
    with Store(folder) as store, store.for_book("heard last") as last, store.for_book("heard first") as first:
        fill(first, range(3))
        assert same(last, 1)
        assert {book: size.takes for book, size in store.books().items()} == {"heard first": 2, "heard last": 1}


def test_fifty_views_share_one_connection_and_one_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, connections = sqlite3.connect, []

    def counted(*arguments: object, **options: object) -> sqlite3.Connection:
        connections.append(connect(*arguments, **options))  # type: ignore[call-overload]
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", counted)
    room_for_two = 2 * sound(0).nbytes
    with Store(folder, memory_bytes=room_for_two) as store:
        views = [store.for_book(f"book {number}") for number in range(50)]
        for number, view in enumerate(views):
            fill(view, [number])
        assert len(connections) == 1
        for path in files(folder):
            path.unlink()
        assert [view.get(key(49)) is not None for view in views] == [True] * 50
        assert [number for number in range(50) if views[0].has(key(number))] == [48, 49]


def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    memory = MemoryTakes(3 * sound(0).nbytes)
    for number in range(4):
        memory.put(key(number), sound(number), RATE)
        assert same(memory, 1) or number < 1
    assert [memory.has(key(number)) for number in range(4)] == [False, True, True, True]
    memory.put(key(9), sound(9, 24000), RATE)
    assert not memory.has(key(9))


# The index is not needed


def heap_of_takes(folder: Path) -> None:
    for book in ("one", "two"):
        with takes_in(folder, book) as takes:
            for number in range(20):
                takes.put(key(number + 100 * (book == "two")), sound(number), RATE)


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
    elif damage != "deleted":
        changed = {"emptied": b"", "rubbish": os.urandom(len(data)), "cut": data[: len(data) // 2 + 7]}
        index.write_bytes(changed[damage])
    with Store(folder) as store, store.for_book("three") as takes:
        assert store.books() == known
        assert takes.get(key(3)) is not None
        takes.put(key(999), sound(9), RATE)
        assert store.size().takes == 41


def spoil(index: Path) -> None:
    """Overwrite the index that somebody has open."""
    for ending in ("-wal", "-shm", ""):
        path = index.with_name(f"{index.name}{ending}")
        path.write_bytes(os.urandom(path.stat().st_size))


def test_an_index_that_breaks_while_in_use_is_written_anew(folder: Path) -> None:
    heap_of_takes(folder)
    with Store(folder) as store, store.for_book("one") as takes:
        spoil(folder / "index.sqlite")
        assert takes.claim(key(300))
        with store.for_book("") as other:
            assert not other.claim(key(300))
        for number in range(300, 310):
            takes.put(key(number), sound(number), RATE)
            assert same(takes, number)
        assert store.books()["two"].takes == 20
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
            assert index.execute("SELECT book FROM session").fetchall() == [("one",)], "it is still open"
    with Store(folder) as store:
        assert store.size().takes == 50
        assert store.books()["two"].takes == 20
        assert store.verify().damaged == []


def test_without_an_index_the_files_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(index: Index) -> None:
        raise OSError("the index cannot be written")

    heap_of_takes(folder)
    with Store(folder, limit_bytes=1) as store, store.for_book("three") as takes:
        before = store.books()
        monkeypatch.setattr(Index, "_write_anew", impossible)
        spoil(folder / "index.sqlite")
        assert store.books() == before
        takes.put(key(300), sound(300), RATE)
        assert store.books() == {**before, "three": (1, files(folder)[-1].stat().st_size)}, "nothing made room"
        assert [takes.claim(key(number)) for number in (300, 301, 301)] == [False, True, True]
        takes.release(key(301))
        assert store.clear("one").takes == 20
        assert store.verify().whole == store.size()
        assert store.size().takes == 21


def test_what_stands_in_for_an_index_can_be_asked_all_that_an_index_can() -> None:
    public = {name for name in vars(Index) if not name.startswith("_")} - {"rebuild"}
    for name in public:
        assert signature(getattr(NoIndex, name)) == signature(getattr(Index, name)), name


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
    with Store(folder, memory_bytes=0) as store, store.for_book("") as takes:
        takes.put(key(999), sound(9), RATE)
        assert all(same(takes, number) for number in range(20))
        assert store.verify().whole.takes == 41
        assert takes.damaged == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        "UPDATE take SET key = x'8081' WHERE key LIKE '%005'",
        "UPDATE take SET key = key || char(0) WHERE key LIKE '%005'",
        "UPDATE take SET key = 'b2:../../diary' WHERE key LIKE '%005'",
        "UPDATE take SET size = 'long' WHERE book = 'one'",
        "UPDATE take SET size = 1.5 WHERE key LIKE '%005'",
        "UPDATE take SET book = x'80' WHERE key LIKE '%005'",
        "INSERT INTO session VALUES ('7-0' || char(0), 'two')",
        "INSERT INTO session VALUES ('../../7', 'two')",
        "INSERT INTO claim VALUES ('b2:', x'80', 1)",
    ],
)
def test_an_index_that_says_what_was_never_written_is_written_anew(folder: Path, nonsense: str) -> None:
    heap_of_takes(folder)
    (folder.parent / "diary.flac").write_text("mine")
    with Store(folder) as store:
        known = store.books()
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index, index:
        index.execute(nonsense)
    with Store(folder) as store, store.for_book("three") as takes:
        assert store.books() == known
        assert store.verify().whole.takes == store.size().takes == 40
        assert takes.claim(key(500))
    with Store(folder, limit_bytes=1) as store, store.for_book("three") as takes:
        takes.put(key(500), sound(500), RATE)
        assert store.size().takes == 1
    assert (folder.parent / "diary.flac").exists()


def test_an_index_held_by_somebody_else_does_not_stop_anybody(folder: Path) -> None:
    said: list[str] = []
    with Store(folder, say=said.append) as store, store.for_book("b") as takes:
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            takes.put(key(1), sound(1), RATE)
            assert same(takes, 1)
        takes.put(key(2), sound(2), RATE)
        assert store.size().takes == 2
    assert [line.partition(" holds ")[0] for line in said] == ["Another program"]
