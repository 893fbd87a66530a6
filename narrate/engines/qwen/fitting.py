"""How many rows the free memory holds, in slots or in a batch; and whether the fast runtime knows the model at all."""

from __future__ import annotations

from typing import Any

from narrate.engines.qwen.codec import CODES
from narrate.engines.qwen.hardware import free_bytes

MOST_SLOTS = 256
_UNMEASURED_SLOTS = 64  # a frame of more rows may take a small card longer than the frame lasts
_LARGE_CARD_BYTES = 70e9  # on a card of a data centre it does not
_BATCH_ON_CPU = 10
_SLOTS_ON_CPU = 16  # rows read the same weights; beyond these each costs nearly as much as it gains
_MOST_IN_A_BATCH = 64
_TOKENS_OF_A_ROW = 520  # of prompt and speech, in a long chunk
_BATCH_VOCODER_BYTES = 2e9
_POSITIONS = 768  # keys and values of a slot: a long chunk's text and 50 seconds of sound
_SLOT_VOCODER_BYTES = 24 * 2**20  # in bfloat16: what is remembered, and a block's widest layers
_ASIDE_BYTES = 1.5 * 2**30  # recorded graphs, libraries' workspaces, prompts being read


def fitting_slots(package: Any) -> int:
    """Slots that fit beside the loaded model: up to 64 on a GPU, 128 on the largest, in steps of 8 from 8 on; up to 16
    on a processor."""
    import torch

    each = slot_bytes(package.model.config.talker_config, package.model.dtype.itemsize)
    if package.device.type != "cuda":
        free = free_bytes("cpu")
        return _SLOTS_ON_CPU if free is None else min(_SLOTS_ON_CPU, slots_in(free, each))
    free, whole = torch.cuda.mem_get_info(package.device)
    most = 2 * _UNMEASURED_SLOTS if whole >= _LARGE_CARD_BYTES else _UNMEASURED_SLOTS
    return slots_in(free, each, most)


def fitting_rows(package: Any) -> int:
    """How many rows of long chunks the package's batch may have, so that they fit beside the loaded model.

    A row keeps, for every token, keys and values and (a habit of the package) the output of every layer.
    """
    import torch

    if package.device.type != "cuda":
        return _BATCH_ON_CPU
    talker = package.model.config.talker_config
    per_token = talker.num_hidden_layers * 2 * talker.num_key_value_heads * talker.head_dim
    per_token += (talker.num_hidden_layers + 1) * talker.hidden_size
    row_bytes = per_token * package.model.dtype.itemsize * _TOKENS_OF_A_ROW
    free, _ = torch.cuda.mem_get_info(package.device)
    return int(min(_MOST_IN_A_BATCH, max(1, (0.9 * free - _BATCH_VOCODER_BYTES) // row_bytes)))


def slot_bytes(talker_config: Any, itemsize: int) -> int:
    """Bytes that one slot takes, `itemsize` of them for a number."""
    per_position = talker_config.num_hidden_layers * 2 * talker_config.num_key_value_heads * talker_config.head_dim
    return int(_POSITIONS * per_position * itemsize + _SLOT_VOCODER_BYTES * itemsize // 2)


def slots_in(free_bytes: int, bytes_each: int, most: int = MOST_SLOTS) -> int:
    """As many slots as `free_bytes` hold with something set aside, up to `most`; at least one, for what does not fit
    says so."""
    slots = int((0.95 * free_bytes - _ASIDE_BYTES) // bytes_each)
    return max(1, min(most, slots if slots < 8 else slots // 8 * 8))


def unknown(package: Any) -> str | None:
    """What the fast runtime does not know about this model, in a few words; None if it can speak with it."""
    talker = package.model.config.talker_config
    predictor = talker.code_predictor_config
    decoder = package.model.speech_tokenizer.model.decoder.config
    if talker.num_code_groups != CODES or decoder.num_quantizers != CODES:
        return f"frames of {talker.num_code_groups} codes"
    for config in (talker, predictor):
        if config.sliding_window is not None:
            return "attention over a window"
        if config.attention_bias:
            return "attention with a bias"
        if config.hidden_act != "silu":
            return f"activation {config.hidden_act}"
        if (config.rope_scaling or {}).get("rope_type", "default") != "default":
            return f"{config.rope_scaling['rope_type']} positions"
    return None
