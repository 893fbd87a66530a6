"""Graphs, devices and the end of runners, with a stand-in for CUDA: what would only show on a GPU."""

from __future__ import annotations

import gc
import logging
import random
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.clock import OFF
from narrate.engines import Request
from narrate.engines.qwen.models import find_model
from narrate.engines.qwen.options import Sampling
from narrate.voice import Voice
from tests.qwen_checkpoint import Kind
from tests.qwen_fixtures import out_of_memory
from tests.speech import a_chunk, a_request, clips_of, requests, whole

torch = pytest.importorskip("torch", reason="the qwen extra is not installed")

from narrate.engines.qwen.graphs import Graphs  # noqa: E402
from tests.cuda_stand_in import GPU, StandIn, on_gpu  # noqa: E402

pytest_plugins = ("tests.qwen_fixtures", "tests.cuda_stand_in")
pytestmark = pytest.mark.slow
WORDS = "a bell rang twice and the whole house woke at once while snow fell".split()


@pytest.fixture
def graphs(cuda: StandIn) -> Iterator[Graphs]:
    """Under their device."""
    from narrate.engines.qwen.device import computing_on

    with computing_on(GPU):
        yield Graphs(GPU)


@pytest.fixture
def count() -> Any:
    return torch.zeros(3)


def test_work_runs_once_as_written_and_is_then_played(cuda: StandIn, graphs: Graphs, count: Any) -> None:
    for number in range(1, 5):
        graphs.run("count", lambda: count.add_(1))
        assert count.tolist() == [number] * 3
    assert [graph.played for graph in cuda.graphs] == [3]
    assert cuda.modes == {"thread_local"}
    assert graphs.recordings == 1
    assert graphs.settled("count")
    assert not graphs.settled("another")


def test_a_thread_that_records_has_run_the_work_before(cuda: StandIn, graphs: Graphs, count: Any) -> None:
    """CUDA's libraries keep something for every thread, which they cannot make while something is recorded."""

    def once() -> None:
        with torch.inference_mode():
            graphs.run("count", lambda: count.add_(1))

    once()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(once).result()
    assert graphs.recordings == 0
    once()
    assert graphs.recordings == 1
    assert count.tolist() == [3] * 3


def test_what_is_recorded_after_the_tensors_moved_gets_a_fresh_pool(cuda: StandIn, graphs: Graphs, count: Any) -> None:
    """Into the old one, which still holds cuBLAS's workspace, nothing more can be recorded."""
    for _ in range(3):
        for _ in range(3):
            graphs.run("count", lambda: count.add_(1))
            graphs.run("double", lambda: count.mul_(2))
        graphs.forget()
    assert graphs.failures == 0
    assert len(cuda.pools) == 3
    assert len(cuda.graphs) == 6


def test_graphs_end_together_newest_first_and_not_while_one_is_played(
    cuda: StandIn, graphs: Graphs, count: Any
) -> None:
    for key in "abc":
        for _ in range(2):
            graphs.run(key, lambda: count.add_(1))
    cuda.told.clear()
    graphs.forget()
    assert cuda.told == ["synchronized", "reset 2", "reset 1", "reset 0"]
    graphs.forget()
    assert len(cuda.told) == 4


@pytest.mark.parametrize("where", ["work", "end", "begin"])
def test_what_cannot_be_recorded_runs_as_it_is_written(
    cuda: StandIn, graphs: Graphs, count: Any, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """For ever, and said once; everything else goes on, in the stream it was in."""

    def work() -> None:
        if cuda.recording and where == "work":
            raise RuntimeError("operation not permitted when stream is capturing")
        count.add_(1)

    graphs.run("fine", lambda: None)
    graphs.run("fine", lambda: None)
    if where == "end":
        cuda.breaks.append(RuntimeError("operation failed"))
    if where == "begin":
        cuda.pools[0].spent = True
    with caplog.at_level(logging.WARNING, logger="narrate"):
        for number in range(1, 5):
            graphs.run("count", work)
            assert count.tolist() == [number] * 3
            assert cuda.stream == "usual"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "more slowly" in caplog.text
    assert graphs.failures == 1
    for _ in range(2):
        graphs.run("another", lambda: count.add_(1))
    assert graphs.recordings == 2
    assert count.tolist() == [6] * 3


def test_memory_that_runs_out_while_recording_is_told_from_other_failures(cuda: StandIn, graphs: Graphs) -> None:
    """Torch says something else then: that the recording failed because of a previous error."""

    def work() -> None:
        if cuda.recording:
            raise out_of_memory()

    graphs.run("work", work)
    with pytest.raises(torch.OutOfMemoryError):
        graphs.run("work", work)
    assert cuda.stream == "usual"


@pytest.fixture(scope="module")
def prompts(checkpoint: Callable[[Kind], Path]) -> Any:
    from narrate.engines.qwen.loading import load
    from narrate.engines.qwen.prompts import Prompts

    folder = checkpoint("custom_voice")
    return Prompts(load(folder, "cpu", "float32"), find_model(str(folder), "float32", None))


@pytest.fixture
def runtime(cuda: StandIn, prompts: Any) -> Any:
    """Four slots on the second GPU."""
    from narrate.engines.qwen.fast import FastRuntime
    from narrate.engines.qwen.prompts import Prompts

    return FastRuntime(Prompts(on_gpu(prompts.package), prompts.model), Sampling(), 4)


def script(count: int) -> list[Request]:
    luck = random.Random(5)
    return requests(a_chunk(index, f"{' '.join(luck.choices(WORDS, k=luck.randint(1, 5)))}.") for index in range(count))


def takes_of(engine: Any, asked: list[Request]) -> dict[str, Any]:
    clips = whole(clips_of(engine, asked))
    assert not [clip.failure for clip in clips.values() if clip.failure]
    return {name: clip.samples for name, clip in clips.items()}


@pytest.fixture(scope="module")
def healthy(prompts: Any) -> dict[str, Any]:
    """The takes without graphs."""
    from narrate.engines.qwen.fast import FastRuntime

    return takes_of(FastRuntime(prompts, Sampling(), 4), [*script(7), LONG])


LONG = a_request(a_chunk(50, f"{' '.join(WORDS * 2)}."))


def assert_same(takes: dict[str, Any], healthy: dict[str, Any]) -> None:
    for name, samples in takes.items():
        np.testing.assert_allclose(samples, healthy[name], atol=1e-4)


def test_recorded_frames_on_a_second_gpu_make_the_same_takes(
    cuda: StandIn, runtime: Any, healthy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of rows seated while another block is on its way, and after slots have grown and all was recorded anew."""
    from narrate.engines.qwen import runner

    monkeypatch.setattr(runner, "_FIRST_CAPACITY", 128)
    takes = takes_of(runtime, script(7))
    assert_same(takes, healthy)
    assert takes.keys() == {request.id for request in script(7)}
    graphs = runtime._runner.graphs
    assert graphs.recordings == len(cuda.living) > 3
    assert sum(graph.played for graph in cuda.graphs) > 40
    assert cuda.device == torch.device("cuda", 0)
    assert cuda.cudnn_attention
    assert_same(takes_of(runtime, [*script(2), LONG]), healthy)
    assert len(cuda.pools) > 1
    assert graphs.failures == 0


def test_a_waiting_ear_gets_its_piece_before_the_next_block_is_begun(
    runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from narrate.engines.qwen.runner import Runner

    blocks: list[int] = []
    advance = Runner.advance

    def counted(self: Any, *arguments: Any) -> Any:
        blocks.append(0)
        return advance(self, *arguments)

    monkeypatch.setattr(Runner, "advance", counted)
    asked = [a_request(LONG.chunk, due=lambda: OFF.now() - 1.0), *script(3)]
    first = next(clips for clips in runtime.synthesize(asked) if clips)
    assert not first[0].final
    assert len(blocks) == 1


def test_the_next_block_is_begun_before_the_sound_of_the_last_is_looked_at(
    cuda: StandIn, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from narrate.engines.qwen.runner import Runner
    from narrate.engines.qwen.seats import BlockResult

    told: list[str] = []
    advance, samples = Runner.advance, BlockResult.samples

    def begun(self: Any, *arguments: Any) -> Any:
        told.append("begun")
        return advance(self, *arguments)

    def looked_at(self: Any) -> Any:
        told.append("looked at")
        return samples(self)

    monkeypatch.setattr(Runner, "advance", begun)
    monkeypatch.setattr(BlockResult, "samples", looked_at)
    assert len(takes_of(runtime, script(5))) == 5
    assert told[:5] == ["begun", "begun", "looked at", "begun", "looked at"]
    assert told[-2:] == ["looked at", "looked at"]
    assert told.count("begun") == told.count("looked at")


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_what_the_device_writes_by_itself_has_no_gaps(cuda: StandIn, rows: int) -> None:
    """Into memory with gaps torch would copy by way of other memory, before the device has written that."""
    from narrate.engines.qwen.device import computing_on
    from narrate.engines.qwen.seats import BlockResult, Outbox, State

    with computing_on(GPU):
        state, outbox = State(4, 30, torch.zeros(8)), Outbox(4, 6, at_leisure=True)
        state.frame += torch.arange(5)
        state.broken[1] = True
        told, sound = outbox.tell(state, rows), outbox.sound(torch.ones(rows, 6))
    assert told[0].is_contiguous()
    assert sound[0].is_contiguous()
    frames, ended, broken = BlockResult(*told, *sound).rows()
    assert (frames, ended) == ([0, 1, 2, 3][:rows], [True] * rows)
    assert broken == [False, True, False, False][:rows]


def test_two_blocks_on_their_way_do_not_meet(cuda: StandIn) -> None:
    from narrate.engines.qwen.device import computing_on
    from narrate.engines.qwen.seats import BlockResult, Outbox, State

    with computing_on(GPU):
        state, outbox = State(2, 30, torch.zeros(8)), Outbox(2, 6, at_leisure=True)
        blocks = []
        for number in (1, 2):
            state.frame.fill_(number)
            blocks.append(BlockResult(*outbox.tell(state, 2), *outbox.sound(torch.full((2, 6), float(number)))))
    for number, block in enumerate(blocks, start=1):
        assert block.rows()[0] == [number] * 2
        assert (block.samples() == number).all()


def test_what_ended_in_the_last_block_and_is_cancelled_then_is_not_spoken(runtime: Any) -> None:
    from narrate.engines.qwen.hearing import Table

    asked = script(5)
    hear, cancelled = Table.hear, []

    def hear_and_cancel(self: Any, block: Any, runner: Any) -> None:
        hear(self, block, runner)
        if (ended := self.ended()) and not cancelled:
            cancelled.append(ended[0].id)
            runtime.cancel([ended[0].id])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "hear", hear_and_cancel)
        clips = clips_of(runtime, asked)
    assert {clip.request_id for clip in clips} == {request.id for request in asked} - set(cancelled)
    assert runtime._in_hand.requests == []


def test_memory_that_runs_out_while_recording_shrinks_the_slots_and_loses_nothing(
    cuda: StandIn, runtime: Any, healthy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what silence sounds like is not found out again."""
    from narrate.engines.qwen import fast

    found: list[int] = []
    monkeypatch.setattr(fast, "silent_codes", lambda tokenizer: found.append(1) or [])
    cuda.breaks += [torch.OutOfMemoryError("CUDA out of memory.")]
    assert_same(takes_of(runtime, script(7)), healthy)
    assert runtime.slots == 2
    assert len(found) == 1


def test_a_shape_that_cannot_be_recorded_costs_speed_alone(
    cuda: StandIn, runtime: Any, healthy: dict[str, Any]
) -> None:
    cuda.breaks += [RuntimeError("not permitted when stream is capturing")]
    assert_same(takes_of(runtime, script(7)), healthy)
    assert runtime.slots == 4
    assert runtime._runner.graphs.failures == 1


def test_a_runner_dies_when_it_is_dropped(cuda: StandIn, prompts: Any, runtime: Any) -> None:
    """Without the garbage collector: its memory must be free before the next one takes as much."""
    from narrate.engines.qwen.runner import Runner

    list(runtime.synthesize(script(2)))
    gc.disable()
    try:
        without_graphs = Runner(prompts.package, prompts.package._merge_generate_kwargs(), 2)
        of_both = [without_graphs, runtime._runner]
        watched = [weakref.ref(part) for one in of_both for part in (one, one._cache, one.vocoder, one._state)]
        runtime._runner = None
        del without_graphs, of_both
        assert [one() for one in watched] == [None] * 8
    finally:
        gc.enable()


def test_after_an_error_the_graphs_go_before_anything_new_is_built(
    cuda: StandIn, runtime: Any, attention_fails: Any, healthy: dict[str, Any]
) -> None:
    """Whoever holds the error holds no memory with it."""
    errors = [RuntimeError("device-side assert triggered")]
    attention_fails(lambda call: errors.pop() if call > 60 and errors and not cuda.recording else None)
    with pytest.raises(RuntimeError, match="device-side") as caught:
        clips_of(runtime, script(7))
    assert runtime._runner is None
    assert cuda.living == []
    recorded = len(cuda.graphs)
    assert recorded
    assert [line for line in cuda.told if line.startswith("reset")] == [f"reset {n}" for n in reversed(range(recorded))]
    assert_same(takes_of(runtime, script(7)), healthy)
    del caught


def test_a_device_that_refuses_everything_does_not_hide_the_first_error(
    cuda: StandIn, runtime: Any, attention_fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(device: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    def fail(call: int) -> Exception | None:
        if call <= 60 or cuda.recording:
            return None
        monkeypatch.setattr(torch.cuda, "synchronize", refuse)
        return RuntimeError("device-side assert triggered")

    attention_fails(fail)
    with pytest.raises(RuntimeError, match="device-side"):
        clips_of(runtime, script(7))
    assert runtime._runner is None


def test_what_a_book_needs_is_recorded_before_it_begins(cuda: StandIn, runtime: Any, healthy: dict[str, Any]) -> None:
    from narrate.engines.qwen import fast

    runtime.prepare(Voice(), OFF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "REHEARSAL_SECONDS", 600.0)
        runtime.warm_up(Voice())
    recordings = runtime._runner.graphs.recordings
    assert recordings > 12
    assert_same(takes_of(runtime, script(7)), healthy)
    assert runtime._runner.graphs.recordings == recordings


def test_no_more_is_recorded_beforehand_than_there_is_time_for(
    runtime: Any, monkeypatch: pytest.MonkeyPatch, healthy: dict[str, Any]
) -> None:
    """What the first sound needs comes first."""
    from narrate.engines.qwen import fast

    monkeypatch.setattr(fast, "REHEARSAL_SECONDS", 0.0)
    runtime.warm_up(Voice())
    few = runtime._runner.graphs.recordings
    assert few < 6
    assert_same(takes_of(runtime, script(7)), healthy)


def test_rows_that_do_not_advance_are_given_up(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the device says, the host counts: no row is computed for more than two blocks past its limit."""
    from narrate.engines.qwen.guard import allowance
    from narrate.engines.qwen.runner import Runner
    from narrate.engines.qwen.seats import BLOCK, State

    blocks: list[int] = []
    advance = Runner.advance

    def counted(self: Any, *arguments: Any) -> Any:
        blocks.append(0)
        return advance(self, *arguments)

    monkeypatch.setattr(Runner, "advance", counted)
    begin = State.begin

    def begin_dead(self: Any, seats: Any) -> None:
        """As if the device had computed nothing: rows that neither advance nor end."""
        begin(self, seats)
        self.frame = torch.zeros_like(self.frame)

    monkeypatch.setattr(State, "begin", begin_dead)
    monkeypatch.setattr(Runner, "_work", lambda self, shape: None)
    (clip,) = clips_of(runtime, script(1))
    assert "stood still" in str(clip.failure)
    limit = allowance(script(1)[0].chunk).limit
    assert limit < BLOCK * len(blocks) <= limit + 2 * BLOCK
