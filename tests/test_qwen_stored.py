"""Weights on a CPU stay as small as they are, and what is computed with them does not change; or become int8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from narrate.engines.qwen.hardware import choose_dtype
from narrate.errors import InputError
from tests.qwen_checkpoint import Kind

pytestmark = pytest.mark.slow
pytest_plugins = ["tests.qwen_fixtures"]


@pytest.fixture(scope="module")
def stored(checkpoint: Callable[[Kind], Path]) -> tuple[Any, Any, Any]:
    """A network with weights as released, bfloat16: all turned into float32, as it is stored, and as int8."""
    import torch

    from narrate.engines.qwen.loading import load
    from narrate.engines.qwen.products import fits
    from narrate.engines.qwen.stored import store

    if not fits(torch.zeros(4, 16)):
        pytest.skip("torch computes without OpenMP here")
    plain, network, small = (load(checkpoint("custom_voice"), "cpu", "float32").model for _ in range(3))
    for one in (plain, network, small):
        for parameter in one.parameters():
            parameter.data = parameter.data.bfloat16()
    for parameter in plain.parameters():
        parameter.data = parameter.data.float()
    store(network, torch.float32)
    store(small, torch.float32, int8=True)
    return plain, network, small


def its_scores(network: Any) -> Any:
    import torch

    talker = network.talker
    heard = torch.randn(2, 9, talker.config.hidden_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return talker.codec_head(talker.model(inputs_embeds=heard).last_hidden_state)


def test_bfloat16_weights_change_nothing_in_float32(stored: tuple[Any, Any, Any]) -> None:
    import torch

    plain, network, _ = stored
    torch.testing.assert_close(its_scores(network), its_scores(plain), rtol=1e-4, atol=1e-5)
    ids = torch.arange(20)
    assert torch.equal(network.talker.get_text_embeddings()(ids), plain.talker.get_text_embeddings()(ids))
    assert network.dtype == network.talker.dtype == torch.float32


def test_they_stay_as_small_as_they_are(stored: tuple[Any, Any, Any]) -> None:
    import torch

    plain, network, small = stored

    def size(one: Any) -> int:
        return sum(tensor.nbytes for tensor in (*one.parameters(), *one.buffers()))

    linear = [module.weight for module in network.talker.modules() if type(module).__name__ == "StoredLinear"]
    assert len(linear) == 7 * (2 + 1) + 1 + 15
    assert {weight.dtype for weight in linear} == {torch.bfloat16}
    assert size(plain) - size(network) >= 2 * sum(weight.numel() for weight in linear)
    assert size(small) < size(network)


def test_int8_is_near(stored: tuple[Any, Any, Any]) -> None:
    _, network, small = stored
    true, found = its_scores(network), its_scores(small)
    assert 0 < (found - true).std() < 0.05 * true.std()


def test_a_model_loaded_as_int8_speaks(checkpoint: Callable[[Kind], Path]) -> None:
    from narrate.engines.qwen import Qwen
    from narrate.voice import Voice
    from tests.speech import a_chunk, requests

    engine = Qwen(model=str(checkpoint("custom_voice")), device="cpu", dtype="int8", slots=2)
    try:
        asked = requests([a_chunk(0, "Good night."), a_chunk(1, "Good morning.")], Voice())
        clips = [clip for clips in engine.synthesize(asked) for clip in clips if clip.final]
        assert sorted(clip.request_id for clip in clips) == sorted(request.id for request in asked)
        assert engine.fingerprint["dtype"] == "int8"
    finally:
        engine.close()


def test_int8_is_for_processors() -> None:
    assert choose_dtype("cpu", "int8") == "int8"
    with pytest.raises(InputError, match="processors only"):
        choose_dtype("cuda", "int8")
