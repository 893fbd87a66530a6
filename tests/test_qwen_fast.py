"""The fast runtime as an engine: refill, pieces, and what goes wrong inside stays with the row it happens to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip, join
from narrate.clock import OFF
from narrate.engines import Request, never
from narrate.engines.qwen import Qwen
from narrate.engines.qwen.guard import LONGEST_QUIET, allowance
from narrate.errors import EngineError, InputError
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import END, Kind
from tests.qwen_fixtures import MARK, as_a_text_without_end, out_of_memory
from tests.speech import a_chunk, a_request, clips_of, requests, whole

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

BLOCK = 4
WORDS = "a bell rang twice and the whole house woke at once while snow fell on the quiet harbour below".split()
FRAME = 1920


def script(count: int) -> list[Chunk]:
    luck = random.Random(5)
    return [a_chunk(index, f"{' '.join(luck.choices(WORDS, k=luck.randint(1, 7)))}.") for index in range(count)]


@pytest.fixture
def network(fast: Qwen) -> Any:
    assert fast._runtime is not None
    return fast._runtime.prompts.package.model


@pytest.fixture(scope="module")
def healthy(shared_fast: Qwen) -> dict[int, Any]:
    """The takes of `script(12)` when all is well."""
    return takes_of(shared_fast, requests(script(12)))


def takes_of(engine: Qwen, asked: Iterable[Request | None]) -> dict[int, Any]:
    """Joined samples by chunk."""
    return {clip.index: clip.samples for clip in whole(clips_of(engine, asked)).values()}


def assert_same(takes: dict[int, Any], others: dict[int, Any]) -> None:
    assert takes.keys() == others.keys()
    for index, samples in takes.items():
        np.testing.assert_allclose(samples, others[index], atol=1e-4)


def failures(clips: list[Clip]) -> dict[int, str]:
    return {clip.index: clip.failure for clip in clips if clip.failure}


def test_every_chunk_comes_out_once_whatever_the_slots(
    checkpoint: Callable[[Kind], Path], healthy: dict[int, Any]
) -> None:
    assert sorted(healthy) == list(range(12))
    assert all(len(samples) % FRAME == 0 and 0.02 < np.abs(samples).mean() < 1 for samples in healthy.values())
    for slots in (1, 3, 9):
        engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", slots=slots)
        assert_same(takes_of(engine, requests(script(12))), healthy)


def now() -> float:
    """An ear that waits already."""
    return OFF.now()


def later() -> float:
    """An ear that has enough to hear for now."""
    return OFF.now() + 30.0


LONG = a_chunk(0, "A bell rang twice and the whole house woke at once while snow fell.")


def pieces_of(clips: list[Clip]) -> dict[int, int]:
    """In how many pieces each chunk came."""
    return dict(Counter(clip.index for clip in clips))


def test_the_first_chunk_goes_out_in_growing_pieces(fast: Qwen) -> None:
    others = [a_request(chunk, due=later) for chunk in script(12)[1:4]]
    clips = clips_of(fast, [a_request(LONG, due=now), *others])
    pieces = [clip for clip in clips if clip.index == 0]
    assert clips[0] is pieces[0]
    assert [len(piece.samples) // FRAME for piece in pieces[:4]] == [4, 8, 16, 32][: len(pieces) - 1] + [
        len(pieces[-1].samples) // FRAME
    ] * (len(pieces) <= 4)
    assert [piece.final for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(clip.final for clip in clips if clip.index)
    (take,) = clips_of(fast, requests([LONG]))
    assert take.final
    np.testing.assert_allclose(join(piece.samples for piece in pieces), take.samples, atol=1e-4)


def test_the_first_piece_is_there_before_anything_is_finished(fast: Qwen) -> None:
    asked = [a_request(chunk, due=now if chunk.index == 0 else later) for chunk in script(8)]
    first = next(clips for clips in fast.synthesize(asked) if clips)
    assert [clip.index for clip in first] == [0]
    assert not first[0].final
    assert first[0].seconds == BLOCK * 0.08


def test_the_first_of_all_goes_out_in_pieces_even_if_nobody_waits_yet(fast: Qwen) -> None:
    """Something is heard already, and a batch of chunks is begun: as little as possible is risked."""
    clips = clips_of(fast, [a_request(chunk, due=later) for chunk in (LONG, *script(4)[1:])])
    assert pieces_of(clips)[0] > 2
    assert {pieces_of(clips)[index] for index in (1, 2, 3)} == {1}


@pytest.mark.parametrize("first", [a_request(LONG), a_request(LONG, attempt=1, due=now)], ids=["file", "retake"])
def test_what_nobody_waits_for_or_may_be_bad_again_comes_whole(fast: Qwen, first: Request) -> None:
    clips = clips_of(fast, [first, *(a_request(chunk, due=later) for chunk in script(6)[1:])])
    assert all(clip.final for clip in clips)


def test_whoever_waits_is_given_pieces_however_many_are_listening(fast: Qwen) -> None:
    """A second listener begins while the first one's chunks are being made, and a file is written beside them."""
    second = a_chunk(0, "The whole house woke at once while snow fell on the quiet harbour below.")
    asked = [
        a_request(LONG, due=now, reading="first"),
        *(a_request(chunk, due=later, reading="first") for chunk in script(4)[1:]),
        a_request(second, due=now, reading="second"),
        a_request(second, attempt=1, due=now, reading="retaken"),
        a_request(second, reading="file"),
    ]
    clips = clips_of(fast, asked)
    pieces = Counter(clip.request_id for clip in clips)
    assert pieces["first:0:0"] > 2
    assert pieces["second:0:0"] > 2
    assert {pieces[request.id] for request in asked} == {1, pieces["first:0:0"], pieces["second:0:0"]}
    takes = whole(clips)
    for request in asked:
        (alone,) = clips_of(fast, [replace(request, due=never)])
        np.testing.assert_allclose(takes[request.id].samples, alone.samples, atol=1e-4)


def test_chunks_may_arrive_late(fast: Qwen, healthy: dict[int, Any]) -> None:
    """None says that no more have arrived: the rows in hand go on; with none in hand the engine ends, to be asked
    again."""
    luck = random.Random(1)
    left = requests(script(12))

    def arriving() -> Iterator[Request | None]:
        while left:
            yield from [None] * luck.choice([0, 0, 0, 1, 2, 30])
            yield left.pop(0)

    source = arriving()
    clips: list[Clip] = []
    rounds = 0
    while left:
        clips += clips_of(fast, source)
        rounds += 1
    assert rounds > 2
    assert_same({clip.index: clip.samples for clip in whole(clips).values()}, healthy)


def test_slots_are_alive_until_the_chunks_run_out(fast: Qwen) -> None:
    luck = random.Random(3)
    texts = [" ".join(luck.choices(WORDS, k=luck.randint(12, 28))) for _ in range(16)]
    runtime: Any = fast._runtime
    shares: list[float] = []

    def asked() -> Iterator[Request]:
        for index, text in enumerate(texts):
            yield a_request(a_chunk(index, f"{text}."))
            shares.append(runtime.work.alive)

    takes = takes_of(fast, asked())
    assert len({len(take) for take in takes.values()}) > 8
    assert shares[-1] > 0.94  # as the last chunk was seated, the first block with one row alone included
    assert runtime.work.late == sum(-(len(take) // FRAME + 1) % 4 + 1 for take in takes.values())


def test_a_row_that_never_ends_is_given_up_and_holds_nobody(fast: Qwen, marked: Any, healthy: dict[int, Any]) -> None:
    chunks = script(12)
    chunks[3] = a_chunk(3, f"He {MARK}said{MARK} so.")

    with marked(as_a_text_without_end):
        clips = clips_of(fast, requests(chunks))
    assert list(failures(clips)) == [3]
    assert failures(clips)[3].startswith("ran past")
    takes = {clip.index: clip.samples for clip in whole(clips).values()}
    limit = allowance(chunks[3]).limit
    assert limit <= len(takes[3]) / FRAME < limit + 4
    assert not takes[3].any()
    assert_same({index: takes[index] for index in takes if index != 3}, {i: healthy[i] for i in healthy if i != 3})


def test_rows_without_an_end_of_their_own_are_pushed_to_it(fast: Qwen, network: Any) -> None:
    import torch

    chunks = [a_chunk(index, f"{' '.join(WORDS * 2)} {index}.") for index in range(3)]
    head = network.talker.codec_head.weight
    before = head[END].clone()
    try:
        with torch.no_grad():
            head[END] = 0
        clips = clips_of(fast, requests(chunks))
    finally:
        with torch.no_grad():
            head[END] = before
    assert not failures(clips)
    for clip in whole(clips).values():
        granted = allowance(clip.chunk)
        assert granted.patience < len(clip.samples) / FRAME < granted.limit


@pytest.fixture
def all_silent(fast: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every code counts as silence."""
    import torch

    every = torch.arange(2048)[:, None].expand(-1, 16).repeat(2, 1)
    monkeypatch.setattr(network.speech_tokenizer, "encode", lambda *_, **__: SimpleNamespace(audio_codes=[every]))


def long_ones(count: int) -> list[Request]:
    return requests(a_chunk(index, f"{' '.join(WORDS)} {index}.") for index in range(count))


@pytest.mark.usefixtures("all_silent")
def test_silence_is_seen_on_the_codes_and_pushes_to_the_end(fast: Qwen, healthy_long: dict[int, Any]) -> None:
    """No row is longer than silence may last, and a bit."""
    for clip in clips_of(fast, long_ones(3)):
        frames = len(clip.samples) / FRAME
        assert LONGEST_QUIET < frames < LONGEST_QUIET + 25
        assert frames < len(healthy_long[clip.index]) / FRAME


@pytest.fixture(scope="module")
def healthy_long(shared_fast: Qwen) -> dict[int, Any]:
    """The takes of `long_ones(3)` when all is well."""
    return takes_of(shared_fast, long_ones(3))


@pytest.mark.usefixtures("all_silent")
def test_every_row_counts_its_own_silence(fast: Qwen) -> None:
    """Not that of a row in the same slot that was cancelled in the middle of its own."""
    runtime: Any = fast._runtime
    runtime.slots = 1
    gone, stays = long_ones(2)
    (alone,) = clips_of(fast, [stays])
    made = []
    for number, clips in enumerate(fast.synthesize([gone, stays])):
        made += clips
        if number == 5:
            fast.cancel([gone.id])
    (clip,) = made
    np.testing.assert_allclose(clip.samples, alone.samples, atol=1e-4)


def test_a_row_without_numbers_is_named_and_spares_the_others(fast: Qwen, marked: Any, healthy: dict[int, Any]) -> None:
    """Those beside it, and those that follow in its slot."""
    chunks = script(12)
    chunks[1] = a_chunk(1, f"He {MARK} said.")
    with marked(lambda heard: heard * float("nan")):
        clips = clips_of(fast, requests(chunks))
    assert list(failures(clips)) == [1]
    assert "NaN" in failures(clips)[1]
    takes = {clip.index: clip.samples for clip in whole(clips).values()}
    assert not takes[1].any()
    assert len(takes[1]) <= 8 * FRAME
    assert_same({index: takes[index] for index in takes if index != 1}, {i: healthy[i] for i in healthy if i != 1})


def test_a_row_without_numbers_leaves_none_of_them_in_its_slot(fast: Qwen, marked: Any) -> None:
    """What is masked is still multiplied: a short text must not meet the rest of a long one that was no numbers."""
    runtime: Any = fast._runtime
    runtime.slots = 1
    broken, short = a_chunk(0, f"He {MARK} {' '.join(WORDS * 2)}."), a_chunk(1, "No.")
    (alone,) = clips_of(fast, requests([short]))
    with marked(lambda heard: heard * float("nan")):
        clips = clips_of(fast, requests([broken, short]))
    assert list(failures(clips)) == [0]
    np.testing.assert_allclose(clips[1].samples, alone.samples, atol=1e-4)


def test_a_chunk_that_cannot_be_begun_is_the_only_one_lost(fast: Qwen, marked: Any, healthy: dict[int, Any]) -> None:
    def refuse(heard: Any) -> Any:
        raise IndexError("index out of range in self")

    chunks = script(12)
    chunks[6] = a_chunk(6, f"He {MARK} said.")
    with marked(refuse):
        clips = clips_of(fast, requests(chunks))
    assert failures(clips) == {6: "IndexError: index out of range in self"}
    assert [clip.index for clip in clips if clip.raised] == [6]
    takes = {clip.index: clip.samples for clip in whole(clips).values()}
    assert_same({index: takes[index] for index in takes if index != 6}, {i: healthy[i] for i in healthy if i != 6})


@pytest.mark.parametrize("call", [1, 100, 300, 700])
def test_out_of_memory_halves_the_slots_and_loses_nothing(
    fast: Qwen, attention_fails: Any, healthy: dict[int, Any], call: int
) -> None:
    """In a prompt, in the first frames, after the first pieces: what was heard is not heard again."""
    attention_fails(lambda number: out_of_memory() if number == call else None)
    asked = [a_request(chunk, due=now if chunk.index < 2 else never) for chunk in script(12)]
    takes = takes_of(fast, asked)
    assert_same(takes, healthy)
    runtime: Any = fast._runtime
    assert runtime.slots == 2


def test_after_memory_ran_out_they_begin_again_in_the_order_in_which_they_came(
    fast: Qwen, attention_fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it runs out twice; those who were not seated again meanwhile come after those who were."""
    runtime: Any = fast._runtime
    seated: list[list[int]] = []
    embedded = runtime._embedded

    def spy(asked: list[Request]) -> Any:
        seated.append([request.chunk.index for request in asked])
        return embedded(asked)

    monkeypatch.setattr(runtime, "_embedded", spy)
    attention_fails(lambda number: out_of_memory() if number in (300, 420) else None)
    assert sorted(takes_of(fast, long_ones(6))) == list(range(6))
    assert seated[:2] == [[0], [1, 2, 3]]
    assert seated[2:4] == [[0], [1]]
    assert seated[4:] == [[index] for index in range(6)]


def test_no_memory_for_one_row_is_said_in_one_line(fast: Qwen, attention_fails: Any) -> None:
    attention_fails(lambda number: out_of_memory())
    with pytest.raises(EngineError, match="memory.*--model 0.6B"):
        clips_of(fast, requests(script(2)))


def test_an_exception_among_frames_reaches_the_caller_and_the_engine_goes_on(
    fast: Qwen, attention_fails: Any, healthy: dict[int, Any]
) -> None:
    attention_fails(lambda number: RuntimeError("device-side assert triggered") if number == 900 else None)
    with pytest.raises(RuntimeError, match="device-side"):
        clips_of(fast, requests(script(12)))
    assert_same(takes_of(fast, requests(script(12))), healthy)


def test_a_listener_who_leaves_leaves_nothing_behind(fast: Qwen, healthy: dict[int, Any]) -> None:
    for clips in fast.synthesize(requests(script(12)[::-1])):
        if any(clip.final for clip in clips):
            break
    assert_same(takes_of(fast, requests(script(12))), healthy)


def test_cancelling_all_ends_it_between_frames(fast: Qwen, attention_fails: Any, healthy: dict[int, Any]) -> None:
    asked = requests(script(12))
    calls: list[int] = []

    def cancel(call: int) -> None:
        calls.append(call)
        if call == 800:
            fast.cancel([request.id for request in asked])

    def until_cancelled() -> Iterator[Request]:
        for request in asked:
            if len(calls) < 800:
                yield request

    attention_fails(cancel)
    clips = clips_of(fast, until_cancelled())
    assert {clip.index for clip in clips if clip.final} < set(range(12))
    per_frame = 2 + 15  # a frame is a step of the talker's two layers, and fifteen of the predictor's one
    assert calls[-1] < 800 + 2 * per_frame
    assert_same(takes_of(fast, requests(script(12))), healthy)


def test_a_cancelled_row_makes_room_and_the_others_notice_nothing(fast: Qwen, healthy: dict[int, Any]) -> None:
    """Another listener's rows, in the middle of the table; those who come after them take their slots."""
    mine = [a_request(chunk, reading="mine", due=lambda: 9e9) for chunk in script(12)]
    long = [a_chunk(index, " ".join(WORDS * 2)) for index in range(3)]
    others = [a_request(chunk, Voice(name="aiden"), reading="other", due=lambda: 9e9) for chunk in long]
    asked = [mine[0], *others, *mine[1:]]
    pulled: list[Request] = []

    def source() -> Iterator[Request]:
        for request in asked:
            pulled.append(request)
            yield request

    clips: list[Clip] = []
    for number, each in enumerate(fast.synthesize(source())):
        clips += each
        if number == 3:
            assert len(pulled) == 4  # whoever listens is not kept waiting by a look at what comes later
            fast.cancel([request.id for request in others])
        if number == 4:
            assert len(pulled) >= 7
    assert {clip.request_id for clip in clips} == {request.id for request in mine}
    assert_same({clip.index: clip.samples for clip in whole(clips).values()}, healthy)


def test_a_cancelled_row_whose_slot_nobody_takes_stands_still(fast: Qwen) -> None:
    """It would otherwise run on for as long as the others do, and past its own end into theirs."""
    runtime: Any = fast._runtime
    asked = long_ones(4)
    for number, _ in enumerate(fast.synthesize(asked)):
        if number == 2:
            fast.cancel([asked[1].id])
        elif number == 3:
            assert runtime._runner._state.ended[:4].tolist() == [False, True, False, False]
            break


def test_what_went_out_of_a_row_is_forgotten_with_it(fast: Qwen, monkeypatch: pytest.MonkeyPatch) -> None:
    from narrate.engines.qwen import fast as module

    pieces = module.Pieces()
    monkeypatch.setattr(module, "Pieces", lambda: pieces)
    asked = [a_request(chunk, due=now) for chunk in script(4)]
    for number, clips in enumerate(fast.synthesize(asked)):
        if number == 2:
            fast.cancel([asked[0].id])
        for clip in clips:
            assert clip.final == (pieces.sent(asked[clip.index]) is None)
    assert [pieces.sent(request) for request in asked] == [None] * 4


def test_no_request_is_kept_in_mind_for_longer_than_it_is_in_hand(fast: Qwen) -> None:
    runtime: Any = fast._runtime
    asked = [a_request(chunk, due=now, begin=lambda chunk=chunk: chunk.index != 5) for chunk in script(12)]  # type: ignore[misc]
    fast.cancel([request.id for request in asked])  # none of these is in hand
    for clips in fast.synthesize(asked):
        for clip in clips:
            if clip.index == 2:
                fast.cancel([asked[3].id])
        assert len(runtime._in_hand.requests) <= 4
    assert runtime._in_hand.requests == []
    assert runtime._in_hand.all_cancelled  # none of none


def test_a_long_text_makes_its_slot_grow(fast: Qwen, network: Any, healthy: dict[int, Any]) -> None:
    """More positions than there were: the rows beside it do not notice."""
    chunks = script(12)
    chunks[2] = a_chunk(2, " ".join(WORDS * 6) + ".")
    assert len(chunks[2].spoken) > 512
    takes = takes_of(fast, requests(chunks))
    assert len(takes[2]) / FRAME > 300
    assert_same({index: takes[index] for index in takes if index != 2}, {i: healthy[i] for i in healthy if i != 2})


def test_what_cannot_be_is_refused(checkpoint: Callable[[Kind], Path]) -> None:
    with pytest.raises(InputError, match="1 to 256"):
        Qwen(slots=257)
    with pytest.raises(InputError, match="auto, fast, compiled or stock"):
        Qwen(runtime="faster")
    with pytest.raises(InputError, match="1 or more"):
        Qwen(batch_size=0)
    stock = Qwen(model=str(checkpoint("custom_voice")), runtime="stock", slots=65)
    assert stock.fingerprint["runtime"] == "stock"
    assert Qwen(model=str(checkpoint("custom_voice")), device="cpu").fingerprint["runtime"] == "fast"
