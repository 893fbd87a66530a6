"""Actors of a Ray cluster as members: the same takes as one engine alone, whatever becomes of an actor or a machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Request
from narrate.engines.ray import RayWorkers, parse
from narrate.engines.table import engine_name, load_engine
from narrate.errors import InputError
from narrate.voice import Voice
from tests.speech import a_chunk, requests, whole
from tests.test_pool import alone, assert_same

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
ENGINE = "tone:c=0.02"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", (None, None, "qwen")),
        ("workers=4,engine=espeak", (None, 4, "espeak")),
        ("head:6379", ("head:6379", None, "qwen")),
        ("head:6379,workers=2,engine=tone:c=0.02,fail=3", ("head:6379", 2, "tone:c=0.02,fail=3")),
    ],
)
def test_what_stands_after_ray(text: str, found: object) -> None:
    assert parse(text) == found
    assert engine_name(f"ray:{text}") == found[2].partition(":")[0]  # type: ignore[index]


@pytest.mark.parametrize("text", ["workers=0", "workers=x", "host,other", "slots=4"])
def test_what_is_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="-e ray"):
        parse(text)


ray = pytest.importorskip("ray", reason="the package ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """A cluster whose first machine has room for two actors; others may join."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(ROOT)  # where its machines find narrate
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield found
    ray.shutdown()
    found.shutdown()


def an_engine(cluster: object, workers: int) -> RayWorkers:
    engine = load_engine(f"ray:{cluster.address},workers={workers},engine={ENGINE}")  # type: ignore[attr-defined]
    assert isinstance(engine, RayWorkers)
    engine.prepare(Voice(), OFF)
    return engine


def all_ready(engine: RayWorkers, count: int) -> bool:
    return sum(member.ready for member in engine.workers) == count


def wait_until(engine: RayWorkers, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not all_ready(engine, count):
        assert time.monotonic() < deadline, f"waited in vain for {count} actors"
        time.sleep(0.05)


def some(count: int) -> list[Request]:
    return requests([a_chunk(index) for index in range(count)])


def test_an_actor_that_is_killed_loses_nothing_and_another_takes_its_place(cluster: object) -> None:
    engine = an_engine(cluster, 2)
    wait_until(engine, 2)
    clips: list[Clip] = []
    kills = 0
    for found in engine.synthesize(iter(some(200))):
        clips += found
        if found and kills < 4 and len(clips) > 30 * (kills + 1):
            line = engine.workers[kills % 2].line
            if line is not None:
                ray.kill(line.actor)  # type: ignore[attr-defined]
                kills += 1
    assert kills == 4
    assert_same(whole(clips), alone("tone", some(200)))
    engine.close()


def test_a_machine_joins_and_leaves_while_a_book_is_read(cluster: object) -> None:
    """Of three actors one waits for a machine with room for it."""
    engine = an_engine(cluster, 3)
    wait_until(engine, 2)
    second = cluster.add_node(num_cpus=1)  # type: ignore[attr-defined]
    wait_until(engine, 3)
    clips: list[Clip] = []
    left = False
    for found in engine.synthesize(iter(some(150))):
        clips += found
        if not left and len(clips) > 40:
            cluster.remove_node(second, allow_graceful=False)  # type: ignore[attr-defined]
            left = True
    assert left
    assert_same(whole(clips), alone("tone", some(150)))
    engine.close()


def test_an_export_over_the_cluster_is_the_same_file(
    cluster: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from narrate.cli.main import run

    sample = ROOT / "samples" / "lighthouse.en.txt"
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path / "home"))
    over = f"ray:{cluster.address},workers=2,engine=tone"  # type: ignore[attr-defined]
    for name, engine in (("one.wav", "tone"), ("two.wav", over)):
        assert run([str(sample), "-e", engine, "--no-store", "-q", "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
