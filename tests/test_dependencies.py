"""What narrate needs is under licences that let it be used, and comes ready-made for many systems."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest

from narrate.folders import samples

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "packaging"
WITHOUT_A_COMPILER = ("-", "ja", "server", "remote", "normalize")


def script(name: str) -> ModuleType:
    """A program of the folder packaging/, as a module. (The name of that folder belongs to a package of Python's.)"""
    path = FOLDER / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"packaging_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


licences, wheels = script("licences"), script("wheels")
CHILD = {"espeakng-loader"}  # speaks in a process of its own
DECIDED = CHILD | {"av"}  # see Licences in the README


def rows(name: str) -> list[list[str]]:
    """The cells of the tables of a file, without their heads."""
    lines = [line for line in (FOLDER / name).read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [line for line in cells if line[0] not in ("package", "whole extra", "---")]


def is_free(name: str) -> bool:
    return name in DECIDED or not licences.GPL.search(licences.licence(name))


def test_every_dependency_is_in_the_table_of_licences_with_what_it_says_of_itself() -> None:
    told = {name: said for name, said, _ in rows("licences.md")}
    here = {name: licences.licence(name) for name in set().union(*licences.needed().values())}
    assert {name: told.get(name) for name, said in here.items() if said} == {
        n: said for n, said in here.items() if said
    }


def test_the_table_of_licences_names_nothing_else() -> None:
    needed = set().union(*licences.needed().values())
    assert not {name for name, _, _ in rows("licences.md") if name not in needed and licences.licence(name)}


def test_no_package_has_an_unknown_licence_or_the_gpl() -> None:
    for name, said, _ in rows("licences.md"):
        assert said not in ("", "not said"), name
        assert name in DECIDED or not licences.GPL.search(said), f"{name} is under the GPL"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("GPL-3.0-or-later", True),
        ("GNU Affero General Public License v3", True),
        ("AGPL-3.0", True),
        ("GPLv2+", True),
        ("GNU General Public License v2 or later (GPLv2+)", True),
        ("LGPL-2.1-or-later", False),
        ("GNU Library or Lesser General Public License (LGPL)", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_known_by_its_names(said: str, found: bool) -> None:
    assert bool(licences.GPL.search(said)) == found


def test_no_module_imports_what_is_under_the_gpl() -> None:
    providers = packages_distributions()
    for path in sorted((ROOT / "narrate").rglob("*.py")):
        for imported in _imported(path):
            for provider in map(licences.plain, providers.get(imported, ())):
                led_to = licences.closure([provider]) if provider != "narrate-aloud" else set()
                assert all(map(is_free, led_to)), f"{path.name} imports {imported}"
                assert provider not in CHILD, f"{path.name} imports what speaks in a process of its own"


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("sample", "output"),
    [("lighthouse.en.txt", "out.wav"), ("umbrella.ja.txt", "out.m4b"), ("well.zh.txt", "out.epub")],
)
def test_a_reading_loads_no_code_under_the_gpl(sample: str, output: str, tmp_path: Path) -> None:
    """Which packages the running program really has in it; of espeakng-loader only the path of its library is asked."""
    code = (
        "import sys\nfrom narrate.cli.main import run\nassert run(sys.argv[1:]) == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "print(*(line.split()[-1] for line in open('/proc/self/maps') if '.so' in line))"
    )
    command = [sys.executable, "-c", code, samples() / sample, "-o", tmp_path / output, "--chapters", "1", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules, libraries = done.stdout.splitlines()[-2:]
    providers = packages_distributions()
    loaded = {licences.plain(provider) for module in modules.split() for provider in providers.get(module, ())}
    assert {"numpy", "typer"} <= loaded
    assert {name for name in loaded if licences.GPL.search(licences.licence(name))} <= DECIDED
    assert "espeak" not in libraries


def test_the_table_of_wheels_is_of_these_dependencies() -> None:
    from packaging.requirements import Requirement

    told = {(row[0], row[1]): row[2] for row in rows("wheels.md") if len(row) == len(wheels.SYSTEMS) + 3}
    needs = {
        (wheels.name_of(text), extra): Requirement(text).specifier
        for extra, requirements in wheels.project().items()
        for text in requirements
    }
    assert told.keys() == needs.keys()
    for key, allowed in needs.items():
        assert all(allowed.contains(version) for version in told[key].split(", ")), key


def test_all_but_the_largest_comes_without_a_compiler_on_every_system() -> None:
    whole = {row[0]: row[1:] for row in rows("wheels.md") if len(row) == len(wheels.SYSTEMS) + 1}
    assert whole.keys() == wheels.project().keys()
    for extra in WITHOUT_A_COMPILER:
        assert whole[extra] == ["3.11–3.14"] * len(wheels.SYSTEMS), extra
    # faster-whisper needs onnxruntime, of which there are no wheels for Intel Macs any more.
    assert [each for each in whole["check"] if each != "3.11–3.14"] == ["else source: onnxruntime"]


@pytest.mark.parametrize(
    ("wheel", "system", "python", "fits"),
    [
        ("a-1-cp311-abi3-win_amd64.whl", "Windows x86_64", "3.14", True),
        ("a-1-cp312-abi3-win_amd64.whl", "Windows x86_64", "3.11", False),
        ("a-1-cp312-cp312-win_amd64.whl", "Windows x86_64", "3.13", False),
        ("a-1-cp314-cp314t-win_amd64.whl", "Windows x86_64", "3.14", False),
        ("a-1-cp313-cp313-macosx_11_0_universal2.whl", "macOS x86_64", "3.13", True),
        ("a-1-cp313-cp313-macosx_11_0_arm64.whl", "macOS x86_64", "3.13", False),
        ("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", "Linux x86_64", "3.13", False),
        ("a-1-cp313-cp313-manylinux_2_34_x86_64.whl", "Linux x86_64", "3.13", False),
        ("a-1-cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", "Linux aarch64", "3.13", True),
        ("a-1-py2.py3-none-any.whl", "macOS arm64", "3.14", True),
        ("a-1-py3-none-win32.whl", "Windows x86_64", "3.12", False),
    ],
)
def test_a_wheel_fits_where_pip_would_take_it(wheel: str, system: str, python: str, fits: bool) -> None:
    (there,) = (one for one in wheels.SYSTEMS if one.name == system)
    assert wheels.has_wheel({"wheels": [{"url": f"https://example.org/{wheel}"}]}, there, python) == fits


def test_spans_have_no_gaps() -> None:
    assert wheels.span(["3.11", "3.12", "3.13"]) == "3.11–3.13"
    assert wheels.span(["3.11", "3.13"]) == "3.11, 3.13"
    assert wheels.span(["3.14"]) == "3.14"
    assert wheels.span([]) == ""


def test_the_readme_tells_what_was_decided_about_av() -> None:
    (told,) = re.findall(r"^## Licences\n(.*?)^## ", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert "PyAV" in told
    assert "x264" in told


def test_no_version_with_a_known_fault_is_allowed() -> None:
    from packaging.requirements import Requirement
    from packaging.version import Version

    bounds = {
        wheels.name_of(text): Requirement(text).specifier for needs in wheels.project().values() for text in needs
    }
    told = rows("advisories.md")
    assert len(told) > 5
    for name, fixed, *_ in told:
        (lowest,) = (Version(one.version) for one in bounds[name] if one.operator == ">=")
        assert lowest >= Version(fixed), name
