"""The contract that every engine keeps, and the table of engines.

To put one more engine under the contract, add it to `SPEAKERS` with a language and sentences it can say; if it needs
more than its name to be loaded, give it a fixture called `<name>_engine`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from narrate.clip import Clip, Samples
from narrate.clock import OFF
from narrate.engines import Engine
from narrate.engines.batched import Batched, Rows
from narrate.engines.choose import choose_engine
from narrate.engines.table import ENGINES, EngineEntry, find_engine, load_engine, voices
from narrate.engines.tuning import keep_batch_size
from narrate.errors import EngineError, InputError
from narrate.pace import expected_seconds
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, clips_of, requests, whole

ENGLISH = (
    "The lamp went out.",
    "Nobody in the house had heard the bell, and yet the door stood open.",
    'She said: "Not before 5 o\'clock, Mr. Lee!" and laughed.',
    "A garden in 東京, a walk in Москва.",
    "No.",
    "It was twelve miles to the coast, most of them uphill; we had bread for two days and no map.",
    "Why?",
)
JAPANESE = (
    "灯りが消えた。",
    "家の者は誰も鐘の音を聞かなかったのに、扉は開いていた。",
    "「五時前は駄目ですよ、リーさん！」と彼女は笑った。",
    "机の上のcomputerには、HelloとOKの二語だけが映っていた。",
    "いや。",
    "海岸までは十二キロあり、そのほとんどが上り坂で、パンは二日分、地図は一枚もなかった。",
    "なぜ？",
)


@dataclass(frozen=True, slots=True)
class Speaker:
    """What the contract is tried with: an engine, a language it speaks, and one it does not (None if it speaks all)."""

    name: str
    language: str
    sentences: tuple[str, ...]
    unspoken: str | None = None


SPEAKERS = (
    Speaker("espeak", "en", ENGLISH, unspoken="ja"),
    Speaker("openjtalk", "ja", JAPANESE, unspoken="en"),
    Speaker("tone", "en", ENGLISH),
    Speaker("tone-stream", "ja", JAPANESE),
)
WISHES = (Voice(instruct="sadly"), Voice(describe="an old man"), Voice(reference=Path("me.wav")))


@pytest.fixture(params=SPEAKERS, ids=lambda speaker: speaker.name)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    if missing := find_engine(request.param.name).missing():
        pytest.skip(missing)
    return request.param


@pytest.fixture
def engine(speaker: Speaker, request: pytest.FixtureRequest) -> Iterator[Engine]:
    try:
        own: Engine = request.getfixturevalue(f"{speaker.name}_engine")
    except pytest.FixtureLookupError:
        own = load_engine(speaker.name)
    yield own
    own.close()


def book(speaker: Speaker) -> list[Chunk]:
    return [a_chunk(index, text, language=speaker.language) for index, text in enumerate(speaker.sentences)]


def spoken_by(engine: Engine, chunks: list[Chunk], voice: Voice | None = None) -> list[Clip]:
    """What the engine makes of the chunks, one whole clip each, in its own order."""
    return list(whole(clips_of(engine, requests(chunks, voice))).values())


def takes_of(engine: Engine, chunks: list[Chunk], voice: Voice | None = None) -> dict[str, Samples]:
    return {clip.chunk.spoken: clip.samples for clip in spoken_by(engine, chunks, voice)}


def same(one: dict[str, Samples], other: dict[str, Samples]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[text], other[text]) for text in one)


def test_every_chunk_comes_out_once_as_sound(engine: Engine, speaker: Speaker) -> None:
    chunks = [replace(chunk, index=chunk.index + 40) for chunk in book(speaker)]
    clips = spoken_by(engine, chunks)
    assert sorted(clip.index for clip in clips) == [chunk.index for chunk in chunks]
    for clip in clips:
        assert clip.failure is None
        assert clip.final
        assert clip.sample_rate == engine.sample_rate
        assert clip.samples.dtype == np.float32
        assert clip.samples.ndim == 1
        assert np.isfinite(clip.samples).all()
        assert 0.01 < np.abs(clip.samples).max() <= 1.0


def test_it_takes_about_as_long_as_a_reader(engine: Engine, speaker: Speaker) -> None:
    chunks = book(speaker)
    expected = sum(expected_seconds(chunk.spoken, chunk.language) for chunk in chunks)
    assert 0.4 < sum(clip.seconds for clip in spoken_by(engine, chunks)) / expected < 2.5


def test_a_take_does_not_depend_on_the_batch(engine: Engine, speaker: Speaker) -> None:
    chunks = book(speaker)
    together = takes_of(engine, chunks)
    assert same(takes_of(engine, chunks[::-1]), together)
    alone: dict[str, Samples] = {}
    for chunk in chunks:
        alone |= takes_of(engine, [replace(chunk, index=0)])
    assert same(alone, together)
    tail: dict[str, Samples] = {}
    for start in range(0, len(chunks), 3):
        tail |= takes_of(engine, chunks[start : start + 3])
    assert same(tail, together)


def test_another_engine_of_the_kind_makes_the_same_take(engine: Engine, speaker: Speaker) -> None:
    chunks = book(speaker)[:3]
    other = load_engine(speaker.name)
    try:
        assert same(takes_of(other, chunks), takes_of(engine, chunks))
        assert dict(other.fingerprint) == dict(engine.fingerprint)
    finally:
        other.close()


def test_no_two_sentences_sound_the_same(engine: Engine, speaker: Speaker) -> None:
    takes = takes_of(engine, book(speaker))
    assert len({take.tobytes() for take in takes.values()}) == len(speaker.sentences)


def test_no_chunks_no_clips(engine: Engine) -> None:
    assert spoken_by(engine, []) == []


def test_a_chunk_of_four_hundred_characters(engine: Engine, speaker: Speaker) -> None:
    text = " ".join(speaker.sentences * 20)[:400]
    [clip] = spoken_by(engine, [a_chunk(0, text, language=speaker.language)])
    assert clip.failure is None
    assert clip.seconds > 0.4 * expected_seconds(text, speaker.language)


def test_every_voice_speaks_and_no_two_sound_the_same(engine: Engine, speaker: Speaker) -> None:
    chunks = book(speaker)[:1]
    takes = [takes_of(engine, chunks, Voice(name=entry.name))[chunks[0].spoken] for entry in voices(speaker.name)]
    assert len({take.tobytes() for take in takes}) == len(takes)
    assert all(len(take) for take in takes)


@pytest.mark.parametrize("text", ["", "。", "……", "\u200b", "🙂", "a\0b", "\ud800", "　", "ー？", "<b>&amp;"])
def test_odd_text_comes_out_once_too(engine: Engine, speaker: Speaker, text: str) -> None:
    plain, after = book(speaker)[:2]
    odd = replace(plain, spoken=text)
    clips = {clip.index: clip for clip in spoken_by(engine, [odd, after])}
    assert sorted(clips) == [0, 1]
    assert bool(len(clips[0].samples)) != bool(clips[0].failure)
    assert clips[1].failure is None


def test_it_prints_nothing(engine: Engine, speaker: Speaker, capfd: pytest.CaptureFixture[str]) -> None:
    spoken_by(engine, [*book(speaker), a_chunk(99, "！？ー", language=speaker.language)])
    assert capfd.readouterr() == ("", "")


def test_an_unknown_voice_is_refused_with_those_there_are(engine: Engine, speaker: Speaker) -> None:
    wrong = Voice(name="nobody")
    with pytest.raises(InputError, match="nobody") as refused:
        engine.check(wrong)
    assert all(entry.name in str(refused.value) for entry in voices(speaker.name))
    with pytest.raises(InputError, match="nobody"):
        engine.prepare(wrong, OFF)
    [clip] = spoken_by(engine, book(speaker)[:1], wrong)
    assert clip.raised
    assert clip.failure == str(refused.value)


def test_a_language_it_does_not_speak_is_refused(engine: Engine, speaker: Speaker) -> None:
    with pytest.raises(InputError, match="xx"):
        engine.check(Voice(language="xx"))
    if speaker.unspoken is not None:
        with pytest.raises(InputError, match=speaker.unspoken):
            engine.check(Voice(language=speaker.unspoken))
        strange, usual = replace(book(speaker)[0], language=speaker.unspoken), book(speaker)[1]
        clips = {clip.index: clip.failure for clip in spoken_by(engine, [strange, usual])}
        assert speaker.unspoken in str(clips[0])
        assert clips[1] is None


@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_a_wish_it_cannot_honour_is_refused(engine: Engine, speaker: Speaker, wish: Voice) -> None:
    with pytest.raises(InputError, match=speaker.name):
        engine.check(wish)
    assert all(clip.raised for clip in spoken_by(engine, book(speaker), wish))


def test_its_own_voices_and_languages_are_not_refused(engine: Engine, speaker: Speaker) -> None:
    engine.check(Voice())
    for entry in voices(speaker.name):
        for language in entry.languages:
            engine.check(Voice(name=entry.name, language=language, seed=9))


def test_the_table_says_what_the_engine_says(engine: Engine, speaker: Speaker) -> None:
    entry = find_engine(speaker.name)
    assert set(entry.languages) == engine.abilities.languages
    assert engine.abilities.languages == {language for voice in entry.voices() for language in voice.languages}
    assert engine.name == entry.name
    assert engine.fingerprint
    assert all(type(key) is type(value) is str for key, value in engine.fingerprint.items())


def test_it_says_what_it_can_do(engine: Engine, speaker: Speaker) -> None:
    abilities = engine.abilities
    assert abilities.streams == (speaker.name == "tone-stream")
    assert not any((abilities.clones, abilities.describes, abilities.instructs))
    chunk = book(speaker)[0]
    first, seeded, again = (
        whole(clips_of(engine, [request]))[request.id].samples
        for request in (a_request(chunk), a_request(chunk, Voice(seed=1)), a_request(chunk, attempt=1))
    )
    assert np.array_equal(first, seeded) != abilities.uses_seed
    assert np.array_equal(first, again) == abilities.deterministic


def test_cancelled_when_idle_it_speaks_on(engine: Engine, speaker: Speaker) -> None:
    chunks = book(speaker)[:2]
    before = takes_of(engine, chunks)
    engine.cancel([request.id for request in requests(chunks)])
    assert same(takes_of(engine, chunks), before)


def test_closed_twice_it_speaks_no_more(engine: Engine, speaker: Speaker) -> None:
    spoken_by(engine, book(speaker)[:1])
    engine.close()
    engine.close()
    with pytest.raises(EngineError):
        spoken_by(engine, book(speaker)[:1])


@pytest.mark.parametrize("entry", ENGINES, ids=lambda entry: entry.name)
def test_an_engine_is_known_without_loading_it(entry: EngineEntry) -> None:
    if entry.missing() or entry.name in ("http", "openai"):
        pytest.skip("it cannot run here: a package is missing, or the server that it speaks to")
    heavy = {"torch", "qwen_tts", "transformers", "pyopenjtalk", "espeakng_loader", "onnxruntime"}
    program = f"""
import sys
from narrate.engines.batched import Batched, Rows
from narrate.engines.choose import choose_engine
from narrate.engines.table import load_engine, voices
choose_engine({entry.languages[0]!r}), voices({entry.name!r}), load_engine({entry.name!r}).close()
print(*sorted({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="'siri'.*openjtalk, espeak"):
        load_engine("siri")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("tone:volume=3", "no option 'volume'.*rtf"),
        ("espeak:rtf=3", "no option 'rtf'.*none"),
        ("tone:rtf", "cannot read the option rtf="),
        ("tone:rtf=fast", "cannot read the option rtf=fast"),
        ("tone:bad=2", "between 0 and 1"),
        ("tone:fail=1+x", "fail"),
        ("tone:slots=2", "no option 'slots'"),
    ],
)
def test_a_wrong_option_is_refused(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_engine(spec)


def test_an_unknown_option_by_value_is_refused_too() -> None:
    with pytest.raises(InputError, match="--device is for qwen, not for"):
        load_engine("espeak", device="cuda")


def test_a_missing_package_is_named_with_the_remedy() -> None:
    entry = EngineEntry("x", "narrate.engines.x:X", ("ja",), "a voice", ("json", "no_such_package"), ("x",))
    assert entry.missing() == "x needs no_such_package: pip install x"
    with pytest.raises(InputError, match="pip install x"):
        entry.load()
    with pytest.raises(InputError, match=r"reads Japanese.*needs no_such_package: pip install x"):
        choose_engine("ja", [entry])


def test_the_best_engine_that_can_run_is_chosen() -> None:
    absent = EngineEntry("best", "narrate.engines.best:Best", ("en",), "a fine voice", ("no_such_package",), ("it",))
    named = EngineEntry("odd", "json:x", ("en",), "a test", auto=False)
    here = EngineEntry("good", "json:x", ("en", "de"), "a voice")
    name, why, better = choose_engine("en", [absent, named, here])
    assert (name, why) == ("good", "good (a voice) reads English")
    assert better == "best (a fine voice) would read it better, but best needs no_such_package: pip install it."
    assert choose_engine("de", [absent, named, here]) == ("good", "good (a voice) reads German", None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_an_engine_here(language: str) -> None:
    small = [entry for entry in ENGINES if not entry.wants_gpu]
    name, why, _ = choose_engine(language, small)
    assert name == ("openjtalk" if language == "ja" else "espeak")
    assert "\n" not in why
    assert choose_engine(language)[0] in (name, "qwen")


def test_a_language_nobody_speaks() -> None:
    with pytest.raises(InputError, match="'tlh'"):
        choose_engine("tlh")


@pytest.mark.parametrize(("given", "expected"), [(None, 10), (3, 3), ("auto", 7)])
def test_rows_reach_the_planner(given: Rows, expected: int) -> None:
    keep_batch_size(load_engine("tone").fingerprint, 7)
    engine = load_engine("tone", rows=given)
    assert isinstance(engine, Batched)
    assert engine.planner.rows == expected


def test_rows_that_were_never_measured_are_the_usual_ones() -> None:
    engine = load_engine("tone", rows="auto")
    assert isinstance(engine, Batched)
    assert engine.planner.rows == 10


def test_an_option_that_names_the_rows_comes_before_the_rows_for_any_engine() -> None:
    engine = load_engine("tone-stream:slots=2", rows=5)
    assert len(next(engine.synthesize(requests(a_chunk(index) for index in range(9))))) == 2
