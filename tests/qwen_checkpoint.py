"""A Qwen3-TTS checkpoint without weights: random numbers in the released shape, which the genuine package loads.

What it says is noise, but noise of speech's form: rows end by themselves, after about as long as their text would take
to say, and the vocoder is not silent. As a program it makes one for the benchmarks:

    python tests/qwen_checkpoint.py FOLDER --size 0.6b --kind custom_voice
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, Literal

Size = Literal["tiny", "0.6b", "1.7b"]
Kind = Literal["custom_voice", "base", "voice_design"]

PAD = 2148  # the code that stands beside the text in the prompt
END = 2150  # the code that ends a row
FRAMES_PER_TOKEN = 0.75  # a token is a byte here

LANGUAGE_IDS = {
    "chinese": 2055,
    "english": 2050,
    "german": 2053,
    "italian": 2070,
    "portuguese": 2071,
    "spanish": 2054,
    "japanese": 2058,
    "korean": 2064,
    "french": 2061,
    "russian": 2069,
    "beijing_dialect": 2074,
    "sichuan_dialect": 2062,
}
SPEAKER_IDS = {
    "serena": 3066,
    "vivian": 3065,
    "uncle_fu": 3010,
    "ryan": 3061,
    "aiden": 2861,
    "ono_anna": 2873,
    "sohee": 2864,
    "eric": 2875,
    "dylan": 2878,
}
DIALECTS = {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}


def _layers(hidden: int, ffn: int, layers: int, heads: int, kv_heads: int, head_dim: int) -> dict[str, int]:
    return {
        "hidden_size": hidden,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
    }


def _mimi(num_filters: int, codebook_dim: int, groups: int, quantizers: int) -> dict[str, int]:
    return {
        "num_filters": num_filters,
        "codebook_dim": codebook_dim,
        "vector_quantization_hidden_dimension": codebook_dim,
        "upsample_groups": groups,
        "num_quantizers": quantizers,
    }


# Beside the released shapes of the two models, one that a test can afford.
_TALKER: dict[str, dict[str, int]] = {
    "tiny": {**_layers(64, 128, 2, 4, 2, 16), "text_vocab_size": 512, "text_hidden_size": 48},
    "0.6b": {**_layers(1024, 3072, 28, 16, 8, 128), "text_vocab_size": 151_936, "text_hidden_size": 2048},
    "1.7b": {**_layers(2048, 6144, 28, 16, 8, 128), "text_vocab_size": 151_936, "text_hidden_size": 2048},
}
_PREDICTOR = {"tiny": _layers(32, 64, 1, 2, 1, 16), "full": _layers(1024, 3072, 5, 16, 8, 128)}
_VOCODER: dict[str, dict[str, int]] = {
    "tiny": {**_layers(16, 32, 1, 2, 2, 8), "codebook_dim": 16, "latent_dim": 16, "decoder_dim": 64},
    "full": {**_layers(512, 1024, 8, 16, 16, 64), "codebook_dim": 512, "latent_dim": 1024, "decoder_dim": 1536},
}
_ENCODER: dict[str, dict[str, int]] = {
    # upsample_groups must divide hidden_size
    "tiny": {**_layers(16, 32, 1, 2, 2, 8), **_mimi(num_filters=2, codebook_dim=8, groups=16, quantizers=16)},
    "full": {**_layers(512, 2048, 8, 8, 8, 64), **_mimi(num_filters=64, codebook_dim=256, groups=512, quantizers=32)},
}
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"]


def make_checkpoint(
    folder: Path,
    size: Size,
    kind: Kind = "custom_voice",
    seed: int = 0,
    *,
    projection: bool = True,
    device: str = "cpu",
) -> Path:
    """Write config, random weights, speech tokenizer and text tokenizer into `folder`; returns it.

    tiny: 16 MB of float32, made in a second; without `projection` its predictor is as wide as its talker, as in the
    0.6B models. 0.6b, 1.7b: bfloat16, 1.8 and 3.9 GB, with the vocoder in float32; their numbers are thrown on the
    `device`, which takes a GPU seconds and one core of a CPU minutes.
    """
    import torch

    from narrate.engines.qwen.loading import import_package

    import_package()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    first_special = _write_text_tokenizer(folder)
    config = _config(size, kind, first_special)
    if not projection:
        config["talker_config"]["code_predictor_config"]["hidden_size"] = config["talker_config"]["hidden_size"]
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", _GENERATION)
    with torch.device(device):
        _write_network(folder, size, config)
        _write_speech_tokenizer(folder / "speech_tokenizer", "tiny" if size == "tiny" else "full")
    return folder


_GENERATION = {
    "do_sample": True,
    "repetition_penalty": 1.05,
    "temperature": 0.9,
    "top_p": 1.0,
    "top_k": 50,
    "subtalker_dosample": True,
    "subtalker_temperature": 0.9,
    "subtalker_top_p": 1.0,
    "subtalker_top_k": 50,
    "max_new_tokens": 8192,
}


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _config(size: Size, kind: Kind, first_special: int) -> dict[str, Any]:
    shape = _TALKER[size]
    speakers = SPEAKER_IDS if kind == "custom_voice" else {}
    section = [shape["head_dim"] * part // 128 for part in (24, 20, 20)]
    section[0] += shape["head_dim"] // 2 - sum(section)
    talker = {
        "vocab_size": 3072,
        **shape,
        "rope_theta": 1_000_000,
        "rope_scaling": {"rope_type": "default", "type": "default", "interleaved": True, "mrope_section": section},
        "position_id_per_seconds": 13,
        "num_code_groups": 16,
        "codec_pad_id": 2148,
        "codec_bos_id": 2149,
        "codec_eos_token_id": END,
        "codec_think_id": 2154,
        "codec_nothink_id": 2155,
        "codec_think_bos_id": 2156,
        "codec_think_eos_id": 2157,
        "codec_language_id": LANGUAGE_IDS,
        "spk_id": speakers,
        "spk_is_dialect": {name: DIALECTS.get(name, False) for name in speakers},
        "code_predictor_config": {
            "vocab_size": 2048,
            "num_code_groups": 16,
            "rope_theta": 1_000_000,
            **_PREDICTOR["tiny" if size == "tiny" else "full"],
        },
    }
    tiny_encoder = {"enc_channels": [16, 16, 16, 16, 48], "enc_attention_channels": 8, "enc_se_channels": 8}
    return {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": "1b7" if size == "1.7b" else "0b6",
        "tts_model_type": kind,
        "im_start_token_id": first_special + 1,
        "im_end_token_id": first_special + 2,
        "tts_pad_token_id": first_special + 3,
        "tts_bos_token_id": first_special + 4,
        "tts_eos_token_id": first_special + 5,
        "talker_config": talker,
        # The package's class takes these and nothing else: no model_type.
        "speaker_encoder_config": {
            "enc_dim": shape["hidden_size"],
            "sample_rate": 24_000,
            **(tiny_encoder if size == "tiny" else {}),
        },
    }


def _write_network(folder: Path, size: Size, config: dict[str, Any]) -> None:
    import torch
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration

    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if size == "tiny" else torch.bfloat16)
    try:
        network = Qwen3TTSForConditionalGeneration(Qwen3TTSConfig(**json.loads(json.dumps(config))))
    finally:
        torch.set_default_dtype(usual)
    with torch.no_grad():
        _enliven(network.talker)
        _pace(network.talker)
    _save(network, folder)


def _enliven(talker: Any) -> None:
    """Numbers of the size that trained ones have: the package's own initial ones make every code equally likely."""
    talker.model.codec_embedding.weight.normal_()
    for embedding in talker.code_predictor.model.codec_embedding:
        embedding.weight.normal_(std=0.25)
    for head in (talker.codec_head, *talker.code_predictor.lm_head):
        head.weight.normal_(std=1 / math.sqrt(head.weight.shape[1]))


def _pace(talker: Any) -> None:
    """Let a row end after about as many frames as its text would take to say, instead of at random.

    Place 0 of the hidden state tells text (negative) from frames (positive); a head of the first layer that attends to
    everything alike writes the mean of it to place 1, which nothing else touches; the end's score follows place 1.
    """
    model, attention = talker.model, talker.model.layers[0].self_attn
    talker.text_projection.linear_fc2.weight[:2] = 0
    for embedding in (model.codec_embedding, *talker.code_predictor.model.codec_embedding):
        embedding.weight[:, :2] = 0
    model.codec_embedding.weight[:2048, 0] = 1.4  # a frame's embeddings add up to this root mean square
    model.codec_embedding.weight[PAD, 0] = -FRAMES_PER_TOKEN
    for layer in model.layers:
        layer.self_attn.o_proj.weight[:2] = 0
        layer.mlp.down_proj.weight[:2] = 0
    attention.q_proj.weight[: attention.head_dim] = 0
    attention.v_proj.weight[0] = 0
    attention.v_proj.weight[0, 0] = 1
    attention.o_proj.weight[1, 0] = 2
    talker.codec_head.weight[:, :2] = 0
    talker.codec_head.weight[END] *= 3  # some luck
    talker.codec_head.weight[END, 1] = 60


def _save(network: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _write_speech_tokenizer(folder: Path, size: str) -> None:
    import torch
    from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model

    folder.mkdir(exist_ok=True)
    config = {
        "architectures": ["Qwen3TTSTokenizerV2Model"],
        "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": 16,
        "input_sample_rate": 24_000,
        "output_sample_rate": 24_000,
        "encode_downsample_rate": 1920,
        "decode_upsample_rate": 1920,
        "decoder_config": {"codebook_size": 2048, "num_quantizers": 16, **_VOCODER[size]},
        "encoder_config": {"codebook_size": 2048, "frame_rate": 12.5, **_ENCODER[size]},
    }
    _write_json(folder / "config.json", config)
    _write_json(
        folder / "preprocessor_config.json",
        {
            "feature_extractor_type": "EncodecFeatureExtractor",
            "feature_size": 1,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": True,
            "sampling_rate": 24_000,
        },
    )
    tokenizer = Qwen3TTSTokenizerV2Model(Qwen3TTSTokenizerV2Config(**json.loads(json.dumps(config)))).float()
    with torch.no_grad():
        for name, parameter in tokenizer.named_parameters():
            if name.endswith("embedding_sum"):
                parameter.normal_()
            elif name.startswith("decoder.") and parameter.dim() == 3:
                # The package's own initial values die away from layer to layer; these keep a signal's size.
                parameter.normal_(std=1.0 / math.sqrt(parameter.shape[1] * parameter.shape[2]))
        last = tokenizer.decoder.decoder[-1].conv
        last.bias.zero_()
        last.weight *= 1e-6  # the decoder clips: measure its size far below that, then set it
        codes = torch.randint(0, 2048, (1, 16, 25))
        last.weight *= 0.1 / float(tokenizer.decoder(codes).std())
    _save(tokenizer, folder)


def _write_text_tokenizer(folder: Path) -> int:
    """A byte-level tokenizer in the released files' form that knows three words; returns the first special token's id.

    The package cuts the prompt by token counts, so "assistant" must be one token, as it is in the real vocabulary.
    """
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    vocabulary = list(bytes_to_unicode().values())
    merges = []
    for word in ("assistant", "user", "system"):
        for length in range(2, len(word) + 1):
            merge = (word[: length - 1], word[length - 1])
            if merge not in merges:
                merges.append(merge)
                vocabulary.append(word[:length])
    first_special = len(vocabulary)
    _write_json(folder / "vocab.json", {token: number for number, token in enumerate(vocabulary)})
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "processor_class": "Qwen3TTSProcessor",
            "add_prefix_space": False,
            "bos_token": None,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": None,
            "errors": "replace",
            "model_max_length": 131_072,
            "added_tokens_decoder": {
                str(first_special + place): {"content": token, **special} for place, token in enumerate(_SPECIAL)
            },
        },
    )
    return first_special


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=["tiny", "0.6b", "1.7b"], default="tiny")
    parser.add_argument("--kind", choices=["custom_voice", "base", "voice_design"], default="custom_voice")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(make_checkpoint(given.folder, given.size, given.kind, given.seed))
