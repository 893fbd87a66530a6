"""`--report`: a page beside the audiobook, which opens without network; the same book, the same sound."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from narrate.checking.report_file import HELD, ReportFile, opus, strangeness_of
from narrate.checking.verdict import Verdict
from narrate.clip import Clip, Samples
from narrate.errors import SinkError
from tests.browser import browsing
from tests.speech import a_chunk
from tests.test_check import TEXT, WRONG, recogniser
from tests.test_report import Page

STORY = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"
RATE = 24_000


def run(*arguments: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The page about a story that eSpeak reads, and what was said."""
    folder = tmp_path_factory.mktemp("exported")
    page = folder / "story.html"
    return page, run(STORY, "-e", "espeak", "--no-store", "-o", folder / "story.wav", "--report", page)


def test_a_page_is_written_beside_the_book_and_the_drift_is_said(exported: tuple[Path, str]) -> None:
    page, said = exported
    text = page.read_text(encoding="utf-8")
    assert "No recogniser of speech has listened." in text
    assert len(Page(text).named("audio")) in range(5, 11)
    assert len(Page(text).named("svg")) == 3
    assert [line.split()[0] for line in said.splitlines() if "▄" in line] == ["Loudness", "Pitch", "Pace"]
    assert len(text) < 600_000


def test_the_sound_is_the_same_with_and_without(exported: tuple[Path, str], tmp_path: Path) -> None:
    run(STORY, "-e", "espeak", "--no-store", "-o", tmp_path / "plain.wav")
    assert (tmp_path / "plain.wav").read_bytes() == exported[0].with_name("story.wav").read_bytes()


def test_sentences_can_be_heard(exported: tuple[Path, str]) -> None:
    audio = Page(exported[0].read_text(encoding="utf-8")).named("audio")[0]
    kind, data = str(audio["src"]).split(",")
    assert kind == "data:audio/ogg;base64"
    with av.open(io.BytesIO(base64.b64decode(data))) as file:
        seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
    assert seconds > 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--report", "{}/page.html"], "--report is about files that are written"),
        (["-o", "{}/book.wav", "--report", "{}/page.txt"], "Give it a name such as page.html"),
        (["-o", "{}/book.wav", "--report", "{}/nowhere/page.html"], "does not exist"),
        (["-o", "{}/book.wav", "--report", "{}/there.html"], "exists already"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_made(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "there.html").write_text("mine")
    assert said in run(STORY, "-e", "espeak", *(each.format(tmp_path) for each in arguments), code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
    assert (tmp_path / "there.html").read_text() == "mine"


def test_each_book_has_a_report_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(f"The book is called {name}.")
    books = [tmp_path / "one.txt", tmp_path / "two.txt"]
    run(*books, "-e", "espeak", "-o", tmp_path / "{name}.wav", "--report", tmp_path / "{name}.html")
    for name in ("one", "two"):
        assert f"<h1>{name}</h1>" in (tmp_path / f"{name}.html").read_text(encoding="utf-8")


def hum(level: float, seconds: float = 3.0) -> Samples:
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * sum(np.sin(2 * np.pi * 120 * n * times) / n for n in range(1, 20))).astype(np.float32)


def gathered(path: Path, levels: list[float], known: dict[int, Verdict] | None = None) -> str:
    with ReportFile(path, RATE, ("A Book", "", ""), lambda chunk: (known or {}).get(chunk.index)) as sink:
        for index, level in enumerate(levels):
            chunk = a_chunk(index)
            sink.begin(chunk)
            half = hum(level)
            sink.write(Clip(chunk, half[: RATE // 2], RATE, final=False))
            sink.write(Clip(chunk, half[RATE // 2 :], RATE))
            sink.write(Clip(chunk, hum(0.0, 0.3), RATE, pause=True))
    return path.read_text(encoding="utf-8")


def test_the_worst_of_many_are_heard_and_the_sound_of_no_others_is_held(tmp_path: Path) -> None:
    levels = [0.1] * (2 * HELD)
    levels[20] = 0.3
    sink = ReportFile(tmp_path / "book.html", RATE, ("A Book", "", ""))
    for index, level in enumerate(levels):
        sink.begin(a_chunk(index))
        sink.write(Clip(a_chunk(index), hum(level), RATE))
        assert len(sink._sounds) <= HELD
    sink.__exit__(None, None, None)
    text = (tmp_path / "book.html").read_text(encoding="utf-8")
    first = re.search(r"<ol class=worst>.*?<p class=why>(.*?)</p><audio .*?<dd lang=\"en\">(.*?)</dl>", text, re.DOTALL)
    assert first is not None
    assert first[1] == "10 dB louder than the takes before it."
    assert first[2] == a_chunk(20).spoken


def test_what_a_recogniser_found_is_believed(tmp_path: Path) -> None:
    known = {3: Verdict("“counts” is missing", "sentence 3 four", "tiny", 0.3, {}, tries=3)}
    text = gathered(tmp_path / "book.html", [0.1] * 5, known)
    assert "“counts” is missing. 3 takes were made." in text
    assert "Heard by tiny." in text
    assert "16 s" not in text
    assert "0:16" in text  # five takes of 3.3 s


def test_a_reading_that_breaks_off_leaves_no_report(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ReportFile(tmp_path / "book.html", RATE, ("", "", "")) as sink:
        sink.begin(a_chunk(0))
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_gone_is_one_plain_line(tmp_path: Path) -> None:
    with (
        pytest.raises(SinkError, match="The report .* cannot be written: no such file or directory"),
        ReportFile(tmp_path / "gone" / "book.html", RATE, ("", "", "")),
    ):
        pass


def test_the_sound_of_a_sentence_is_small() -> None:
    assert 2_000 < len(opus(hum(0.1, 10.0), RATE)) < 60_000


def test_takes_without_figures_are_not_strange() -> None:
    assert strangeness_of([(a_chunk(0), Verdict()), (a_chunk(1), Verdict(measures={"seconds": 3.0}))]) == [0.0, 0.0]


def test_what_is_stored_is_reported_with_what_was_heard(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(TEXT)
    wrong = {re.sub(r"\W", "", WRONG): "A gull cried over the harbour."}
    ear = recogniser(book, **wrong)
    run(book, "-e", "espeak", "-o", tmp_path / "book.wav")
    page = tmp_path / "book.html"
    run("check", book, "-e", "espeak", "--recogniser", ear, "--report", page, code=3)
    text = page.read_text(encoding="utf-8")
    assert "A gull cried over the harbour <del>in the rain</del>." in text
    assert len(Page(text).named("audio")) >= 1
    run(book, "-e", "espeak", "-o", tmp_path / "again.wav", "--report", tmp_path / "again.html")
    again = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert "A gull cried over the harbour <del>in the rain</del>." in again


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.mark.parametrize("width", [360, 1000])
def test_the_page_opens_offline_asks_for_nothing_and_plays(
    browser: Any, exported: tuple[Path, str], width: int
) -> None:
    context = browser.new_context(offline=True, viewport={"width": width, "height": 740})
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(exported[0].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    played = """async () => {
        const sound = document.querySelector('audio');
        sound.muted = true;
        await sound.play();
        await new Promise(passed => sound.ontimeupdate = () => sound.currentTime > 0.1 && passed());
        return sound.duration;
    }"""
    assert page.evaluate(played) > 0.5
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert complaints == []
    context.close()
