"""Speech servers as an engine: every dialect, and every fault that such servers are known for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip, from_int16, to_int16
from narrate.clock import OFF
from narrate.engines import Engine, Request
from narrate.engines.table import load_engine
from narrate.errors import EngineError, InputError
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, clips_of, requests, whole
from tests.speech_server import RATE, Answer, StandIn, events, mp3, pcm, serving, sound_of, wav

pytest.importorskip("httpx", reason="the package httpx is not installed")

VLLM = {"object": "list", "data": [{"id": "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", "owned_by": "vllm"}]}
SGLANG = {"object": "list", "data": [{"id": "Qwen3-TTS", "owned_by": "sglang-omni"}]}
KOKORO = {"object": "list", "data": [{"id": "tts-1", "owned_by": "kokoro"}, {"id": "kokoro", "owned_by": "kokoro"}]}
PLAIN = {"object": "list", "data": [{"id": "some-voice-model", "owned_by": "me"}]}
NAMES = {"voices": ["ryan", "vivian"]}
OBJECTS = {"data": [{"id": "ryan", "name": "Ryan"}, {"id": "vivian"}]}
LISTS = ["ryan", "vivian"]
RYAN = Voice(name="ryan", seed=5)


def good(asked: dict[str, Any], _: int) -> Answer:
    return Answer(wav(sound_of(asked["input"])))


def an_engine(*urls: str, **options: object) -> Engine:
    engine = load_engine(f"http:{','.join(urls)}", **options)
    engine.prepare(RYAN, OFF)
    return engine


def spoken_by(stand_in: StandIn, asked: list[Request] | None = None) -> dict[str, Clip]:
    engine = an_engine(stand_in.url)
    try:
        return whole(clips_of(engine, asked or requests([a_chunk(0)], RYAN)))
    finally:
        engine.close()


def the_clip(answer: Callable[[dict[str, Any], int], Answer], models: Any = PLAIN) -> Clip:
    with serving(StandIn(models, NAMES, answer)) as stand_in:
        (clip,) = spoken_by(stand_in).values()
        return clip


def assert_sounds(clip: Clip, text: str | None = None) -> None:
    expected = from_int16(to_int16(sound_of(text or clip.chunk.spoken)))
    assert clip.failure is None
    assert clip.sample_rate == RATE
    assert np.array_equal(clip.samples, expected)


# -- dialects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voices", [NAMES, OBJECTS, LISTS], ids=["names", "objects", "list"])
@pytest.mark.parametrize(
    ("models", "dialect", "sent"),
    [
        (VLLM, "vllm-omni", {"language": "English", "seed": 5, "max_new_tokens": 150}),
        (SGLANG, "sglang-omni", {"language": "English", "seed": 5, "max_new_tokens": 150}),
        (KOKORO, "kokoro", {"lang_code": "a"}),
        (PLAIN, "plain", {}),
    ],
    ids=["vllm-omni", "sglang-omni", "kokoro", "plain"],
)
def test_a_server_is_recognised_and_sent_what_it_knows_and_nothing_else(
    models: Any, dialect: str, sent: dict[str, Any], voices: Any
) -> None:
    with serving(StandIn(models, voices, good)) as stand_in:
        engine = an_engine(stand_in.url)
        assert engine.fingerprint["dialect"] == dialect
        (clip,) = whole(clips_of(engine, requests([a_chunk(0)], RYAN))).values()
        engine.close()
    assert_sounds(clip)
    (asked,) = stand_in.asked
    model = next((each["id"] for each in models["data"] if "tts" in each["id"].lower()), models["data"][0]["id"])
    usual = {"model": model, "input": clip.chunk.spoken, "voice": "ryan", "response_format": "wav", "speed": 1.0}
    if "max_new_tokens" in sent:
        assert 60 < asked["max_new_tokens"] < 250  # frames of 80 ms: a few times the length that is expected
        sent = {**sent, "max_new_tokens": asked["max_new_tokens"]}
    assert asked == {**usual, **sent}


def test_another_attempt_is_drawn_with_another_seed() -> None:
    with serving(StandIn(VLLM, NAMES, good)) as stand_in:
        spoken_by(stand_in, [a_request(a_chunk(0), RYAN, attempt=attempt) for attempt in range(3)])
    assert len({asked["seed"] for asked in stand_in.asked}) == 3


def test_the_key_of_a_take_does_not_hold_the_address() -> None:
    with serving(StandIn(VLLM, NAMES, good)) as one, serving(StandIn(VLLM, NAMES, good)) as other:
        first, second = an_engine(one.url), an_engine(other.url)
        assert first.fingerprint == second.fingerprint
        assert not any(one.url in value for value in first.fingerprint.values())


def test_what_a_server_cannot_do_is_refused_before_anything_is_sent() -> None:
    with serving(StandIn(PLAIN, NAMES, good)) as stand_in:
        engine = load_engine(f"http:{stand_in.url}")
        with pytest.raises(InputError, match="no voice 'bella'. Choose one of: ryan, vivian"):
            engine.check(Voice(name="bella"))
        with pytest.raises(InputError, match="Name a voice"):
            engine.check(Voice())
        with pytest.raises(InputError, match="cannot follow --instruct"):
            engine.check(replace(RYAN, instruct="sadly"))
    assert not stand_in.asked


def test_servers_that_are_not_alike_do_not_read_one_book() -> None:
    with (
        serving(StandIn(VLLM, NAMES, good)) as one,
        serving(StandIn(KOKORO, NAMES, good)) as other,
        pytest.raises(InputError, match="alike"),
    ):
        load_engine(f"http:{one.url},{other.url}")


# -- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0, 0x7FFFFFFF], ids=["all ones", "zero", "half of all"])
def test_a_wav_of_unknown_length(size: int) -> None:
    assert_sounds(the_clip(lambda asked, _: Answer(wav(sound_of(asked["input"]), size=size))))


def test_a_wav_for_each_sentence_glued_together() -> None:
    def glued(asked: dict[str, Any], _: int) -> Answer:
        samples = sound_of(asked["input"])
        return Answer(wav(samples[:9000]) + wav(samples[9000:20_000]) + wav(samples[20_000:]))

    assert_sounds(the_clip(glued))


def test_glued_wavs_of_unknown_length() -> None:
    def glued(asked: dict[str, Any], _: int) -> Answer:
        samples = sound_of(asked["input"])
        return Answer(wav(samples[:9000], size=0xFFFFFFFF) + wav(samples[9000:], size=0xFFFFFFFF))

    assert_sounds(the_clip(glued))


@pytest.mark.parametrize("headers", [{}, {"X-Sample-Rate": "24000"}], ids=["no rate", "rate in a header"])
def test_raw_samples_without_a_header(headers: dict[str, str]) -> None:
    assert_sounds(the_clip(lambda asked, _: Answer(pcm(sound_of(asked["input"])), headers=headers)))


def test_raw_samples_at_another_rate_are_brought_to_ours() -> None:
    clip = the_clip(lambda asked, _: Answer(pcm(sound_of(asked["input"])[::2]), headers={"X-Sample-Rate": "12000"}))
    assert clip.sample_rate == RATE
    assert abs(len(clip.samples) - len(sound_of(clip.chunk.spoken))) <= 2


def test_mp3_where_wav_was_asked() -> None:
    clip = the_clip(lambda asked, _: Answer(mp3(sound_of(asked["input"])), headers={"Content-Type": "audio/wav"}))
    assert clip.failure is None
    assert clip.seconds == pytest.approx(len(sound_of(clip.chunk.spoken)) / RATE, abs=0.15)


def test_events_where_sound_was_asked() -> None:
    assert_sounds(the_clip(lambda asked, _: Answer(events(sound_of(asked["input"])))))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b'{"error": {"message": "TTS model did not produce audio output"}}', 400), "did not produce audio"),
        (Answer(b'{"detail": [{"msg": "input is too long"}]}', 422), "answers 422 (input is too long)"),
        (Answer(b"", 200), "sent no sound"),
        (Answer(b'{"message": "no voice"}', 200), "a message instead of sound: no voice"),
        (Answer(b"<html><body>Gateway</body></html>", 200), "a web page"),
        (Answer(b"Internal Server Error", 500), "answers 500"),
        (Answer(wav(sound_of("x")), headers={"X-Finish-Reason": "length"}), "without end"),
    ],
    ids=["400", "422", "empty", "json", "html", "500", "runaway"],
)
def test_this_text_failed_and_says_why(answer: Answer, why: str) -> None:
    clip = the_clip(lambda *_: answer)
    assert why in (clip.failure or "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b'{"error": {"message": "Incorrect API key"}}', 401), "NARRATE_API_KEY"),
        (Answer(b"{}", 404), "404"),
        (Answer(b"", 307, {"Location": "https://elsewhere.example/"}), "elsewhere.example"),
    ],
    ids=["401", "404", "redirect"],
)
def test_this_server_will_never_do(answer: Answer, why: str) -> None:
    with pytest.raises(EngineError, match=why):
        the_clip(lambda *_: answer)


@pytest.mark.parametrize(
    "first",
    [
        Answer(b"{}", 503, {"Retry-After": "0.2"}),
        Answer(b"{}", 429, {"Retry-After": "0.2"}),
        Answer(wav(sound_of("x" * 50)), cut_after=3000),
        Answer(wav(sound_of("x" * 50)), cut_after=0),
    ],
    ids=["503", "429", "cut", "reset"],
)
def test_what_passes_is_tried_again(first: Answer) -> None:
    assert_sounds(the_clip(lambda asked, times: first if times == 1 else good(asked, times)))


def test_a_text_that_costs_one_connection_after_another_is_at_fault() -> None:
    def answer(asked: dict[str, Any], times: int) -> Answer:
        return Answer(b"RIFF", cut_after=2) if "poison" in asked["input"] else good(asked, times)

    chunks = [a_chunk(0), a_chunk(1, "This is the poison sentence."), a_chunk(2)]
    with serving(StandIn(PLAIN, NAMES, answer)) as one, serving(StandIn(PLAIN, NAMES, answer)) as other:
        engine = an_engine(one.url, other.url)
        clips = whole(clips_of(engine, requests(chunks, RYAN)))
        engine.close()
    failed = {name: clip.failure for name, clip in clips.items() if clip.failure}
    assert list(failed) == [":1:0"]
    assert len(clips) == 3


# -- several ----------------------------------------------------------------------------------------------------------


def test_a_server_that_dies_loses_its_texts_to_the_other_and_comes_back() -> None:
    chunks = [a_chunk(index) for index in range(30)]
    with serving(StandIn(PLAIN, NAMES, good)) as steady:
        dying = StandIn(PLAIN, NAMES, good)
        with serving(dying) as dying:
            port = int(dying.url.rpartition(":")[2])
            engine = an_engine(steady.url, dying.url)
            first = whole(clips_of(engine, requests(chunks[:10], RYAN)))
        second = whole(clips_of(engine, requests(chunks[10:20], RYAN)))
        before = len(dying.asked)
        with serving(dying, port):
            engine._posts[1].rests_until = 0.0  # type: ignore[attr-defined]  # instead of waiting for it
            third = whole(clips_of(engine, requests(chunks[20:], RYAN)))
        engine.close()
    for clip in (*first.values(), *second.values(), *third.values()):
        assert_sounds(clip)
    assert len(first) == len(second) == len(third) == 10
    assert before
    assert len(dying.asked) > before


def test_when_none_is_left_it_says_so() -> None:
    with serving(StandIn(PLAIN, NAMES, good)) as stand_in:
        engine = an_engine(stand_in.url)
    with pytest.raises(EngineError, match=r"Nobody is left .*does not answer.* goes on where it was"):
        clips_of(engine, requests([a_chunk(0)], RYAN))
    engine.close()


def test_when_none_answers_at_the_start_it_says_so() -> None:
    with serving(StandIn(PLAIN, NAMES, good)) as stand_in:
        pass
    with pytest.raises(EngineError, match="does not answer"):
        load_engine(f"http:{stand_in.url}")


def test_a_key_is_wanted_and_given_and_is_in_no_fingerprint() -> None:
    with serving(StandIn(PLAIN, NAMES, good, key="sesame")) as stand_in:
        with pytest.raises(EngineError, match="wants a key"):
            load_engine(f"http:{stand_in.url}")
        engine = load_engine(f"http:{stand_in.url}", api_key="sesame")
        engine.prepare(RYAN, OFF)
        (clip,) = whole(clips_of(engine, requests([a_chunk(0)], RYAN))).values()
        engine.close()
    assert_sounds(clip)
    assert "sesame" not in str(engine.fingerprint)


def test_no_more_requests_at_once_than_slots() -> None:
    with serving(StandIn(VLLM, NAMES, lambda asked, _: replace(good(asked, 1), wait_seconds=0.02))) as stand_in:
        engine = an_engine(stand_in.url, slots=3)
        assert len(whole(clips_of(engine, requests([a_chunk(index) for index in range(40)], RYAN)))) == 40
        engine.close()
    assert 2 <= stand_in.most_at_once <= 3


def test_the_first_text_of_an_ear_streams() -> None:
    """The first samples are there before the server has sent the last."""
    gate = threading.Semaphore(0)

    def in_pieces(asked: dict[str, Any], _: int) -> Answer:
        data = pcm(sound_of(asked["input"]))
        assert asked["stream"] is True
        assert asked["response_format"] == "pcm"
        return Answer(pieces=[data[:9000], data[9000:]], headers={"X-Sample-Rate": str(RATE)})

    with serving(StandIn(VLLM, NAMES, in_pieces, gate=gate)) as stand_in:
        engine = an_engine(stand_in.url)
        gate.release()
        clips: list[Clip] = []
        for some in engine.synthesize(iter([a_request(a_chunk(0), RYAN, due=OFF.now)])):
            if some and not clips:
                assert not some[0].final
                gate.release()
            clips += some
        engine.close()
    (clip,) = whole(clips).values()
    assert_sounds(clip)


def test_what_is_for_a_file_comes_whole() -> None:
    with serving(StandIn(VLLM, NAMES, good)) as stand_in:
        spoken_by(stand_in, [a_request(a_chunk(0), RYAN, due=lambda: inf)])
    assert "stream" not in stand_in.asked[0]


def test_cancelled_texts_are_not_answered() -> None:
    pulled: list[str] = []

    def asked() -> Iterator[Request]:
        for request in requests([a_chunk(index) for index in range(12)], RYAN):
            pulled.append(request.id)
            yield request

    with serving(StandIn(PLAIN, NAMES, lambda asked, _: replace(good(asked, 1), wait_seconds=0.05))) as stand_in:
        engine = an_engine(stand_in.url)
        clips: list[Clip] = []
        cancelled: set[str] = set()
        for some in engine.synthesize(asked()):
            if some and not clips:
                cancelled = set(pulled) - {clip.request_id for clip in some}
                engine.cancel(cancelled)
            clips += some
        engine.close()
    assert cancelled
    assert {clip.request_id for clip in clips} == set(pulled) - cancelled
