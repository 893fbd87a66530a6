"""The fast runtime as an engine: refill, pieces, and what goes wrong inside stays with the row it happens to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip, join
from narrate.engines.qwen import Qwen
from narrate.engines.qwen.guard import LONGEST_QUIET, allowance
from narrate.engines.qwen.scheduler import Work
from narrate.errors import EngineError, InputError
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import END, Kind
from tests.speech import a_chunk

pytest_plugins = ("tests.qwen_fixtures",)

WORDS = "a bell rang twice and the whole house woke at once while snow fell on the quiet harbour below".split()
FRAME = 1920
MARK = "#"


def script(count: int) -> list[Chunk]:
    luck = random.Random(5)
    return [a_chunk(index, f"{' '.join(luck.choices(WORDS, k=luck.randint(1, 7)))}.") for index in range(count)]


@pytest.fixture(scope="module")
def shared_fast(checkpoint: Callable[[Kind], Path]) -> Qwen:
    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", slots=4)
    engine.prepare(Voice())
    return engine


@pytest.fixture
def fast(shared_fast: Qwen) -> Qwen:
    """An engine with four slots, as new."""
    runtime: Any = shared_fast._runtime
    runtime.slots, runtime.work, runtime._runner = 4, Work(), None
    return shared_fast


@pytest.fixture
def network(fast: Qwen) -> Any:
    assert fast._runtime is not None
    return fast._runtime.prompts.package.model


@pytest.fixture(scope="module")
def healthy(shared_fast: Qwen) -> dict[int, Any]:
    """The takes of `script(12)` when all is well."""
    return whole(shared_fast.synthesize(script(12), Voice()))


@pytest.fixture
def marked(network: Any, fast: Qwen) -> Callable[[Callable[[Any], Any]], AbstractContextManager[None]]:
    """Change how the talker hears the texts that have a mark in them."""
    assert fast._runtime is not None
    mark = fast._runtime.prompts.package._tokenize_texts([MARK])[0].item()

    @contextmanager
    def heard_as(change: Callable[[Any], Any]) -> Iterator[None]:
        marks: list[bool] = []

        def look(module: Any, arguments: Any, embedded: Any) -> None:
            marks[:] = [bool((arguments[0] == mark).any())]

        def hear(module: Any, arguments: Any, projected: Any) -> Any:
            return change(projected) if marks[0] else projected

        hooks = (
            network.talker.get_text_embeddings().register_forward_hook(look),
            network.talker.text_projection.register_forward_hook(hear),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    return heard_as


def whole(clips: Iterator[Clip]) -> dict[int, Any]:
    """Joined samples by chunk; checks that each chunk ends once and nothing follows its end."""
    sounds: dict[int, list[Any]] = {}
    ended: set[int] = set()
    for clip in clips:
        assert clip.index not in ended
        sounds.setdefault(clip.index, []).append(clip.samples)
        ended |= {clip.index} if clip.final else set()
    assert ended == set(sounds)
    return {index: join(parts) for index, parts in sounds.items()}


def assert_same(takes: dict[int, Any], others: dict[int, Any]) -> None:
    assert takes.keys() == others.keys()
    for index, samples in takes.items():
        np.testing.assert_allclose(samples, others[index], atol=1e-4)


def failures(clips: list[Clip]) -> dict[int, str]:
    return {clip.index: clip.failure for clip in clips if clip.failure}


def as_a_text_without_end(heard: Any) -> Any:
    """Place 0 tells the tiny checkpoint how much there is to say."""
    heard[..., 0] = -1e5
    return heard


def test_every_chunk_comes_out_once_whatever_the_slots(
    checkpoint: Callable[[Kind], Path], healthy: dict[int, Any]
) -> None:
    assert sorted(healthy) == list(range(12))
    assert all(len(samples) % FRAME == 0 and 0.02 < np.abs(samples).mean() < 1 for samples in healthy.values())
    for slots in (1, 3, 9):
        engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", slots=slots)
        assert_same(whole(engine.synthesize(script(12), Voice())), healthy)


def test_the_first_chunk_goes_out_in_growing_pieces(fast: Qwen, healthy: dict[int, Any]) -> None:
    chunks = [a_chunk(0, "A bell rang twice and the whole house woke at once while snow fell."), *script(12)[1:4]]
    clips = list(fast.synthesize(chunks, Voice()))
    pieces = [clip for clip in clips if clip.index == 0]
    assert clips[0] is pieces[0]
    assert [len(piece.samples) // FRAME for piece in pieces[:4]] == [4, 8, 16, 32][: len(pieces) - 1] + [
        len(pieces[-1].samples) // FRAME
    ] * (len(pieces) <= 4)
    assert [piece.final for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(clip.final for clip in clips if clip.index)
    (take,) = fast.synthesize_batch(chunks[:1], Voice())
    np.testing.assert_allclose(join(piece.samples for piece in pieces), take.samples, atol=1e-4)


def test_the_first_piece_reaches_the_listener_before_anything_is_finished(fast: Qwen) -> None:
    chunks, voice, takes = script(8), Voice(), MemoryTakes(1 << 30)
    narrator = Narrator(fast, voice, takes, lambda chunk: take_key(fast.fingerprint, voice, chunk))
    clips = list(narrator.clips(chunks))
    assert clips[0].index == 0
    assert not clips[0].final
    assert 0 < clips[0].seconds <= 8 * 0.08
    assert [clip.index for clip in clips if clip.final] == list(range(8))
    assert not failures(clips)
    kept = takes.get(take_key(fast.fingerprint, voice, chunks[0]))
    assert kept is not None
    np.testing.assert_array_equal(kept.samples, join(clip.samples for clip in clips if clip.index == 0))


def test_chunks_may_arrive_late(fast: Qwen, healthy: dict[int, Any]) -> None:
    """None says that no more have arrived: the rows in hand go on, and an empty table asks again."""
    luck = random.Random(1)

    def arriving() -> Iterator[Chunk | None]:
        for chunk in script(12):
            yield from [None] * luck.choice([0, 0, 0, 1, 2, 30])
            yield chunk
        yield None

    assert_same(whole(fast.synthesize(arriving(), Voice())), healthy)


def test_slots_are_alive_until_the_chunks_run_out(fast: Qwen) -> None:
    luck = random.Random(3)
    texts = [" ".join(luck.choices(WORDS, k=luck.randint(12, 28))) for _ in range(16)]
    runtime: Any = fast._runtime
    shares: list[float] = []

    def asked() -> Iterator[Chunk]:
        for index, text in enumerate(texts):
            yield a_chunk(index, f"{text}.")
            shares.append(runtime.work.alive)

    takes = whole(fast.synthesize(asked(), Voice()))
    assert len({len(take) for take in takes.values()}) > 8
    assert shares[-1] > 0.94  # as the last chunk was seated, the first block with one row alone included
    assert runtime.work.late == sum(-(len(take) // FRAME + 1) % 4 + 1 for take in takes.values())


def test_a_row_that_never_ends_is_given_up_and_holds_nobody(fast: Qwen, marked: Any, healthy: dict[int, Any]) -> None:
    chunks = script(12)
    chunks[3] = a_chunk(3, f"He {MARK}said{MARK} so.")

    with marked(as_a_text_without_end):
        clips = list(fast.synthesize(chunks, Voice()))
    assert list(failures(clips)) == [3]
    assert failures(clips)[3].startswith("ran past")
    takes = whole(iter(clips))
    limit = allowance(chunks[3]).limit
    assert limit <= len(takes[3]) / FRAME < limit + 4
    assert not takes[3].any()
    assert_same({index: takes[index] for index in takes if index != 3}, {i: healthy[i] for i in healthy if i != 3})


def test_a_runaway_is_taken_again_and_costs_nobody_else(fast: Qwen, marked: Any) -> None:
    chunks, voice = script(12), Voice()
    chunks[4] = a_chunk(4, f"All day long the {MARK} rain fell.")
    attempts: list[int] = []

    def once(heard: Any) -> Any:
        attempts.append(1)
        return as_a_text_without_end(heard) if len(attempts) == 1 else heard

    narrator = Narrator(fast, voice, MemoryTakes(1 << 30), lambda chunk: take_key(fast.fingerprint, voice, chunk))
    with marked(once):
        clips = list(narrator.clips(chunks))
    assert [clip.index for clip in clips if clip.final] == list(range(12))
    assert not failures(clips)
    assert narrator.tally.retaken == 1
    assert len(attempts) == 2


def test_rows_without_an_end_of_their_own_are_pushed_to_it(fast: Qwen, network: Any) -> None:
    import torch

    chunks = [a_chunk(index, f"{' '.join(WORDS * 2)} {index}.") for index in range(3)]
    head = network.talker.codec_head.weight
    before = head[END].clone()
    try:
        with torch.no_grad():
            head[END] = 0
        clips = list(fast.synthesize(chunks, Voice()))
    finally:
        with torch.no_grad():
            head[END] = before
    assert not failures(clips)
    for index, samples in whole(iter(clips)).items():
        granted = allowance(chunks[index])
        assert granted.patience < len(samples) / FRAME < granted.limit


def test_silence_is_seen_on_the_codes_and_pushes_to_the_end(
    fast: Qwen, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every code counts as silence here: so no row is longer than silence may last, and a bit."""
    import torch

    chunks = [a_chunk(index, f"{' '.join(WORDS)} {index}.") for index in range(3)]
    expected = {clip.index: len(clip.samples) / FRAME for clip in fast.synthesize_batch(chunks, Voice())}
    every = torch.arange(2048)[:, None].expand(-1, 16).repeat(2, 1)
    monkeypatch.setattr(network.speech_tokenizer, "encode", lambda *_, **__: SimpleNamespace(audio_codes=[every]))
    runtime: Any = fast._runtime
    runtime._runner = None
    for clip in fast.synthesize_batch(chunks, Voice()):
        frames = len(clip.samples) / FRAME
        assert LONGEST_QUIET < frames < LONGEST_QUIET + 25
        assert frames < expected[clip.index]


def test_a_row_without_numbers_is_named_and_spares_the_others(fast: Qwen, marked: Any, healthy: dict[int, Any]) -> None:
    """Those beside it, and those that follow in its slot."""
    chunks = script(12)
    chunks[1] = a_chunk(1, f"He {MARK} said.")
    with marked(lambda heard: heard * float("nan")):
        clips = list(fast.synthesize(chunks, Voice()))
    assert list(failures(clips)) == [1]
    assert "NaN" in failures(clips)[1]
    takes = whole(iter(clips))
    assert not takes[1].any()
    assert len(takes[1]) <= 8 * FRAME
    assert_same({index: takes[index] for index in takes if index != 1}, {i: healthy[i] for i in healthy if i != 1})


def test_a_chunk_that_cannot_be_begun_is_the_only_one_lost(fast: Qwen, marked: Any, healthy: dict[int, Any]) -> None:
    def refuse(heard: Any) -> Any:
        raise IndexError("index out of range in self")

    chunks = script(12)
    chunks[6] = a_chunk(6, f"He {MARK} said.")
    with marked(refuse):
        clips = list(fast.synthesize(chunks, Voice()))
    assert failures(clips) == {6: "IndexError: index out of range in self"}
    takes = whole(iter(clips))
    assert_same({index: takes[index] for index in takes if index != 6}, {i: healthy[i] for i in healthy if i != 6})


@pytest.fixture
def attention_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], Exception | None]], None]:
    """Let torch's attention raise what `when` returns for its n-th call."""
    import torch

    original = torch.nn.functional.scaled_dot_product_attention

    def install(when: Callable[[int], Exception | None]) -> None:
        calls = 0

        def attention(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if (error := when(calls)) is not None:
                raise error
            return original(*arguments, **options)

        monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)

    return install


def out_of_memory() -> Exception:
    import torch

    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("call", [1, 100, 300, 700])
def test_out_of_memory_halves_the_slots_and_loses_nothing(
    fast: Qwen, attention_fails: Any, healthy: dict[int, Any], call: int
) -> None:
    """In a prompt, in the first frames, after the first pieces: what was heard is not heard again."""
    attention_fails(lambda number: out_of_memory() if number == call else None)
    takes = whole(fast.synthesize(script(12), Voice()))
    assert_same(takes, healthy)
    assert fast.batch_size == 2


def test_no_memory_for_one_row_is_said_in_one_line(fast: Qwen, attention_fails: Any) -> None:
    attention_fails(lambda number: out_of_memory())
    with pytest.raises(EngineError, match="memory.*--model 0.6B"):
        list(fast.synthesize(script(2), Voice()))


def test_an_exception_among_frames_costs_nothing(fast: Qwen, attention_fails: Any) -> None:
    voice = Voice()
    attention_fails(lambda number: RuntimeError("device-side assert triggered") if number == 900 else None)
    narrator = Narrator(fast, voice, MemoryTakes(1 << 30), lambda chunk: take_key(fast.fingerprint, voice, chunk))
    clips = list(narrator.clips(script(12)))
    assert [clip.index for clip in clips if clip.final] == list(range(12))
    assert not failures(clips)


def test_a_listener_who_leaves_leaves_nothing_behind(fast: Qwen, healthy: dict[int, Any]) -> None:
    for clip in fast.synthesize(script(12)[::-1], Voice()):
        if clip.final:
            break
    assert_same(whole(fast.synthesize(script(12), Voice())), healthy)


def test_cancel_ends_it_between_frames(fast: Qwen, attention_fails: Any, healthy: dict[int, Any]) -> None:
    def cancel(call: int) -> None:
        if call == 800:
            fast.cancel()

    attention_fails(cancel)
    clips = list(fast.synthesize(script(12), Voice()))
    assert {clip.index for clip in clips if clip.final} < set(range(12))
    assert_same(whole(fast.synthesize(script(12), Voice())), healthy)


def test_a_long_text_makes_its_slot_grow(fast: Qwen, network: Any, healthy: dict[int, Any]) -> None:
    """More positions than there were: the rows beside it do not notice."""
    chunks = script(12)
    chunks[2] = a_chunk(2, " ".join(WORDS * 6) + ".")
    assert len(chunks[2].spoken) > 512
    takes = whole(fast.synthesize(chunks, Voice()))
    assert len(takes[2]) / FRAME > 300
    assert_same({index: takes[index] for index in takes if index != 2}, {i: healthy[i] for i in healthy if i != 2})


def test_what_cannot_be_is_refused(checkpoint: Callable[[Kind], Path]) -> None:
    with pytest.raises(InputError, match="1 to 64"):
        Qwen(slots=65)
    with pytest.raises(InputError, match="auto, fast, compiled or stock"):
        Qwen(runtime="faster")
    stock = Qwen(model=str(checkpoint("custom_voice")), runtime="stock")
    assert not hasattr(stock, "synthesize")
    assert stock.fingerprint["runtime"] == "stock"
    assert Qwen(model=str(checkpoint("custom_voice")), device="cpu").fingerprint["runtime"] == "fast"
