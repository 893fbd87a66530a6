"""A Qwen3-ASR without weights: random numbers in the released shape, which the genuine transformers 5 loads.

What it hears is nonsense, but of text's form. As a program, in an environment with transformers 5:

    python tests/qwen_asr_checkpoint.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

AUDIO = {"audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *AUDIO.values(), "<asr_text>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% else %}<|audio_start|><|audio_pad|><|audio_end|>{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
)


def a_tokenizer() -> Any:
    """Bytes, fillers that stand for words, and the special tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġword{number}" for number in range(1024 - len(letters))]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate([*letters, *words])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS[:-1]])
    tokenizer.add_tokens([AddedToken(MARKS[-1])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=AUDIO
    )


def build(folder: Path, seed: int = 0) -> Path:
    """Write the model to `folder`, in the form that transformers loads."""
    import torch
    from transformers import (
        Qwen3ASRConfig,
        Qwen3ASRFeatureExtractor,
        Qwen3ASRForConditionalGeneration,
        Qwen3ASRProcessor,
    )

    tokenizer = a_tokenizer()
    identity = tokenizer.convert_tokens_to_ids
    config = Qwen3ASRConfig(
        audio_config={
            "model_type": "qwen3_asr_encoder",
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "d_model": 16,
            "output_dim": 32,
            "downsample_hidden_size": 8,
        },
        text_config={
            "model_type": "qwen3",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "max_position_embeddings": 4096,
        },
        audio_token_id=identity(AUDIO["audio_token"]),
        pad_token_id=identity("<|endoftext|>"),
        eos_token_id=[identity("<|im_end|>")],
        timestamp_token_id=0,
    )
    torch.manual_seed(seed)
    model = Qwen3ASRForConditionalGeneration(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0.0, 0.5 if "audio" in name or "tower" in name else 0.2)
    model.save_pretrained(folder)
    Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=TEMPLATE).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
