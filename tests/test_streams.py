"""What goes out: nothing of a book steers the terminal, and neither closed nor blocked descriptors end a program."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from narrate.errors import ClosedPipe
from narrate.streams import Out, console, drawn_on
from narrate.text.characters import STEERING, harmless, one_line
from tests.epubs import item, make_epub, nav, page
from tests.terminal import terminal, wait_until
from tests.test_pdf import make_pdf
from tests.test_readers import zipped

ROOT = Path(__file__).resolve().parents[1]
STORY = ROOT / "samples" / "lighthouse.en.txt"
EVIL = "\x1b]0;owned\x07\x1b[31m\x9b31m\u202egnol\u2066\x7f\x00\x08"
NAMED = "&#27;]0;owned&#7;&#x9b;31m&#x202e;"  # the same in HTML


def narrate(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "narrate", *(a if isinstance(a, bytes) else str(a) for a in arguments)]
    settings = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 120, "cwd": ROOT, **options}
    return subprocess.run(command, check=False, **settings)  # type: ignore[call-overload,no-any-return]


def assert_steers_nothing(said: bytes) -> None:
    text = said.decode("utf-8", "replace")
    assert not set(text) & set(STEERING), ascii(text)


# --- what is said -----------------------------------------------------------------------------------------------------


@given(st.text(st.characters() | st.sampled_from(EVIL)))
def test_only_what_steers_is_taken_out(text: str) -> None:
    assert harmless(text) == "".join(sign for sign in text if sign not in STEERING)
    assert one_line(text) == one_line(one_line(text))
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize("sign", "\n\t\xa0éあ😀\u200d\u2028")
def test_what_does_not_steer_stays(sign: str) -> None:
    assert harmless(sign) == sign


def books() -> dict[str, bytes]:
    story = f"One {EVIL}sentence. Another one.\n\nA second paragraph."
    body = f"<h1>Chapter {NAMED}1</h1><p>Some {NAMED}words are here.</p>"
    info = "/Title (A \\033]0;owned\\007 title\\nforged)"
    return {
        "plain.txt": story.encode(),
        "latin.txt": b"One \x9b31mcaf\xe9 and \x8d another, caf\xe9s and d\xe9j\xe0 vu.",
        "page.html": f"<html><head><title>A {NAMED}title</title></head><body>{body}</body></html>".encode(),
        "book.md": f"---\ntitle: A {EVIL}title\n---\n\n# Chapter {EVIL}1\n\nWords {NAMED}are here.".encode(),
        "book.epub": make_epub(
            {"c1.xhtml": page(body), "c2.xhtml": page("<h1>Chapter 2</h1><p>More words.</p>")},
            {"nav.xhtml": nav(item("c1.xhtml", f"One {NAMED}") + item("c2.xhtml", "Two"))},
            metadata=f"<dc:title>The {NAMED}book\n\nforged</dc:title><dc:creator>A. {NAMED}</dc:creator>",
        ),
        "book.pdf": make_pdf([["The first line of it."], ["The second \\033[31mline of it."]], info=info),
        "cut.epub": zipped(**{f"a{EVIL}.opf": "<x/>"})[:-40],
        "lost.epub": zipped(**{"META-INF/container.xml": "<x/>", f"a{EVIL[:20]}.opf": ""}),
        "other.zip": zipped(a="text"),
    }


@pytest.mark.parametrize("name", books())
def test_nothing_of_a_book_reaches_the_terminal_raw(tmp_path: Path, name: str) -> None:
    book = tmp_path / name
    book.write_bytes(books()[name])
    target = tmp_path / "out.wav"
    for arguments in (["chunks", book], [book, "-e", "tone", "-o", target, "--subtitles", "srt"], ["books"]):
        done = narrate(*arguments)
        assert done.returncode in (0, 2), done.stderr
        assert_steers_nothing(done.stdout + done.stderr)
        if arguments[0] == "books":
            assert not any(line.lstrip().startswith(b"forged") for line in done.stdout.splitlines())
    if target.exists():
        assert_steers_nothing(target.with_suffix(".srt").read_bytes())


def test_nor_of_the_names_of_files(tmp_path: Path) -> None:
    assert_steers_nothing(narrate(tmp_path / "zz\x1b[31m\x9b.txt").stderr)
    book = tmp_path / "b\x1b[31mook.txt"
    book.write_text("Words are here.")
    done = narrate(book, "-e", "tone", "-o", tmp_path / "b.mp3")
    assert done.returncode == 0
    assert_steers_nothing(done.stderr)
    assert_steers_nothing(narrate("books").stdout)


def test_nor_of_standard_input_after_its_first_block() -> None:
    into, out = os.pipe()
    command = [sys.executable, "-m", "narrate", "chunks", "-"]
    reader = subprocess.Popen(command, stdin=into, stdout=subprocess.PIPE, cwd=ROOT)
    os.write(out, b"Hello there. ")
    wait_until(lambda: not select.select([into], [], [], 0)[0], "the first block to be read")
    os.close(into)
    time.sleep(1.5)  # until it is not waited for any more
    os.write(out, f"More {EVIL}words come. ".encode())
    os.close(out)
    said, _ = reader.communicate(timeout=60)
    assert_steers_nothing(said)
    assert b"More" in said


def test_nor_in_the_panel(tmp_path: Path) -> None:
    """What the terminal would show in its title is on its screen instead."""
    book = tmp_path / "book.html"
    title = f"The {NAMED}title"
    story = "".join(f"<p>The {NAMED}sentence number {n} is here.</p>" for n in range(9))
    book.write_text(f"<html><head><title>{title}</title></head><body><h1>Head {NAMED}</h1>{story}</body></html>")
    command = [sys.executable, "-m", "narrate", str(book), "-e", "tone:rtf=0.3", "-o", str(tmp_path / "b.wav")]
    with terminal(command, {**os.environ, "PYTHONPATH": str(ROOT)}) as window:
        assert window.exit_code() == 0
        assert "owned" not in window._tmux("display-message", "-p", "#{pane_title}").stdout


def test_a_console_draws_and_says_nothing_that_steers() -> None:
    stream = io.StringIO()
    screen = console(stream, force_terminal=True, color_system="standard", width=60, highlight=False)
    screen.print(Text(f"red {EVIL}text", style="red"))
    screen.print(f"plain {EVIL}text", markup=False)
    said = stream.getvalue()
    assert "\x1b[31mred ]0;owned[31m31mgnol" in said
    assert said.count("\x1b") == 2, "of its own: red and back"
    assert not set(said) & set(STEERING) - {"\x1b"}


# --- where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["", ">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_descriptors_change_nothing(tmp_path: Path, closed: str) -> None:
    target = tmp_path / "out.wav"
    line = f"{sys.executable} -m narrate {STORY} -e tone -q --no-store -o {target} --force {closed}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.stat().st_size > 100_000


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("- -e tone -o {} <&-", 2, "narrate: standard input: is empty; there is nothing to say\n"),
        ("nothing.txt 2>&-", 2, ""),
        ("chunks {story} >&-", 0, ""),
        ("voices >/dev/full", 1, "narrate: Standard output cannot be written: no space left on device.\n"),
        ("chunks {story} >/dev/full", 1, "narrate: Standard output cannot be written: no space left on device.\n"),
        ("chunks nothing.txt 2>/dev/full", 2, ""),
        ("{story} -e tone --no-store -o {} 2>/dev/full", 0, ""),
    ],
)
def test_outputs_that_fail_have_one_line_and_the_right_code(tmp_path: Path, line: str, code: int, said: str) -> None:
    arguments = line.format(tmp_path / "out.wav", story=STORY)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m narrate {arguments}"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [(["chunks", "{}", "--json"], 2000), (["{}", "-e", "tone:rate=8000", "-q", "--no-store", "-o", "-"], 60)],
    ids=["text", "wav"],
)
def test_a_pipe_that_does_not_block_is_waited_for(tmp_path: Path, arguments: list[str], sentences: int) -> None:
    """As node and others hand them down."""
    book = tmp_path / "long.txt"
    book.write_text("".join(f"This is sentence number {n} of a long text. " for n in range(sentences)))
    command = [sys.executable, "-m", "narrate", *(part.format(book) for part in arguments)]
    whole = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=True).stdout
    into, out = os.pipe()
    os.set_blocking(out, False)
    slow = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(out)
    time.sleep(3.0)  # until the pipe is full
    with open(into, "rb") as pipe:
        got = pipe.read()
    assert slow.wait(60) == 0, slow.communicate()
    assert len(whole) > 3 << 16
    assert got == whole


def test_letters_that_the_encoding_lacks_are_written_by_number(tmp_path: Path) -> None:
    poor = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for env in (poor, {**os.environ, "PYTHONIOENCODING": "latin-1"}, {**os.environ, "PYTHONIOENCODING": "cp1252"}):
        done = narrate("chunks", ROOT / "samples" / "umbrella.ja.txt", env=env)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\\u50d8" in done.stdout or b"\\u5098" in done.stdout
    found = narrate("chunks", ROOT / "samples" / "umbrella.ja.txt", "--json", env=poor).stdout.splitlines()
    assert "傘" in "".join(json.loads(line)["text"] for line in found)


def test_a_line_is_written_whole_and_drawings_stand_between_the_lines_where_they_were_drawn() -> None:
    into, out = os.pipe()
    with Out(out, owned=True) as stream:
        print("first \x1b[31m", file=stream)
        print("\x1b[2Kdrawn", file=drawn_on(stream))
        print("last", file=stream)
    with open(into, "rb") as pipe:
        assert pipe.read() == b"first [31m\n\x1b[2Kdrawn\nlast\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(out)


def test_what_is_not_needed_may_be_lost() -> None:
    into, out = os.pipe()
    os.close(into)
    with Out(out, needed=False, owned=True) as stream:
        print("to nobody", file=stream, flush=True)


def test_what_is_needed_is_an_error_once() -> None:
    into, out = os.pipe()
    os.close(into)
    with Out(out, owned=True) as stream:
        with pytest.raises(ClosedPipe):
            print("to nobody", file=stream, flush=True)
        print("and no complaint when it is closed", file=stream)
