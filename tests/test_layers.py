"""The picture in the README holds: imports go down only, heavy ones wait, threads are started in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "narrate"
# A module imports from lower levels only. Of equals, only what stands here under SIBLINGS.
LEVELS = [
    {"errors", "clip", "clock", "voice", "pace", "text.document", "text.language"},
    {
        "text",
        "planner",
        "pipeline",
        "takes",
        "stretch",
        "job",
        "store",
        "bookmark",
        "engines",
        "sinks",
        "display",
        "keys",
    },
    {"feed", "book", "start", "tuning"},
    {"narrator"},
    {"player"},
    {"listening"},
    {"reading"},
    {"arguments", "bench", "doctor", "listing", "server"},
    {"cli"},
]
# Packages whose members build on one another; elsewhere siblings stay apart.
FAMILIES = {"text", "engines", "sinks", "store", "job", "bench"}
HEAVY = {
    "av", "budoux", "chardet", "librosa", "lxml", "mammoth", "markdown_it", "pyopenjtalk", "pypdf", "qwen_tts",
    "sentencex", "sounddevice", "soundfile", "speechmos", "torch", "torchaudio", "transformers", "wetext",
}  # fmt: skip
# Children of narrate's own process, and modules that are imported only once their heavy library is needed anyway.
HEAVY_AT_HOME = {"engines.qwen"}


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


def level(name: str) -> int:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        for number, members in enumerate(LEVELS):
            if ".".join(parts[:length]) in members:
                return number
    raise AssertionError(f"narrate.{name} has no place in the layers: add it where it belongs")


def module_of(imported: str, known: set[str]) -> str | None:
    """`narrate.text.chunks.cut` → `text.chunks`; None for what is not a module of ours."""
    name = imported.removeprefix("narrate.")
    if name == imported:
        return None
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


KNOWN = {name for name, _ in modules()}


@pytest.mark.parametrize(("name", "tree"), modules(), ids=[name for name, _ in modules()])
def test_imports_go_down_only(name: str, tree: ast.Module) -> None:
    for imported in imports(tree):
        other = module_of(imported, KNOWN)
        if other is None or other == name:
            continue
        family = name.split(".")[0]
        same_family = family in FAMILIES and other.split(".")[0] == family
        job_and_store = {family, other.split(".")[0]} == {"job", "store"}
        assert level(other) < level(name) or same_family or job_and_store, f"narrate.{name} imports narrate.{other}"


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
        "import sys\nsys.argv = ['narrate', *sys.argv[1:]]\nfrom narrate.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"heavy = sorted(set(sys.modules) & {HEAVY | {'numpy', 'sqlite3'}!r})\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
