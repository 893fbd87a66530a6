"""The reader's side: pauses, speed, jumps, errors of sinks; nothing made twice, nothing played twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

from narrate.clip import Clip, Samples, join, silence
from narrate.engines.batched import Batched
from narrate.engines.tone import Tone, ToneStream
from narrate.errors import SinkError
from narrate.pipeline import Background, LazyList
from narrate.playback.player import Aborted, Player
from narrate.sinks import Sink
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import chunks


class Listener(Sink):
    """A sink that remembers what it heard, and may do something when a chunk begins to sound."""

    def __init__(self, hears: Callable[[int], object] = lambda _: None) -> None:
        self.heard: list[tuple[int, Samples]] = []
        self.clips: list[Clip] = []
        self.began: list[int] = []
        self.rests = 0
        self.left: BaseException | None | str = "not yet"
        self.threads: set[str] = set()
        self._hears = hears

    def __enter__(self) -> Self:
        self.threads.add(threading.current_thread().name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.threads.add(threading.current_thread().name)
        self.left = error

    def begin(self, chunk: Chunk) -> None:
        self.began.append(chunk.index)

    def rest(self) -> None:
        self.rests += 1

    def write(self, clip: Clip) -> None:
        self.threads.add(threading.current_thread().name)
        self.clips.append(clip)
        new = not self.heard or self.heard[-1][0] != clip.index
        self.heard.append((clip.index, clip.samples))
        if new:
            self._hears(clip.index)

    @property
    def order(self) -> list[int]:
        """The chunks as they sounded, each once per time it began."""
        return [index for place, (index, _) in enumerate(self.heard) if not place or self.heard[place - 1][0] != index]

    @property
    def samples(self) -> Samples:
        return join(samples for _, samples in self.heard)


def a_player(
    script: list[Chunk], sink: Any, *, listening: bool = True, takes: Any = None, kind: Any = Tone, **options: Any
) -> Player:
    engine = kind(rate=8000, **{"sleep": lambda _: None, **options})
    engine = engine if kind is ToneStream else Batched(engine)
    voice = Voice()
    takes = MemoryTakes() if takes is None else takes
    narrator = Narrator(engine, voice, takes, lambda chunk: take_key(engine.fingerprint, voice, chunk))
    return Player(LazyList(script), narrator, [lambda _: sink], listening=listening)


def due_samples(player: Player, script: list[Chunk]) -> Samples:
    """What playing straight through gives: every take and the pause after it."""
    clips = player.narrator.clips(script)
    return join(part for clip in clips for part in (clip.samples, silence(script[clip.index].pause, clip.sample_rate)))


@pytest.mark.parametrize("listening", [True, False])
def test_takes_and_pauses_in_order(listening: bool) -> None:
    script, ear = chunks(12), Listener()
    player = a_player(script, ear, listening=listening)
    player.play()
    assert ear.order == list(range(12))
    assert np.array_equal(ear.samples, due_samples(player, script))


@pytest.mark.parametrize("listening", [True, False])
@pytest.mark.parametrize("kind", [Tone, ToneStream])
def test_a_chunk_begins_then_sounds_with_one_final_clip_then_pauses(listening: bool, kind: Any) -> None:
    script, ear = chunks(12), Listener()
    player = a_player(script, ear, listening=listening, kind=kind)
    player.play()
    assert ear.began == list(range(12))
    assert [clip.index for clip in ear.clips if clip.final] == list(range(12))
    for chunk in script:
        clips = [clip for clip in ear.clips if clip.index == chunk.index]
        last = next(place for place, clip in enumerate(clips) if clip.final)
        assert not any(clip.pause for clip in clips[: last + 1])
        assert all(clip.pause and not clip.samples.any() for clip in clips[last + 1 :])
        assert sum(clip.seconds for clip in clips[last + 1 :]) == pytest.approx(chunk.pause, abs=1e-3)


def test_the_thread_that_writes_a_sink_enters_and_leaves_it() -> None:
    player = a_player(chunks(5), ear := Listener())
    Background(player.play, "narrate-playing").result()
    assert ear.threads == {"narrate-playing"}
    assert ear.left is None


def test_a_reading_that_is_broken_off_leaves_its_sinks_with_an_error() -> None:
    player: Player = a_player(chunks(50), ear := Listener(lambda index: index == 3 and player.abort()))
    with pytest.raises(Aborted):
        player.play()
    assert isinstance(ear.left, Aborted)
    stopped: Player = a_player(chunks(50), other := Listener(lambda index: index == 3 and stopped.transport.stop()))
    stopped.play()
    assert other.left is None


def test_every_sink_gets_every_sample() -> None:
    script, ear, other = chunks(5), Listener(), Listener()
    player = a_player(script, ear)
    player.openers = [lambda _: ear, lambda _: other]
    player.play()
    assert np.array_equal(ear.samples, other.samples)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.5, 2.0])
def test_speed_is_applied_once_to_speech_and_pauses(speed: float) -> None:
    script, ear = chunks(8), Listener()
    player = a_player(script, ear)
    player.transport.speed = speed
    player.play()
    assert len(ear.samples) == pytest.approx(len(due_samples(player, script)) / speed, rel=0.02)


def test_a_failing_sink_ends_the_playing_with_its_error() -> None:
    def unplug(index: int) -> None:
        if index == 3:
            raise SinkError("the device went away")

    player = a_player(chunks(50), Listener(unplug))
    with pytest.raises(SinkError, match="went away"):
        player.play()
    assert player.index == 3


def test_a_jump_forward_leaves_out_what_lies_between() -> None:
    def skip(index: int) -> None:
        if index == 2:
            while not player.narrator.has_begun(7):
                time.sleep(0.001)
            player.transport.seek(7)

    player = a_player(chunks(40), ear := Listener(skip))
    player.play()
    assert ear.order == [0, 1, 2, *range(7, 40)]
    assert player.narrator.stats.made == 40  # what was on its way was not thrown away


def test_a_jump_far_ahead_starts_there_at_once() -> None:
    script = chunks(600)
    player: Player = a_player(script, ear := Listener(lambda index: index == 2 and player.transport.seek(500)))
    player.play()
    assert ear.order == [0, 1, 2, *range(500, 600)]
    assert player.narrator.stats.made < 300


def test_going_back_plays_the_same_take_again_and_makes_nothing() -> None:
    script, went = chunks(30), []

    def back(index: int) -> None:
        if index == 10 and not went:
            went.append(index)
            player.transport.seek(4)

    player = a_player(script, ear := Listener(back))
    player.play()
    assert ear.order == [*range(11), *range(4, 30)]
    assert player.narrator.stats.made == 30
    first = join(samples for index, samples in ear.heard[: len(ear.heard) // 2] if index == 5)
    assert len(first)


def test_a_jump_during_the_last_chunk_is_followed() -> None:
    went: list[int] = []

    def back(index: int) -> None:
        if index == 11 and not went:
            went.append(index)
            player.transport.seek(9)

    player = a_player(chunks(12), ear := Listener(back))
    player.play()
    assert ear.order == [*range(12), 9, 10, 11]


def test_a_jump_while_speed_is_changed_carries_no_sound_over() -> None:
    """What the stretching holds back of the chunk that is left must not sound in the one that is gone to."""
    script = chunks(10)
    straight = a_player(script, alone := Listener())
    straight.transport.speed = 1.5
    straight.play()
    due = join(samples for index, samples in alone.heard if index >= 6)
    player: Player = a_player(script, ear := Listener(lambda index: index == 2 and player.transport.seek(6)))
    player.transport.speed = 1.5
    player.play()
    assert np.array_equal(join(samples for index, samples in ear.heard if index >= 6), due)


def test_a_jump_does_not_wait_for_what_is_only_planned() -> None:
    """A batch of the first chunks is in the making, and many after them wait for theirs, when the listener jumps."""
    gate = threading.Event()

    def work(_: float) -> None:
        if player.narrator.stats.made:
            assert gate.wait(60)

    def jump(index: int) -> None:
        if index == 0:
            while not player.narrator.has_begun(1):
                time.sleep(0.001)
            player.transport.seek(30)
            gate.set()

    player = a_player(chunks(40), ear := Listener(jump), a=0.01, sleep=work)
    player.play()
    assert ear.order == [0, *range(30, 40)]
    assert player.narrator.stats.made < 20


@pytest.mark.parametrize("aim", [4, 5])
def test_going_back_within_a_chunk_that_comes_in_pieces_starts_it_anew(aim: int) -> None:
    script, went = chunks(10), []

    def back(index: int) -> None:
        if index == 5 and not went:
            went.append(len(ear.heard))
            player.transport.seek(aim)

    player = a_player(script, ear := Listener(back), kind=ToneStream, pieces=4, slots=1)
    player.play()
    rest = join(samples for _, samples in ear.heard[went[0] :])
    assert np.array_equal(rest, due_samples(player, script)[-len(rest) :])
    assert [index for index, _ in ear.heard[went[0] :]][0] == aim
    assert len(rest) == sum(
        len(clip.samples) + round(script[clip.index].pause * clip.sample_rate)
        for clip in player.narrator.clips(script)
        if clip.index >= aim
    )


def test_stopping_ends_at_once() -> None:
    player: Player = a_player(chunks(100), ear := Listener(lambda index: index == 5 and player.transport.stop()))
    player.play()
    assert ear.order == list(range(6))
    assert player.index == 5


def test_pausing_holds_the_sound_and_going_on_loses_none() -> None:
    script = chunks(10)
    player = a_player(script, ear := Listener(lambda index: index == 4 and player.transport.pause()))
    playing = Background(player.play)
    while not ear.rests:
        assert not playing.wait(0.01)
    assert ear.order[-1] == 4
    player.transport.play()
    playing.result()
    assert ear.rests == 1
    assert np.array_equal(ear.samples, due_samples(player, script))


def test_generation_waits_at_the_bound_while_nobody_listens() -> None:
    script = chunks(500)
    player = a_player(script, Listener(lambda index: index == 1 and player.transport.pause()))
    player.ahead_seconds = 30.0
    playing = Background(player.play)
    while player.ready_seconds < 30.0:
        assert not playing.wait(0.01)
    made = player.narrator.stats.made
    assert not playing.wait(0.2)
    assert player.narrator.stats.made - made <= 10  # the batch in hand
    assert made < 100
    player.transport.stop()
    playing.result()


def test_two_hundred_random_jumps_pauses_and_speeds() -> None:
    """Whatever the hand does, the sound is always the chunk that was asked for and those after it."""
    script = chunks(120)
    order = np.random.default_rng(5)
    aims: list[int] = []

    def restless(index: int) -> None:
        assert aims[-1:] == [index] or not aims or index == ear.order[-2] + 1
        if len(aims) < 200:
            aims.append(int(order.integers(0, 110)))
            player.transport.speed = float(order.choice([0.5, 1.0, 1.3, 2.0]))
            player.transport.seek(aims[-1])

    player = a_player(script, ear := Listener(restless), takes=MemoryTakes(1 << 30))
    player.play()
    assert len(aims) == 200
    assert ear.order[-1] == 119
    assert player.narrator.stats.made <= 120


def test_without_memory_of_what_was_heard_it_is_made_anew() -> None:
    player: Player
    went: list[int] = []

    def back(index: int) -> None:
        if index == 20 and not went:
            went.append(1)
            player.transport.seek(0)

    player = a_player(chunks(25), ear := Listener(back), takes=MemoryTakes(0))
    player.play()
    assert ear.order == [*range(21), *range(25)]
