"""Processes as members of one engine: the same takes as one alone, whatever becomes of a member."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import psutil
import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Engine, Request
from narrate.engines.members import WorkerMember
from narrate.engines.pool import Reply, Trouble
from narrate.engines.processes import shared_out
from narrate.engines.table import engine_name, load_engine
from narrate.engines.worker import Message
from narrate.errors import EngineError, InputError
from narrate.voice import Voice
from tests.speech import a_chunk, clips_of, requests, whole
from tests.terminal import wait_until


def pooled(spec: str) -> Iterator[Engine]:
    engine = load_engine(spec)
    engine.prepare(Voice(), OFF)
    yield engine
    engine.close()


@pytest.fixture
def tones() -> Iterator[Engine]:
    yield from pooled("pool:2*tone:c=0.01")


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "narrate.engines.worker" in " ".join(child.cmdline())
    except psutil.Error:  # it has ended
        return False


def alone(spec: str, asked: list[Request]) -> dict[str, Clip]:
    engine = load_engine(spec)
    engine.prepare(Voice(), OFF)
    clips = whole(clips_of(engine, asked))
    engine.close()
    return clips


def assert_same(ours: dict[str, Clip], theirs: dict[str, Clip]) -> None:
    assert ours.keys() == theirs.keys()
    for name, clip in ours.items():
        assert clip.failure is None
        assert np.array_equal(clip.samples, theirs[name].samples)


def test_a_pool_is_what_its_members_are(tones: Engine) -> None:
    one = load_engine("tone")
    assert (tones.name, tones.abilities, tones.fingerprint) == (one.name, one.abilities, one.fingerprint)
    assert tones.sample_rate == one.sample_rate
    with pytest.raises(InputError, match="has no voice 'nobody'"):
        tones.check(Voice(name="nobody"))


def test_both_members_work_and_the_takes_are_those_of_one(tones: Engine) -> None:
    asked = requests([a_chunk(index) for index in range(60)])
    assert_same(whole(clips_of(tones, asked)), alone("tone", asked))
    assert len(children()) == 2


def test_a_member_that_is_killed_loses_nothing_and_comes_back(tones: Engine) -> None:
    luck = random.Random(0)
    asked = requests([a_chunk(index) for index in range(150)])
    clips: list[Clip] = []
    kills = 0
    for some in tones.synthesize(iter(asked)):
        clips += some
        if some and kills < 6 and len(clips) > 20 * (kills + 1) and (alive := children()):
            os.kill(luck.choice(alive).pid, signal.SIGKILL)
            kills += 1
    assert kills == 6
    assert_same(whole(clips), alone("tone", asked))


def test_a_text_over_which_members_die_is_named() -> None:
    """A process that ends over one chunk is started again; after some it is the chunk's fault."""
    engine = next(pool := pooled("pool:2*tone:raise=3"))
    clips = whole(clips_of(engine, requests([a_chunk(index) for index in range(10)])))
    assert [clip.index for clip in clips.values() if clip.failure] == [3]
    assert len(clips) == 10
    next(pool, None)


def test_requests_are_cancelled_and_others_are_not(tones: Engine) -> None:
    pulled: list[str] = []

    def asked() -> Iterator[Request]:
        for request in requests([a_chunk(index) for index in range(80)]):
            pulled.append(request.id)
            yield request

    clips: list[Clip] = []
    cancelled: set[str] = set()
    for some in tones.synthesize(asked()):
        if some and not cancelled:
            cancelled = set(pulled[-10:]) - {clip.request_id for clip in some}
            tones.cancel(cancelled)
        clips += some
    assert cancelled
    assert {clip.request_id for clip in clips} == set(pulled) - cancelled


def test_closing_it_leaves_no_process_behind() -> None:
    before = len(children())
    engine = next(pool := pooled("pool:3*tone"))
    assert len(children()) == before + 3
    engine.close()
    deadline = time.monotonic() + 10
    while len(children()) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(children()) == before
    next(pool, None)


def test_an_engine_that_cannot_be_loaded_says_why() -> None:
    engine = load_engine("pool:2*tone")
    with pytest.raises(EngineError, match="has no voice 'nobody'"):
        engine.prepare(Voice(name="nobody"), OFF)
    engine.close()


@pytest.mark.parametrize("spec", ["pool:", "pool:2", "pool:0*tone", "pool:x*tone", "pool:1000*tone"])
def test_what_is_no_pool_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match=r"pool:2\*espeak"):
        load_engine(spec)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("espeak", "espeak"),
        ("tone:rtf=0.4", "tone"),
        ("pool:2*tone:rtf=0.4", "tone"),
        ("https://host:1", "http"),
        ("http:localhost:8040", "http"),
        ("auto", "auto"),
    ],
)
def test_the_name_of_the_engine_that_speaks(spec: str, name: str) -> None:
    assert engine_name(spec) == name


def test_cores_are_shared_out() -> None:
    assert shared_out([0, 1, 2, 3], 2) == [(0, 2), (1, 3)]
    assert shared_out([0, 1, 2], 2) == [(0, 2), (1,)]
    assert shared_out([0], 2) == [(), ()]


def test_an_export_over_a_pool_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from narrate.cli.main import run

    sample = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path / "home"))
    for name, engine in (("one.wav", "tone"), ("two.wav", "pool:2*tone")):
        assert run([str(sample), "-e", engine, "--no-store", "-q", "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


class Puppet:
    """A `Line` to a worker that does as the test says."""

    def __init__(self, on_prepare: Message | None) -> None:
        self.on_prepare = on_prepare  # what it says then; None: it dies
        self.told: list[Message] = []
        self.said: SimpleQueue[Message | None] = SimpleQueue()

    def tell(self, message: Message) -> None:
        self.told.append(message)
        if message[0] == "prepare":
            self.said.put(self.on_prepare)

    def hear(self) -> list[Message]:
        message = self.said.get()
        if message is None:
            raise EOFError("signal 9")
        return [message]

    def close(self) -> None:
        self.said.put(None)


READY = ("ready", 24_000)


def led(*on_prepare: Message | None) -> tuple[WorkerMember, list[Puppet]]:
    lines: list[Puppet] = []

    def start() -> Puppet:
        lines.append(Puppet(on_prepare[len(lines)]))
        return lines[-1]

    return WorkerMember("puppet", start, "tone"), lines


def test_a_member_that_dies_while_it_is_loading_is_started_again_and_not_for_ever() -> None:
    member, lines = led(None, None, READY)
    member.prepare(Voice(), OFF)
    assert (len(lines), member.ready, member.sample_rate) == (3, True, 24_000)
    member, lines = led(None, None, None)
    with pytest.raises(EngineError, match=r"puppet: its worker ended \(signal 9\) while it was loading"):
        member.prepare(Voice(), OFF)
    member, lines = led(("refused", "it has no voice"))
    with pytest.raises(EngineError, match="puppet: it has no voice"):
        member.prepare(Voice(), OFF)
    assert len(lines) == 1


def test_actors_that_are_lost_while_they_are_loading_are_started_again_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from narrate.engines import ray

    monkeypatch.setattr(ray, "FIRST_REST_SECONDS", 0.0)

    def actors(*members: WorkerMember) -> ray.RayWorkers:
        engine = ray.RayWorkers(load_engine("tone"), "tone", None, {}, address=None, workers=2, wants_gpu=False)
        engine.workers = members
        return engine

    (one, first), (other, second) = led(None, None, READY), led(None, None, None)
    actors(one, other).prepare(Voice(), OFF)
    assert (one.ready, other.ready, len(first), len(second)) == (True, False, 3, 3)
    (one, first), (other, second) = led(None, None, None), led(None, None, None)
    with pytest.raises(EngineError, match="No actor could begin: its worker ended"):
        actors(one, other).prepare(Voice(), OFF)
    (one, first), (other, second) = led(("refused", "an old version")), led(("refused", "an old version"))
    with pytest.raises(EngineError, match="No actor could begin: an old version"):
        actors(one, other).prepare(Voice(), OFF)
    assert len(first) == len(second) == 1


def test_a_member_that_is_closed_no_longer_listens() -> None:
    ended = []

    class Slow(Puppet):
        def hear(self) -> list[Message]:
            try:
                return super().hear()
            except EOFError:
                time.sleep(0.3)
                ended.append(True)
                raise

    member = WorkerMember("puppet", lambda: Slow(READY), "tone")
    member.prepare(Voice(), OFF)
    member.close()
    assert ended


def test_a_worker_gives_all_back_and_takes_nothing_until_it_is_ready_again() -> None:
    member, lines = led(READY, ("begun", ""), READY)
    member.prepare(Voice(), OFF)
    replies: SimpleQueue[Reply] = SimpleQueue()
    first, second, third = requests([a_chunk(index) for index in range(3)])
    for request in (first, second):
        member.send(request, replies.put, pieces=False)
    lines[0].said.put(("begun", first.id))
    lines[0].said.put(None)
    lost = {(reply := replies.get(timeout=20)).request_id: reply.trouble for _ in range(2)}
    assert lost == {first.id: Trouble.LOST, second.id: Trouble.AWAY}  # only what it had begun may be at fault
    assert member.slots > 0
    member.send(third, replies.put, pieces=False)
    assert replies.get(timeout=20).trouble is Trouble.BUSY
    assert [len(lines), member.slots, member.running] == [2, 0, 0]
    lines[1].said.put(("refused", "its GPU is gone"))
    wait_until(lambda: member.line is None, "that it has ended")
    member.send(third, replies.put, pieces=False)
    answer = replies.get(timeout=20)
    assert (answer.trouble, answer.why) == (Trouble.AWAY, "its GPU is gone")
    wait_until(lambda: member.slots > 0, "that it is ready")
    member.close()
