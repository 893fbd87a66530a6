"""Programs get sound: every format whole, at once and to the end, from OpenAI's client, curl, FFmpeg and mpv."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import openai
import pytest

from narrate.engines import espeak
from narrate.engines.qwen import speakers
from narrate.server.voices import ALIASES, voice_for
from narrate.sinks import wav
from tests.serving import NOVEL, SENTENCE, Serving, serving, speak, until

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LATE_SECONDS = {"mp3": 0.12, "aac": 0.13}
TEXT = SENTENCE * 3


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving("tone:rate=22050") as running:
        yield running


@pytest.fixture
def client(server: Serving) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def seconds_of(data: bytes, format: str) -> float:
    if format == "pcm":
        return len(data) / 2 / 24_000
    with av.open(io.BytesIO(data)) as container:
        sound = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(sound)) / sound.rate


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_decodes_to_the_length_of_the_text(client: openai.OpenAI, server: Serving, format: str) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=format)  # type: ignore[arg-type]
    exact = len(speak(server, TEXT, format="wav").content[wav.HEADER :]) / 2 / 22_050
    assert exact > 10
    assert exact - 0.002 <= seconds_of(answer.content, format) <= exact + LATE_SECONDS.get(format, 0.002)


def test_mp3_is_what_a_program_gets_that_names_no_format(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="gpt-4o-mini-tts", voice="coral", input="Hello.")
    assert answer.response.headers["content-type"] == "audio/mpeg"
    with av.open(io.BytesIO(answer.content)) as container:
        assert container.format.name == "mp3"


@pytest.mark.parametrize("format", FORMATS)
def test_the_first_bytes_come_before_the_end_of_making(client: openai.OpenAI, server: Serving, format: str) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1",
        voice="alloy",
        input=NOVEL,
        response_format=format,  # type: ignore[arg-type]
    ) as answer:
        identity = answer.headers["x-request-id"]
        sound = answer.iter_bytes(256)
        assert len(next(sound)) == 256
        assert server.desk.outcomes.get(identity) is None  # it is still being made
    ended = server.outcome(identity)
    assert ended["finish_reason"] == "cancelled"


def test_a_client_that_does_not_read_is_waited_for_and_one_that_leaves_costs_no_more(server: Serving) -> None:
    with server.client.stream("POST", "/api/tts", json={"text": NOVEL, "format": "wav"}) as answer:
        sound = answer.iter_raw(1024)  # which lets go of the connection when nobody holds it any more
        next(sound)
        until(lambda: server.counted("live_slots") == 1)
    ended = server.outcome(answer.headers["x-request-id"])
    assert ended["finish_reason"] == "cancelled"
    # What fits into the sockets, what waits for them here, and 120 s that are made ahead: the novel has two hours.
    assert ended["audio_seconds"] < 2000
    assert ended["made"] < 600
    until(lambda: server.counted("live_slots") == 0)


def test_events_hold_the_same_sound(client: openai.OpenAI, server: Serving) -> None:
    answer = client.audio.speech.create(
        model="tts-1", voice="alloy", input=TEXT, response_format="pcm", stream_format="sse"
    )
    assert answer.response.headers["content-type"] == "text/event-stream"
    blocks = answer.content.decode().strip().split("\n\n")
    events = [json.loads(block.split("data: ", 1)[1]) for block in blocks]
    assert [event["type"] for event in events] == ["speech.audio.delta"] * (len(events) - 1) + ["speech.audio.done"]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert sound == client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="pcm").content
    assert events[-1]["usage"]["total_tokens"] > len(TEXT)
    assert len(events) > 2


def test_a_whole_sound_says_its_length_and_how_it_ended(server: Serving) -> None:
    answer = speak(server, TEXT, format="wav", stream=False)
    assert answer.headers["x-finish-reason"] == "stop"
    assert answer.headers["x-sample-rate"] == "22050"
    assert int(answer.headers["content-length"]) == len(answer.content)
    (data_bytes,) = struct.unpack("<I", answer.content[wav.HEADER - 4 : wav.HEADER])
    assert data_bytes == len(answer.content) - wav.HEADER
    assert abs(data_bytes / 2 / 22_050 - float(answer.headers["x-audio-seconds"])) < 0.001


def test_a_streamed_wave_has_one_header_of_unknown_length(server: Serving) -> None:
    data = speak(server, TEXT, format="wav").content
    assert data.count(b"RIFF") == 1
    assert struct.unpack("<I", data[4:8]) == (0xFFFFFFFF,)


@pytest.mark.parametrize(
    ("wishes", "rate"), [({"format": "pcm"}, 24_000), ({"format": "wav"}, 22_050), ({"sample_rate": 16_000}, 16_000)]
)
def test_the_rate_is_said(server: Serving, wishes: dict[str, object], rate: int) -> None:
    assert speak(server, **wishes).headers["x-sample-rate"] == str(rate)


def test_speed_and_further_settings_hold(server: Serving) -> None:
    usual = len(speak(server, format="pcm").content)
    assert abs(len(speak(server, format="pcm", speed=2).content) - usual / 2) < 2400
    assert speak(server, format="pcm", seed=2).content != speak(server, format="pcm").content
    assert speak(server, no_such_setting=1).status_code == 400
    assert "no setting 'no-such-setting'" in speak(server, no_such_setting=1).json()["detail"]


@pytest.mark.parametrize(
    ("wishes", "status", "says"),
    [
        ({"input": " \n"}, 400, "no text"),
        ({"input": "."}, 400, ""),
        ({"voice": "nobody"}, 400, "no voice 'nobody'"),
        ({"voice": {"id": "nobody"}}, 400, "no voice 'nobody'"),
        ({"model": "gpt-9"}, 404, "gpt-9"),
        ({"model": "tone:delay=100000"}, 404, "does not exist"),
        ({"speed": 3}, 400, "from 0.5 to 2"),
        ({"speed": 0.1}, 400, "speed"),
        ({"response_format": "ogg"}, 400, "response_format"),
        ({"instructions": "whisper"}, 400, "instruct"),
        ({"language": "Klingon"}, 400, "Klingon"),
        ({"language": "xx"}, 400, "xx"),
        ({"sample_rate": 10**9}, 400, "sample_rate"),
        ({"input": None}, 400, "input"),
    ],
)
def test_what_cannot_be_done_is_refused_in_openais_shape(
    server: Serving, wishes: dict[str, object], status: int, says: str
) -> None:
    answer = server.client.post("/v1/audio/speech", json={"input": "Hello.", **wishes})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert says in error["message"]
    assert error["type"] in ("invalid_request_error", "not_found_error")
    assert set(error) == {"message", "type", "param", "code"}


def test_the_client_understands_our_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.speech.create(model="whisper", voice="alloy", input="Hello.")
    assert caught.value.code == "model_not_found"


def test_an_engine_with_options_is_for_whoever_starts_the_server(server: Serving) -> None:
    assert speak(server, engine="tone:delay=100000").status_code == 400


def test_models_and_voices_can_be_asked_for(client: openai.OpenAI, server: Serving) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:2] == ["narrate", "tone"]
    assert "tts-1" in names
    assert client.models.retrieve("tone").owned_by == "narrate"
    voices = server.client.get("/v1/audio/voices").json()
    assert voices["voices"][:2] == ["low", "high"]
    assert voices["data"][0]["languages"]
    assert server.client.get("/api/voices").json()["voices"] == voices["data"]


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("language", ["en", "zh", "ja", "de"])
def test_openais_names_stand_for_voices_of_the_language(alias: str, language: str) -> None:
    for known in (espeak.VOICES, speakers.SPEAKERS):
        native = {voice.name: voice for voice in known if language in voice.languages}
        chosen = voice_for(alias, known, language)
        assert chosen in native if native else chosen is None
        women = {
            name for name, voice in native.items() if "woman" in voice.description or "female" in voice.description
        }
        if chosen and 0 < len(women) < len(native):
            assert (chosen in women) == ALIASES[alias]


def test_aliases_make_different_voices_where_there_are_some(server: Serving) -> None:
    sounds = {speak(server, voice=voice, format="pcm").content for voice in ("ash", "ballad", "low", "high")}
    assert len(sounds) == 2


def test_passages_that_fail_are_told_and_counted() -> None:
    with serving("tone:fail=1") as server:
        answer = speak(server, f"The first sentence is good. {SENTENCE}The third one is good, too.", stream=False)
        assert answer.headers["x-finish-reason"] == "partial"
        ended = server.outcome(answer.headers["x-request-id"])
        assert ended["failed"] == [SENTENCE.strip()]
        assert server.counted("takes_total", source="failed") == 1


def test_a_failure_after_the_first_byte_breaks_the_sound_off_and_is_told() -> None:
    broken = "+".join(map(str, range(60, 460)))  # far from the beginning, whatever is made at once
    text = " ".join(f"This is sentence number {number}, and no other sentence is the same." for number in range(460))
    with serving(f"tone:raise={broken}") as server:
        with (
            pytest.raises(httpx.RemoteProtocolError),
            server.client.stream("POST", "/api/tts", json={"text": text, "format": "pcm"}) as answer,
        ):
            assert answer.status_code == 200
            for _ in answer.iter_raw():
                pass
        ended = server.outcome(answer.headers["x-request-id"])
        assert ended["finish_reason"] == "error"
        assert ended["audio_seconds"] > 1
        assert server.counted("speeches_total", interface="api", format="pcm", finish_reason="error") == 1
        events = server.client.post("/v1/audio/speech", json={"input": text, "stream_format": "sse"}, timeout=60).text
        assert "speech.audio.error" in events
        assert "speech.audio.done" not in events


def test_a_failure_before_the_first_byte_is_an_error_of_the_request() -> None:
    with serving("tone:fail=0") as server:
        answer = speak(server, "Only this.")
        assert answer.status_code == 500
        assert "Nothing of the text could be spoken (told to fail)" in answer.json()["detail"]


def test_the_same_text_is_made_once(tmp_path: Path) -> None:
    with serving(store=tmp_path / "store") as server:
        first, second = (speak(server, TEXT, format="flac") for _ in range(2))
        assert first.content == second.content
        assert server.outcome(second.headers["x-request-id"])["made"] == 0


def test_curl_ffmpeg_and_mpv_play_it(server: Serving, tmp_path: Path) -> None:
    if not all(map(shutil.which, ("curl", "ffmpeg"))):
        pytest.skip("curl and ffmpeg are not here")
    body = json.dumps({"input": TEXT, "response_format": "opus"})
    curl = ["curl", "-sfN", f"{server.url}/v1/audio/speech", "-H", "Content-Type: application/json", "-d", body]
    decode = ["ffmpeg", "-v", "error", "-xerror", "-i", "pipe:", "-f", "s16le", "-ar", "48000", "-ac", "1", "pipe:"]
    sound = subprocess.run(curl, capture_output=True, check=True).stdout
    heard = subprocess.run(decode, input=sound, capture_output=True, check=True)
    assert heard.stderr == b""
    assert abs(len(heard.stdout) / 2 / 48_000 - seconds_of(sound, "opus")) < 0.01
    if shutil.which("mpv"):
        target = tmp_path / "heard.wav"
        command = ["mpv", "--no-config", "--ao=pcm", f"--ao-pcm-file={target}", "--no-video", "--really-quiet", "-"]
        subprocess.run(command, input=sound, check=True, timeout=120)
        assert abs(seconds_of(target.read_bytes(), "wav") - seconds_of(sound, "opus")) < 0.1
