"""A Whisper without weights: random numbers in the released shape, which the genuine faster-whisper loads.

What it hears is nonsense, but of text's form. As a program: python tests/whisper_checkpoint.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

TEXT_TOKENS = 50_257  # of the multilingual vocabulary, before its special tokens
MOST_POSITIONS = 448


def special_tokens() -> list[str]:
    """In the order of the multilingual model with 99 languages."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    languages = [f"<|{code}|>" for code in _LANGUAGE_CODES if code != "yue"]
    times = [f"<|{step / 50:.2f}|>" for step in range(1501)]
    tasks = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    return ["<|endoftext|>", "<|startoftranscript|>", *languages, *tasks, *times]


def a_tokenizer() -> Any:
    """Bytes, fillers that stand for words, and the special tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġword{number}" for number in range(TEXT_TOKENS - len(letters))]
    vocabulary = {token: number for number, token in enumerate([*letters, *words])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special_tokens()])
    return tokenizer


def build(folder: Path, seed: int = 0) -> Path:
    """Write the model to `folder`, in the form that faster-whisper loads."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import (
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    plain = folder / "plain"
    tokenizer = a_tokenizer()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", unk_token="<|endoftext|>")
    fast.save_pretrained(plain)
    token = tokenizer.token_to_id
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=MOST_POSITIONS,
        pad_token_id=token("<|endoftext|>"),
        bos_token_id=token("<|endoftext|>"),
        eos_token_id=token("<|endoftext|>"),
        decoder_start_token_id=token("<|startoftranscript|>"),
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layer_norm" not in name:
                weight.normal_(0.0, 3.0 if "encoder_attn" in name or "encoder.conv" in name else 0.6)
    model.generation_config.alignment_heads = [[0, 0], [1, 1]]
    model.generation_config.lang_to_id = {"<|en|>": token("<|en|>")}
    model.generation_config.suppress_tokens = []
    model.generation_config.begin_suppress_tokens = []
    model.save_pretrained(plain)
    WhisperFeatureExtractor().save_pretrained(plain)
    made = folder / "whisper"
    TransformersConverter(str(plain), copy_files=["tokenizer.json", "preprocessor_config.json"]).convert(str(made))
    return made


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
