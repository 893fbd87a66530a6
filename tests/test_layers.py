"""The picture in the README holds: imports go down only, heavy ones wait, threads are started in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "narrate"
# The floors of the house, from the ground up. A room imports from lower floors only; neighbours stay apart.
FLOORS = [
    {"errors", "packages", "text.document", "text.brackets"},
    {"text.characters"},
    {
        "clip",
        "clock",
        "files",
        "folders",
        "pace",
        "pipeline",
        "streams",
        "voice",
        "text.encoding",
        "text.language",
        "text.web",
    },
    {"text.structure"},
    {"text.formats"},
    {"text.spoken"},
    {"text.chunking", "text.comparison"},
    {"text.readers"},
    {"text.book"},
    {"engines", "sinks", "store"},
    {"checking", "settings"},
    {"synthesis"},
    {"playback"},
    {"reading"},
    {"terminal", "server"},
    {"bench"},
    {"cli"},
]
# Rooms whose modules build on one another.
ROOMS = {"text.structure", "text.formats", "text.spoken", "text.chunking", "text.comparison", "checking", "engines",
         "settings", "sinks", "store", "synthesis", "playback", "reading", "terminal", "server", "bench",
         "cli"}  # fmt: skip
HEAVY = {
    "av", "budoux", "chardet", "ctranslate2", "fastapi", "faster_whisper", "librosa", "llvmlite", "lxml", "mammoth",
    "markdown_it", "pyopenjtalk", "pypdf", "qwen_tts", "ray", "readability", "sentencex", "sounddevice", "soundfile",
    "speechmos", "starlette", "striprtf", "torch", "torchaudio", "transformers", "uvicorn", "wetext", "wyoming",
}  # fmt: skip
# Children of narrate's own process, and modules that are imported only once their heavy library is needed anyway.
HEAVY_AT_HOME = {"engines.qwen", "server"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name not in {"__init__", "__main__"}:
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST, *, top_only: bool = False) -> Iterator[str]:
    nodes = tree.body if top_only and isinstance(tree, ast.Module) else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_and_room(name: str) -> tuple[int, str]:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        room = ".".join(parts[:length])
        for number, rooms in enumerate(FLOORS):
            if room in rooms:
                return number, room
    raise AssertionError(f"narrate.{name} has no floor: add it where it belongs")


def module_of(imported: str, known: set[str]) -> str | None:
    """`narrate.text.chunking.chunks.cut` → `text.chunks`; None for what is not a module of ours."""
    name = imported.removeprefix("narrate.")
    if name == imported:
        return None
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


KNOWN = {name for name, _ in modules()}


@pytest.mark.parametrize(("name", "tree"), modules(), ids=[name for name, _ in modules()])
def test_imports_go_down_only(name: str, tree: ast.Module) -> None:
    if name == "text":
        return
    floor, room = floor_and_room(name)
    for imported in imports(tree):
        other = module_of(imported, KNOWN)
        if other is None or other in (name, "text"):
            continue
        other_floor, other_room = floor_and_room(other)
        assert other_floor < floor or (other_room == room and room in ROOMS), f"narrate.{name} imports narrate.{other}"


@pytest.mark.parametrize(("name", "tree"), modules(), ids=[name for name, _ in modules()])
def test_heavy_imports_wait_inside_functions(name: str, tree: ast.Module) -> None:
    if any(name.startswith(home) for home in HEAVY_AT_HOME):
        return
    heavy = {imported.split(".")[0] for imported in imports(tree, top_only=True)} & HEAVY
    assert not heavy, f"narrate.{name} imports {heavy} before it is needed"


@pytest.mark.parametrize(("name", "tree"), modules(), ids=[name for name, _ in modules()])
def test_threads_are_started_in_the_pipeline_alone(name: str, tree: ast.Module) -> None:
    started = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
    } & {"Thread", "ThreadPoolExecutor", "Timer"}
    assert not started or name == "pipeline"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["voices", "--help"]])
def test_asking_for_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nsys.argv = ['narrate', *sys.argv[1:]]\nfrom narrate.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"heavy = sorted(set(sys.modules) & {HEAVY | {'numpy', 'sqlite3'}!r})\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
