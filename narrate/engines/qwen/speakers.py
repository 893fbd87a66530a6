"""Who speaks: the nine voices of the CustomVoice models, one for each language, and what a model cannot honour."""

from __future__ import annotations

from narrate.engines import VoiceEntry
from narrate.engines.qwen.models import Model
from narrate.errors import InputError
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

SPEAKERS = (
    VoiceEntry("ono_anna", ("ja",), "Japanese, young woman, light and playful"),
    VoiceEntry("serena", ("zh",), "Chinese, young woman, warm and gentle"),
    VoiceEntry("ryan", ("en",), "English, man, strong rhythm"),
    VoiceEntry("sohee", ("ko",), "Korean, woman, warm and rich in feeling"),
    VoiceEntry("vivian", ("zh",), "Chinese, young woman, bright with an edge"),
    VoiceEntry("uncle_fu", ("zh",), "Chinese, older man, low and mellow"),
    VoiceEntry("dylan", ("zh",), "Chinese with a Beijing accent, young man, clear"),
    VoiceEntry("eric", ("zh",), "Chinese with a Sichuan accent, man, lively and husky"),
    VoiceEntry("aiden", ("en",), "American English, man, sunny and clear"),
)
_ELSEWHERE = "ryan"  # every voice speaks all ten languages; the other six have no native one


def voices(model: Model) -> list[VoiceEntry]:
    """The model's speakers; what is known of them, and the bare name of those a fine-tuned model adds."""
    known = {entry.name: entry for entry in SPEAKERS}
    return [known.get(name) or VoiceEntry(name, (), "a voice of this model") for name in model.speakers]


def speaker_for(model: Model, voice: Voice, language: str) -> str:
    """The speaker asked for, in the model's spelling, else one native to the language. Raises `InputError`."""
    if voice.name is not None:
        name = voice.name.strip().lower().replace(" ", "_").replace("-", "_")
        if name not in model.speakers:
            raise InputError(f"{model.name} has no voice “{voice.name}”; it has {', '.join(sorted(model.speakers))}.")
        return name
    native = [entry.name for entry in SPEAKERS if language in entry.languages]
    for name in (*native, _ELSEWHERE, *model.speakers):
        if name in model.speakers:
            return name
    raise InputError(f"{model.name} has no voices of its own.")


def check_voice(model: Model, voice: Voice) -> None:
    """Raises `InputError` for what the model would have to ignore: one line with what to use instead."""
    if voice.language is not None and voice.language not in LANGUAGES:
        raise InputError(f"Qwen3-TTS does not speak '{voice.language}', only {', '.join(LANGUAGES)}.")
    if model.kind == "custom_voice":
        if voice.reference is not None or voice.reference_text:
            raise InputError("A reference recording needs a model that clones voices: use --model base.")
        if voice.describe:
            raise InputError("A described voice needs a model that designs voices: use --model voicedesign.")
        if voice.instruct and not model.follows_instructions:
            raise InputError(
                f"{model.name} (0.6B) cannot follow --instruct, it would ignore it: use --model 1.7B, or leave it out."
            )
        speaker_for(model, voice, voice.language or "en")
        return
    if voice.name is not None:
        raise InputError(f"{model.name} has no named voices: leave --voice out, or use --model 1.7B.")
    if model.kind == "base":
        _check_reference(model, voice)
    elif not voice.describe:
        raise InputError(f"{model.name} builds a voice from words: describe it with --describe TEXT.")
    elif voice.reference is not None or voice.reference_text or voice.instruct:
        raise InputError(f"{model.name} takes --describe alone: say there how it should speak.")


def _check_reference(model: Model, voice: Voice) -> None:
    if voice.instruct or voice.describe:
        raise InputError(f"{model.name} speaks as the reference does: leave --instruct and --describe out.")
    if voice.reference is None or not (voice.reference_text or "").strip():
        raise InputError(f"{model.name} clones a voice: give --ref-audio FILE and --ref-text with the words in it.")
    if not voice.reference.is_file():
        raise InputError(f"The reference recording {voice.reference} does not exist.")
