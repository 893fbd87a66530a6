"""The fast runtime against the genuine package: the same scores, codes and takes. Float32, on the CPU."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.engines.qwen.draws import RowRandom, row_seed, row_uniforms
from narrate.engines.qwen.models import find_model
from narrate.engines.qwen.options import Sampling
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.qwen_checkpoint import END, Kind, make_checkpoint
from tests.qwen_fixtures import made_loud
from tests.speech import a_chunk, a_request, clips_of, requests, whole

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

WORDS = "a bell rang twice and the whole house woke at once while snow fell on the quiet harbour below".split()
FRAMES = 32  # of every row; the package takes its time
PATIENT = 10**6


@pytest.fixture(scope="module")
def package(checkpoint: Callable[[Kind], Path]) -> Any:
    from narrate.engines.qwen.loading import load

    return load(checkpoint("custom_voice"), "cpu", "float32")


@pytest.fixture(scope="module")
def prompts(checkpoint: Callable[[Kind], Path], package: Any) -> Any:
    from narrate.engines.qwen.prompts import Prompts

    return Prompts(package, find_model(str(checkpoint("custom_voice")), "float32", None))


def script(count: int) -> list[Chunk]:
    luck = random.Random(7)
    return [
        a_chunk(index, f"{' '.join(luck.choices(WORDS, k=luck.choice([1, 2, 4, 8, 14])))}.") for index in range(count)
    ]


def options(package: Any, sampling: Sampling) -> dict[str, Any]:
    merged: dict[str, Any] = package._merge_generate_kwargs(**sampling.for_package())
    return merged


def made(prompts: Any, sampling: Sampling, chunks: Sequence[Chunk], slots: int) -> dict[int, list[list[int]]]:
    """Codes [frames, 16] of every chunk, from `slots` slots that are filled again as rows end."""
    from narrate.engines.qwen.embedding import Embedding
    from narrate.engines.qwen.runner import Runner
    from narrate.engines.qwen.scheduler import Scheduler
    from narrate.engines.qwen.seats import BLOCK, Seat

    package = prompts.package
    runner, embed = Runner(package, options(package, sampling), slots), Embedding(prompts)
    scheduler: Scheduler[Chunk] = Scheduler(slots, lambda chunk: FRAMES)
    source = iter(chunks)
    codes: dict[int, list[list[int]]] = {chunk.index: [] for chunk in chunks}
    tokens: dict[int, int] = {}
    while not scheduler.done:
        if rows := scheduler.admit(source):
            texts = embed(requests(row.item for row in rows))
            tokens.update({row.slot: len(text) for row, text in zip(rows, texts, strict=True)})
            uniforms = [row_uniforms(row_seed(a_request(row.item)), FRAMES) for row in rows]
            seats = [Seat(row.slot, *seat, PATIENT) for row, *seat in zip(rows, texts, uniforms, strict=True)]
            runner.begin(seats)
        if not scheduler.rows:
            continue
        longest = max(tokens[slot] + row.frames for slot, row in scheduler.rows.items())
        frames, ended, _ = runner.advance(scheduler.width, longest).rows()
        before = {slot: row.frames for slot, row in scheduler.rows.items()}
        scheduler.advance(dict(enumerate(frames)), BLOCK)
        for row in list(scheduler.rows.values()):
            codes[row.item.index] += runner.codes(row.slot)[: row.frames - before[row.slot]].tolist()
            if ended[row.slot] or row.overdue:
                runner.end(row.slot)
                scheduler.retire(row)
    return codes


def packages(prompts: Any, sampling: Sampling, batch: Sequence[Chunk]) -> dict[int, list[list[int]]]:
    """Codes of the chunks as the package makes them in one batch."""
    package = prompts.package
    arguments = prompts.arguments(requests(batch)) | options(package, sampling) | {"max_new_tokens": FRAMES + 1}
    codes, _ = package.model.generate(**arguments)
    return {chunk.index: row.tolist() for chunk, row in zip(batch, codes, strict=True)}


@pytest.fixture(scope="module")
def greedy(prompts: Any) -> dict[int, list[list[int]]]:
    """40 chunks, each alone."""
    alone = [packages(prompts, Sampling(temperature=0), [chunk]) for chunk in script(40)]
    return {index: codes for one in alone for index, codes in one.items()}


def test_greedy_codes_are_the_packages(prompts: Any, greedy: dict[int, list[list[int]]]) -> None:
    """Alone, in eight slots that are refilled out of step, since lengths differ, and in another order."""
    chunks = script(40)
    assert len({len(codes) for codes in greedy.values()}) > 8
    assert made(prompts, Sampling(temperature=0), chunks, 1) == greedy
    assert made(prompts, Sampling(temperature=0), chunks, 8) == greedy
    random.Random(3).shuffle(chunks)
    assert made(prompts, Sampling(temperature=0), chunks, 8) == greedy


SAMPLINGS = [
    Sampling(),
    Sampling(temperature=1.4, top_k=0),
    Sampling(temperature=0.7, top_p=0.8),
    Sampling(top_k=5, repetition_penalty=1.6),
    Sampling(top_k=0, top_p=0.5, repetition_penalty=1.0),
]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=repr)
def test_sampled_codes_are_those_the_package_draws_with_the_same_uniforms(prompts: Any, sampling: Sampling) -> None:
    chunks = script(10)
    seeds = [row_seed(request) for request in requests(chunks)]
    random_rows = RowRandom(seeds, [FRAMES] * len(chunks), end=END, device="cpu")
    with random_rows.installed(prompts.package.model.talker):
        expected = packages(prompts, sampling, chunks)
    assert made(prompts, sampling, chunks, 4) == expected


def test_codes_are_the_packages_where_the_predictor_needs_no_projection(tmp_path: Path) -> None:
    """In the 0.6B models talker and predictor are equally wide."""
    from narrate.engines.qwen.loading import load
    from narrate.engines.qwen.prompts import Prompts

    folder = make_checkpoint(tmp_path, "tiny", projection=False)
    prompts = Prompts(load(folder, "cpu", "float32"), find_model(str(folder), "float32", None))
    network, chunks = prompts.package.model, script(6)
    assert not list(network.talker.code_predictor.small_to_mtp_projection.parameters())
    assert made(prompts, Sampling(temperature=0), chunks, 4) == packages(prompts, Sampling(temperature=0), chunks)
    random_rows = RowRandom([row_seed(one) for one in requests(chunks)], [FRAMES] * len(chunks), end=END, device="cpu")
    with random_rows.installed(network.talker):
        expected = packages(prompts, Sampling(), chunks)
    assert made(prompts, Sampling(), chunks, 4) == expected


def test_sampled_codes_do_not_depend_on_company(prompts: Any) -> None:
    chunks = script(40)
    alone = made(prompts, Sampling(), chunks, 1)
    assert made(prompts, Sampling(), chunks, 8) == alone
    assert made(prompts, Sampling(), chunks[::-1], 5) == alone
    assert made(prompts, Sampling(), chunks[20:], 16) == {chunk.index: alone[chunk.index] for chunk in chunks[20:]}
    assert len({tuple(map(tuple, codes)) for codes in alone.values()}) == 40


def test_teacher_forced_scores_are_the_packages(prompts: Any, greedy: dict[int, list[list[int]]]) -> None:
    """The package sees text and codes in one pass; our talker goes frame by frame, our predictor code by code."""
    import torch

    from narrate.engines.qwen.cache import FrameCache, SlotCache
    from narrate.engines.qwen.embedding import Embedding
    from narrate.engines.qwen.transformer import Layers

    network = prompts.package.model
    talker, predictor = network.talker, network.talker.code_predictor
    chunks = [chunk for chunk in script(40) if len(greedy[chunk.index]) >= 20][:3]
    texts = Embedding(prompts)(requests(chunks))
    frames = torch.tensor([greedy[chunk.index][:20] for chunk in chunks])
    books = [talker.get_input_embeddings(), *predictor.get_input_embeddings()]
    with torch.inference_mode():
        parts = torch.stack([book(frames[:, :, number]) for number, book in enumerate(books)])
        pad = talker.text_projection(talker.get_text_embeddings()(torch.tensor([network.config.tts_pad_token_id])))
        heard = parts.sum(0) + pad
        layers = Layers(talker.model)
        cache = SlotCache(layers, 4, 256, talker.codec_head.weight)
        rope = layers.rope(256)
        for row, text in enumerate(texts):
            expected = talker.model(inputs_embeds=torch.cat([text, heard[row]])[None]).last_hidden_state[0]
            slot = torch.tensor([row])
            state = layers(text, rope[: len(text)], cache.prompts(slot, len(text)))
            torch.testing.assert_close(
                talker.codec_head(layers.last_norm(state)), talker.codec_head(expected[: len(text)]), atol=1e-4, rtol=0
            )
            hidden = expected[len(text) - 1 : -1]
            reference, _ = (
                predictor.forward_finetune(
                    inputs_embeds=torch.cat([hidden[:, None], parts[:, row].transpose(0, 1)], dim=1)[:, :16]
                ).to_tuple(),
                None,
            )
            scores = forced_predictor(predictor, FrameCache, Layers, hidden, parts[:, row])
            torch.testing.assert_close(scores, reference[0], atol=1e-4, rtol=0)
            expected_rows = talker.codec_head(expected[len(text) :])
            for number in range(20):
                position = torch.zeros(row + 1, dtype=torch.long)
                position[row] = len(text) + number
                step = torch.zeros(row + 1, layers.hidden)
                step[row] = heard[row, number]
                state = layers(step, rope[position], cache.step(position, 192))
                scores = talker.codec_head(layers.last_norm(state))[row]
                torch.testing.assert_close(scores, expected_rows[number], atol=1e-4, rtol=0)


def forced_predictor(predictor: Any, frame_cache: Any, layers_of: Any, hidden: Any, parts: Any) -> Any:
    """Scores [frames, 15, codes] of our predictor for the codes whose embeddings are `parts` [16, frames, channels]."""
    import torch

    layers = layers_of(predictor.model)
    rows = len(hidden)
    cache = frame_cache(layers, rows, 16, predictor.lm_head[0].weight)
    rope = layers.rope(16)
    project = predictor.small_to_mtp_projection
    begin = torch.stack([project(hidden), project(parts[0])], dim=1).flatten(0, 1)
    states = [layers(begin, rope[:2].repeat(rows, 1, 1, 1), cache.begin(rows))[1::2]]
    states += [
        layers(project(parts[place - 1]), rope[place : place + 1], cache.step(rows, place)) for place in range(2, 16)
    ]
    heads = zip(predictor.lm_head, states, strict=True)
    return torch.stack([head(layers.last_norm(state)) for head, state in heads], dim=1)


def test_in_bfloat16_it_is_no_further_from_the_truth_than_the_package(
    checkpoint: Callable[[Kind], Path], package: Any
) -> None:
    """Rounded where the package rounds: elsewhere, joined operations have cost audible quality."""
    import torch
    from transformers import DynamicCache

    from narrate.engines.qwen.cache import SlotCache
    from narrate.engines.qwen.loading import load
    from narrate.engines.qwen.transformer import Layers

    rounded = load(checkpoint("custom_voice"), "cpu", "bfloat16").model.talker
    exact = package.model.talker
    torch.manual_seed(0)
    prompt, frames = 40, 40
    ours, theirs = [], []
    with torch.inference_mode():
        heard = torch.randn(prompt + frames, 64) * 1.5
        truth = exact.codec_head(exact.model(inputs_embeds=heard[None]).last_hidden_state[0])[prompt:]
        heard = heard.bfloat16()
        layers, memory = Layers(rounded.model), DynamicCache()
        cache, rope = SlotCache(layers, 1, 128, rounded.codec_head.weight), layers.rope(128)
        layers(heard[:prompt], rope[:prompt], cache.prompts(torch.tensor([0]), prompt))
        rounded.model(inputs_embeds=heard[None, :prompt], past_key_values=memory, use_cache=True)
        for place in range(prompt, prompt + frames):
            step, position = heard[place : place + 1], torch.tensor([place])
            ours.append(layers.last_norm(layers(step, rope[position], cache.step(position, 128))))
            whole = rounded.model(inputs_embeds=step[None], past_key_values=memory, use_cache=True)
            theirs.append(whole.last_hidden_state[0])
        errors = [(rounded.codec_head(torch.cat(states)).float() - truth).square().mean() for states in (ours, theirs)]
    assert errors[0] < 1.2 * errors[1]


def test_nothing_is_asked_of_the_device_within_a_frame(prompts: Any) -> None:
    """Tensors without content go through it: to look at one, as no CUDA graph can, would raise."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from narrate.engines.qwen.runner import Runner

    runner = Runner(prompts.package, options(prompts.package, Sampling(top_p=0.9)), 3)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        runner._read(runner._page(2, 128))
        runner._frame(3, 128)
        runner._work(("sound", 3))


@pytest.mark.parametrize("kind", ["custom_voice", "base", "voice_design"])
def test_takes_are_those_of_the_stock_runtime(checkpoint: Callable[[Kind], Path], tmp_path: Path, kind: Kind) -> None:
    """Named, cloned and described voices, from text to sound."""
    import soundfile

    from narrate.engines.qwen.fast import FastRuntime
    from narrate.engines.qwen.loading import load
    from narrate.engines.qwen.prompts import Prompts
    from narrate.engines.qwen.stock import StockRuntime

    recording = tmp_path / "reference.wav"
    soundfile.write(recording, np.random.default_rng(0).normal(0, 0.1, 36_000), 24_000)
    voice = {
        "custom_voice": Voice(),
        "base": Voice(reference=recording, reference_text="A bell rang."),
        "voice_design": Voice(describe="an old sailor"),
    }[kind]
    folder = checkpoint(kind)
    prompts = Prompts(load(folder, "cpu", "float32"), find_model(str(folder), "float32", None))
    asked = requests(script(5), voice)
    stock = StockRuntime(prompts, Sampling(), 5).speak(asked)
    clips = whole(clips_of(FastRuntime(prompts, Sampling(), 3), asked))  # type: ignore[arg-type]
    for clip in stock:
        np.testing.assert_allclose(clips[clip.request_id].samples, clip.samples, atol=1e-4)


def test_cloned_voices_side_by_side_are_each_what_they_are_alone(
    checkpoint: Callable[[Kind], Path], tmp_path: Path
) -> None:
    """Reference recordings of different lengths, in one batch and in slots that are refilled. Each row continues from
    its own, and what the vocoder has heard of it is heard in the row."""
    import soundfile

    from narrate.engines.qwen.fast import FastRuntime
    from narrate.engines.qwen.loading import load
    from narrate.engines.qwen.prompts import Prompts
    from narrate.engines.qwen.stock import StockRuntime

    voices = []
    for number, seconds in enumerate((1.5, 2.6)):
        recording = tmp_path / f"reference{number}.wav"
        noise = np.random.default_rng(number).normal(0, 0.1, round(24_000 * seconds))
        soundfile.write(recording, noise, 24_000)
        voices.append(Voice(reference=recording, reference_text="A bell rang. " * (1 + number)))
    folder = checkpoint("base")
    prompts = Prompts(load(folder, "cpu", "float32"), find_model(str(folder), "float32", None))
    made_loud(prompts.package.model.speech_tokenizer.model.decoder)
    asked = [a_request(chunk, voices[chunk.index % 2]) for chunk in script(8)]
    fast = FastRuntime(prompts, Sampling(), 3)
    together = whole(clips_of(fast, asked))  # type: ignore[arg-type]
    stock = {clip.request_id: clip for clip in StockRuntime(prompts, Sampling(), 8).speak(asked)}
    for request in asked:
        (alone,) = clips_of(fast, [request])  # type: ignore[arg-type]
        np.testing.assert_allclose(together[request.id].samples, alone.samples, atol=1e-4)
        np.testing.assert_allclose(stock[request.id].samples, alone.samples, atol=1e-4)
