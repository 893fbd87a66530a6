"""Every command of the README is run: with short books, servers and devices that stand in for those it speaks of.

A command that the tables below do not know fails a test, and so does one of theirs that the README lost: who changes a
command there says here how it is tried.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import httpx
import pytest

from narrate.cli.main import run
from narrate.engines.table import find_engine
from tests.epubs import item, make_epub, nav, page
from tests.recorded import alsa_recorder
from tests.serving import until
from tests.test_serve_http2 import free_port

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
PROGRAMS = r"(?:narrate|python|pip|chrt -r|curl|eval|hypercorn|/usr/bin/time|some-program|NARRATE_\w+=)"

RUN = {
    "narrate --version": "",
    "narrate help check": "",
    "narrate alice.txt -e espeak -o alice.m4b --report alice.html": "alice.html",
    "narrate sample ja -o umbrella.wav": "umbrella.wav",
    "narrate novel.txt": "",
    "narrate novel.epub -o novel.m4b": "novel.m4b",
    "narrate novel.txt -o novel.epub": "novel.epub",
    "narrate novel.epub -o novel.opus --chapters 3-5": "novel.opus",
    "some-program | narrate -": "",
    "narrate https://example.org/story": "",
    "narrate shelf/ -o '{author} - {title}.m4b'": "A. Author - Book.m4b",
    "narrate chunks novel.txt --json": "",
    "narrate --help": "",
    "narrate --help --all": "",
    'narrate -t "a text"': "",
    "narrate novel.epub --plan -o novel.m4b": "",
    "narrate novel.txt -o novel.wav": "novel.wav",
    "narrate inspect FILE": "",
    'eval "$(narrate completions bash)"': "",
    "narrate books": "",
    "narrate": "",
    "narrate 3": "",
    "narrate config": "",
    "narrate config --edit": "",
    "narrate store": "",
    "narrate doctor": "",
    "narrate voices": "",
    "narrate voices -e http:URL": "",
    "/usr/bin/time -v narrate alice.txt -o alice.wav --no-store": "alice.wav",
    'curl -sN localhost:8040/api/tts -H \'Content-Type: application/json\' -d \'{"text": "Good night.", "format": '
    '"opus"}\' | mpv -': "mpv.sound",
}
"""What is run to its end, and the file that is there then."""
FIRST = {
    "narrate": ["narrate novel.txt"],
    "narrate 3": ["narrate novel.txt", "narrate novel.epub", "narrate https://example.org/story"],  # three books
    "narrate books": ["narrate novel.txt"],
    "narrate inspect FILE": ["narrate sample ja -o umbrella.wav --force"],
}
"""What must have been run before. The tests of this file may be shared out among processes."""
SERVERS = {
    'narrate serve --host 0.0.0.0 --token "two words" --library ~/books',
    "narrate serve --wyoming 0.0.0.0:10200",
    "narrate serve",
    'NARRATE_TOKEN="two words" hypercorn --certfile cert.pem --keyfile key.pem --bind 0.0.0.0:8443 '
    "'narrate.server.asgi:create()'",
}
"""What is started, asked something and ended."""
REFUSED = {
    "narrate wagahai.txt -e qwen -v ono_anna": "The weights of Qwen/Qwen3-TTS",  # they are gigabytes
    "narrate setup": "cannot be fetched (",  # it would fetch them
}
"""What is run to the honest error that says what is missing."""
HELP_ONLY = {
    "narrate doctor --all": "test_doctor.py runs it",
    "narrate inspect": "inspect FILE is run",
    "narrate store --clear": "it would remove takes",
    "narrate check novel.epub": "it needs a recogniser's model; test_check.py runs it with a stand-in",
    "narrate review novel.epub --dict words.txt": "test_review.py runs it",
    "narrate novel.epub -o novel.m4b --check": "it needs a recogniser's model; test_check.py runs it",
    "narrate novel.epub -o novel.m4b --takes 3": "it needs one, too; test_check.py runs it",
}
"""What is run with --help in its place, and why."""
PYTEST = re.compile(r"python -m pytest\b.*")
BENCHMARK = re.compile(r"(?:chrt -r 5 )?python (?:-m benchmarks\.(\w+)|benchmarks/(\w+)\.py)(.*)")
PIP = re.compile(r"pip install .*")
ALONE = [[word] for word in "--help -h books bench chunks config devices help inspect setup store voices".split()]
"""Commands that need no process of their own: they play nothing and write no book."""
CHAPTERS = ("One", "Two", "Three", "Four", "Five")


def commands() -> list[str]:
    """Lines of code without what explains them on the right, and commands within sentences and tables."""
    lines = [re.split(r" {2,}", line)[0] for kind, block in BLOCKS if not kind for line in block.splitlines()]
    text = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    inline = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    found = [line for line in (*lines, *inline) if re.match(rf"{PROGRAMS}(?![\w./-])", line)]
    parts = [part for line in found for part in (line.split(" && ") if line.startswith("pip ") else [line])]
    return list(dict.fromkeys(parts))


COMMANDS = commands()


def test_every_command_of_the_readme_is_known_here_and_nothing_else_is() -> None:
    tried = {*RUN, *SERVERS, *REFUSED, *HELP_ONLY}
    others = {command for command in COMMANDS if any(rule.fullmatch(command) for rule in (PYTEST, BENCHMARK, PIP))}
    assert set(COMMANDS) - others == tried & set(COMMANDS), set(COMMANDS) - others - tried
    assert tried <= set(COMMANDS), tried - set(COMMANDS)


class Place:
    """A folder with everything that the README's commands name, and the programs that they call."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("home/books", "shelf", "bin", "takes"):
            (folder / name).mkdir(parents=True)
        text = "".join(f"Chapter {number}. {name}\n\nIt rained.\n\n" for number, name in enumerate(CHAPTERS, 1))
        for name in ("novel.txt", "wagahai.txt", "alice.txt", "home/books/novel.txt"):
            (folder / name).write_text(text)
        pages = {f"{name}.xhtml": page(f"<h1>{name}</h1><p>It rained, and it rained again.</p>") for name in CHAPTERS}
        book = make_epub(pages, {"nav.xhtml": nav("".join(item(f"{name}.xhtml", name) for name in CHAPTERS))})
        for name in ("novel.epub", "shelf/novel.epub"):
            (folder / name).write_bytes(book)
        (folder / "story").mkdir()
        (folder / "story" / "index.html").write_text(
            page("<h1>A story</h1><p>" + "It rained all day long. " * 3 + "</p>")
        )
        (folder / "config.toml").touch()
        self._programs()
        self.ports = {name: free_port() for name in ("site", "open", "closed", "http2", "wyoming")}
        sound = alsa_recorder(folder, paced=False).env
        self.env = {
            **sound, "HOME": str(folder / "home"), "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "NARRATE_HOME": str(folder / "takes"), "NARRATE_CONFIG": str(folder / "config.toml"), "EDITOR": "true",
            "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(folder / "hub"), "LANG": "en_US.UTF-8",
        }  # fmt: skip
        self._serve_site()

    def _programs(self) -> None:
        python = shlex.quote(sys.executable)
        for name, does in {
            "narrate": f'exec {python} -m narrate "$@"',
            "hypercorn": f'exec {python} -m hypercorn "$@"',
            "some-program": "echo 'It rained.'; echo 'And it rained again.'",
            "mpv": 'cat > mpv.sound; test -s mpv.sound -a "$*" = -',
        }.items():
            program = self.folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{does}\n")
            program.chmod(0o755)

    def _serve_site(self) -> None:
        handler = partial(Quiet, directory=str(self.folder))
        server = ThreadingHTTPServer(("127.0.0.1", self.ports["site"]), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)

    def mapped(self, command: str) -> str:
        """The command with the stand-ins' addresses and names."""
        command = command.removeprefix("/usr/bin/time -v ")
        for theirs, ours in (
            ("https://example.org/", f"http://127.0.0.1:{self.ports['site']}/"),
            ("localhost:8040", f"127.0.0.1:{self.ports['open']}"),
            ("http:URL", f"http://127.0.0.1:{self.ports['open']}"),
            ("inspect FILE", "inspect umbrella.wav"),
            ("-o novel.epub", "-o novel.epub --force"),  # the book of that name is there already
            ("-o novel.m4b", "-o novel.m4b --force"),
            ("0.0.0.0:8443", f"127.0.0.1:{self.ports['http2']}"),
            ("0.0.0.0:10200", f"127.0.0.1:{self.ports['wyoming']}"),
            ("--host 0.0.0.0", f"--host 0.0.0.0 --port {self.ports['closed']}"),
        ):
            command = command.replace(theirs, ours)
        return command

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        if command.split()[1:2] in ALONE:
            return self._run_here(self.mapped(command))
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {self.mapped(command)}"],
            cwd=self.folder, env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _run_here(self, command: str) -> subprocess.CompletedProcess[str]:
        """In this process, which has imported everything already."""
        said, complained = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
            patch.chdir(self.folder)
            for name, value in self.env.items():
                patch.setenv(name, value)
            code = run(shlex.split(command)[1:])
        return subprocess.CompletedProcess(command, code, said.getvalue(), complained.getvalue())

    def start(self, command: str) -> None:
        log = self._stack.enter_context((self.folder / f"log-{len(command)}").open("wb"))
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {self.mapped(command)}"],
            cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stderr=log, stdout=log,
        )  # fmt: skip
        self.servers[command] = process
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    pytest.importorskip("hypercorn")
    with ExitStack() as stack:
        found = Place(tmp_path_factory.mktemp("readme"), stack)
        subject = ["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"]
        try:
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
            subprocess.run(command, cwd=found.folder, capture_output=True, check=True)
        except FileNotFoundError:
            pytest.skip("openssl is not installed")
        for command in sorted(SERVERS - {"narrate serve"}):
            port = f" --port {found.ports['open']}" if "wyoming" in command else ""
            found.start(command + port)
        yield found


@pytest.mark.parametrize("command", RUN)
def test_a_command_does_what_it_is_there_for(command: str, place: Place) -> None:
    if "localhost:8040" in command or "http:URL" in command:
        until(lambda: _status(place, "open") == 200)
    for before in FIRST.get(command, ()):
        place.run(before)
    done = place.run(command)
    assert done.returncode == 0, done.stderr
    assert done.stdout or done.stderr or RUN[command] or "completions" in command or "config" in command
    if RUN[command]:
        assert (place.folder / RUN[command]).stat().st_size > 1000


@pytest.mark.parametrize("command", REFUSED)
def test_what_needs_weights_says_so(command: str, place: Place) -> None:
    done = place.run(command)
    missing = find_engine("qwen").missing()
    assert done.returncode in (1, 2)
    assert (missing or REFUSED[command]) in done.stderr


@pytest.mark.parametrize("command", HELP_ONLY)
def test_what_takes_long_has_its_help(command: str, place: Place) -> None:
    program, name, *rest = command.split()
    done = place.run(f"{program} {name} --help" if name.isalpha() else f"{program} --help --all")
    assert done.returncode == 0
    assert all(flag in done.stdout for flag in rest if flag.startswith("-"))


def test_the_servers_answer(place: Place) -> None:
    for name, headers in (("open", {}), ("closed", {"Authorization": "Bearer two words"}), ("http2", {})):
        until(lambda name=name, headers=headers: _status(place, name, headers) == 200)  # type: ignore[misc]
    assert _status(place, "closed", path="/v1/models") == 401
    books = httpx.get(
        f"http://127.0.0.1:{place.ports['closed']}/api/documents", headers={"Authorization": "Bearer two words"}
    )
    assert "novel" in books.text
    with httpx.Client(verify=False) as client:
        assert client.get(f"https://127.0.0.1:{place.ports['http2']}/v1/models").status_code == 401
    socket.create_connection(("127.0.0.1", place.ports["wyoming"]), timeout=10).close()


def _status(place: Place, name: str, headers: dict[str, str] | None = None, path: str = "/health") -> int:
    address = f"{'https' if name == 'http2' else 'http'}://127.0.0.1:{place.ports[name]}{path}"
    try:
        with httpx.Client(verify=False) as client:
            return client.get(address, headers=headers or {}).status_code
    except httpx.TransportError:
        ended = [command for command, server in place.servers.items() if server.poll() is not None]
        assert not ended, (ended, [(place.folder / f"log-{len(each)}").read_text() for each in ended])
        return 0


@pytest.mark.parametrize("program", [block for kind, block in BLOCKS if kind == "python"], ids=["read", "openai"])
def test_the_programs_run(program: str, place: Place) -> None:
    until(lambda: _status(place, "closed", {"Authorization": "Bearer two words"}) == 200)
    program = program.replace("localhost:8040", f"127.0.0.1:{place.ports['closed']}")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=place.folder, env=place.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "openai" not in program or (place.folder / "novel.opus").read_bytes()[:4] == b"OggS"


@pytest.mark.parametrize("command", [command for command in COMMANDS if BENCHMARK.fullmatch(command)])
def test_a_benchmark_is_there_and_has_the_options_that_are_given(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They measure for minutes, so they are asked for their help."""
    module, script, given = BENCHMARK.fullmatch(command).groups()  # type: ignore[union-attr]
    words = shlex.split(given)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [command, *words, "--help"])
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), str(ROOT), *sys.path])
    said = StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit) as ended:
        if module:
            runpy.run_module(f"benchmarks.{module}", run_name="__main__")
        runpy.run_path(str(ROOT / "benchmarks" / f"{script}.py"), run_name="__main__")
    assert ended.value.code in (0, None), said.getvalue()
    assert all(word in said.getvalue() for word in words if word.startswith("--"))


@pytest.mark.parametrize("command", [command for command in COMMANDS if PYTEST.fullmatch(command)])
def test_a_command_for_tests_names_marks_and_files_that_exist(command: str) -> None:
    words = shlex.split(command)[3:]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    marks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    known = {mark.partition(":")[0] for mark in marks}
    for flag, value in zip(words, [*words[1:], ""], strict=True):
        assert flag != "-m" or value.split()[-1] in known
        assert not flag.endswith(".py") or (ROOT / flag).is_file()


@pytest.mark.parametrize("command", [command for command in COMMANDS if PIP.fullmatch(command)])
def test_what_is_to_be_installed_is_what_the_package_asks_for(command: str) -> None:
    """Nothing is installed here; .ci/run and the tests of the wheel do that."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    asked = {re.split(r"[<>=\[;]", line)[0] for lines in (*extras.values(), project["dependencies"]) for line in lines}
    for word in shlex.split(command)[2:]:
        if word.startswith("-"):
            continue
        if found := re.fullmatch(r"(?:\.|narrate-aloud)\[([\w,]+)\]", word):
            assert set(found[1].split(",")) <= extras.keys()
        else:
            assert re.split(r"[<>=]", word)[0] in asked | {"build", "twine"}, word
