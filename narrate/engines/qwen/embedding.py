"""Prompts as the talker reads them, all rows in one go: the package's layout, whose constant parts are kept.

A prompt is [manner] [role] [tags, speaker] [words of the recording] [text] [end] [codes of the recording, or their
beginning]. Every position is the sum of what the talker hears of a text token and, from the tags on, of a code. All
but the text follows from voice and language, and is computed once for each; so a row costs its text alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from narrate.engines import Request
from narrate.engines.qwen.device import computing_on, placed
from narrate.engines.qwen.prompts import Prompts, clone_key, language_of, recent

_ROLE, _REST = 3, 5  # tokens of the layout before and after the text
_HEARD_REST = 2  # after the words of a recording


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """What stands before a text and after it, each [tokens, channels]."""

    before: Tensor
    after: Tensor


@dataclass(slots=True)
class Embedding:
    """Embeds requests with the package's tables, which it neither changes nor wraps."""

    prompts: Prompts
    _frames: dict[Hashable, _Frame] = field(default_factory=dict, init=False)

    def __call__(self, requests: Sequence[Request]) -> list[Tensor]:
        """Prompts [tokens, channels], the same as those of the package's `generate` for `Prompts.arguments`.

        Raises `InputError` for a voice that the model does not have, and `NotImplementedError`, as the package does,
        for a language it does not know.
        """
        self.prompts.check(request.voice for request in requests)
        tokens = self.prompts.tokens([self.prompts.said(request.chunk) for request in requests])
        texts = [ids[_ROLE:-_REST] for ids in tokens]
        with computing_on(self.prompts.package.device):
            frames = [self._frame(request, ids[:_ROLE]) for request, ids in zip(requests, tokens, strict=True)]
            longest = max(map(len, texts))
            heard = self._heard([text + [0] * (longest - len(text)) for text in texts]) + self._codes([self._pad_code])
            parts = [
                part
                for frame, row, text in zip(frames, heard, texts, strict=True)
                for part in (frame.before, row[: len(text)], frame.after)
            ]
            lengths = [sum(map(len, parts[start : start + 3])) for start in range(0, len(parts), 3)]
            return list(torch.cat(parts).split(lengths))

    def _frame(self, request: Request, role: list[int]) -> _Frame:
        voice, language = request.voice, language_of(request.chunk)
        speaker, manner = self.prompts.speaker(request), self.prompts.manner(voice)
        key = (speaker, language, manner, clone_key(voice))
        return recent(self._frames, key, lambda: self._framed(request, speaker, language, manner, role))

    def _framed(
        self, request: Request, speaker: str | None, language: str, manner: str | None, role: list[int]
    ) -> _Frame:
        network, talker = self.prompts.package.model.config, self._talker.config
        spoken = self.prompts.clone(request.voice) if self.prompts.model.kind == "base" else None
        before = [self._heard(self.prompts.tokens([manner]))[0]] if manner else []
        before.append(self._heard([role])[0])
        tags = [self._codes(self._tags(language, speaker))]
        if speaker is not None:
            tags.append(self._codes([talker.spk_id[speaker.lower()]]))
        elif spoken is not None:
            tags.append(spoken.ref_spk_embedding.to(self._like.device, self._like.dtype)[None])
        tags.append(self._codes([self._pad_code]))
        codes = torch.cat(tags)
        beside = [network.tts_pad_token_id] * (len(codes) - 1) + [network.tts_bos_token_id]
        before.append(self._heard([beside])[0] + codes)
        pad, end = self._heard([[network.tts_pad_token_id, network.tts_eos_token_id]])[0].split(1)
        after = [end + self._codes([self._pad_code]), pad + self._codes([talker.codec_bos_id])]
        if spoken is not None:
            words = self.prompts.tokens([self.prompts.heard(request.voice)])[0][_ROLE:-_HEARD_REST]
            before.append(self._heard([words])[0] + self._codes([self._pad_code]))
            after.append(self._recorded(spoken.ref_code) + pad)
        return _Frame(torch.cat(before), torch.cat(after))

    def _tags(self, language: str, speaker: str | None) -> list[int]:
        """The codes that tell the language: the speaker's dialect, where it has one and the language allows it."""
        talker = self._talker.config
        dialect = talker.spk_is_dialect[speaker.lower()] if speaker is not None else False
        name = dialect if dialect and language in ("chinese", "auto") else language
        if name == "auto":
            return [talker.codec_nothink_id, talker.codec_think_bos_id, talker.codec_think_eos_id]
        if name not in talker.codec_language_id:
            raise NotImplementedError(f"Language {name} not implemented")
        number = talker.codec_language_id[name]
        return [talker.codec_think_id, talker.codec_think_bos_id, number, talker.codec_think_eos_id]

    def _recorded(self, codes: Any) -> Tensor:
        """The sum of the 16 embeddings of a recording's codes [frames, 16], for each frame."""
        books = [self._talker.get_input_embeddings(), *self._talker.code_predictor.get_input_embeddings()]
        codes = codes.to(self._like.device)
        return torch.stack([book(codes[:, number]) for number, book in enumerate(books)], dim=1).sum(1)

    def _heard(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """What the talker hears of text tokens [rows, tokens], [rows, tokens, channels]."""
        embedded = self._talker.get_text_embeddings()(placed(ids, self._like.device))
        heard: Tensor = self._talker.text_projection(embedded)
        return heard

    def _codes(self, codes: Sequence[int]) -> Tensor:
        """What the talker hears of first codes, [codes, channels]."""
        heard: Tensor = self._talker.get_input_embeddings()(placed(codes, self._like.device))
        return heard

    @property
    def _talker(self) -> Any:
        return self.prompts.package.model.talker

    @property
    def _pad_code(self) -> int:
        return int(self._talker.config.codec_pad_id)

    @property
    def _like(self) -> Tensor:
        weight: Tensor = self._talker.model.norm.weight  # large weights may be in fewer bytes than what is computed
        return weight
