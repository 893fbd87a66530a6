"""narrate beside other programs that read books aloud, in one run on this machine.

    python benchmarks/against_others.py FOLDER_OF_ENVIRONMENTS

The folder has a virtual environment for each of the others, by the names of OTHERS below, as `python -m venv` makes
them; what is not there is left out. benchmarks/LOG.md says what was installed. No weights are needed: only what a
program does with a book before a voice is asked is measured. The packages of their voices may be missing; an empty
stand-in is imported in their place.

lost, extra   books of ../shared/texts as a person reads them (benchmarks/fidelity.py) against what the program hands to
              its voice: letters that only the book has, and letters that only the program says, in per cent of the book
s/MB, MB      processor seconds of that for a megabyte of the file, without its imports; the most memory it ever had
M4B           the beginning of a book by eSpeak NG as an audiobook with chapters: narrate, and the way that most others
              take, which is a WAV file for each chapter and then FFmpeg (ESPEAK_NG names a program espeak-ng)
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fidelity

from narrate.text.readers import read_file

BOOKS = {
    "EPUB": (
        "se_chickens.epub",
        "epub/childrens-literature.epub",
        "epub/accessible_epub_3.epub",
        "epub/kusamakura-japanese-vertical-writing.epub",
    ),
    "Gutenberg": ("alice.txt", "angler.txt"),
    "Aozora": ("wagahai.sjis.txt", "rashomon.sjis.txt"),
}
LIMIT_SECONDS = 120.0
CHAPTERS = 2  # of the audiobook

BEGIN = """
import importlib.abc, importlib.machinery, json, resource, sys, time
from pathlib import Path
from unittest.mock import MagicMock


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    NAMES = set(sys.argv[3].split(",")) if sys.argv[3] else set()

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__ = [], spec
        return module

    def exec_module(self, module):
        pass


sys.meta_path.append(StandIns())
book = sys.argv[1]
"""
END = """
seconds = time.process_time() - began
Path(sys.argv[2]).write_text("\\n".join(pieces), encoding="utf-8", errors="replace")
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("\\n" + json.dumps({"seconds": seconds, "memory_mb": memory, "pieces": len(pieces)}))
"""


@dataclass(frozen=True)
class Other:
    """`package` is its name in the index, `reads` the kinds of books. `load` imports, `read` makes `pieces`. `voices`
    are packages that its text stage does without."""

    package: str
    reads: tuple[str, ...]
    load: str
    read: str
    voices: tuple[str, ...] = ()


OTHERS = {
    "narrate": Other(
        "narrate-aloud",
        tuple(BOOKS),
        "from narrate.text.chunking.chunks import cut\nfrom narrate.text.readers import read_file\n"
        "from narrate.text.spoken.normalize import normalize",
        "pieces = [chunk.text for chunk in cut(normalize(read_file(Path(book))))]",
    ),
    "kokoro-tts": Other(
        "kokoro-tts",
        tuple(BOOKS),
        "import kokoro_tts as program",
        "if book.endswith('.epub'):\n"
        "    texts = [chapter['content'] for chapter in program.extract_chapters_from_epub(book)]\n"
        "else:\n"
        "    texts = [open(book, encoding='utf-8').read()]\n"
        "pieces = [piece for text in texts for piece in program.chunk_text(text)]",
        ("kokoro_onnx", "pymupdf4llm", "sounddevice"),
    ),
    "abogen": Other(
        "abogen",
        tuple(BOOKS),
        "from abogen.chunking import build_chunks_for_chapters\nfrom abogen.text_extractor import extract_from_path",
        "chapters = [{'title': each.title, 'text': each.text} for each in extract_from_path(Path(book)).chapters]\n"
        "pieces = [each['text'] for each in build_chunks_for_chapters(chapters, level='sentence')]",
        ("kokoro", "misaki", "spacy", "torch", "pygame", "PyQt6", "supertonic"),
    ),
    "audiblez": Other(
        "audiblez",
        ("EPUB",),
        "from audiblez import core\nfrom ebooklib import epub",
        "chapters = core.find_good_chapters(core.find_document_chapters_and_extract_texts(epub.read_epub(book)))\n"
        "pieces = [chapter.extracted_text for chapter in chapters]",
        ("kokoro", "misaki", "spacy", "torch"),
    ),
    "epub2audio": Other(
        "epub2audio",
        ("EPUB",),
        "from epub2audio.epub_processor import EpubProcessor",
        "pieces = [chapter.content for chapter in EpubProcessor(Path(book)).chapters]",
        ("kokoro", "misaki", "torch", "torchaudio"),
    ),
    "epub2txt": Other("epub2txt", ("EPUB",), "from epub2txt import epub2txt", "pieces = [epub2txt(book)]"),
}


def measure(name: str, python: Path, book: Path, folder: Path) -> dict[str, float] | None:
    """One book through one program; None if it does not read it."""
    other, out = OTHERS[name], folder / "said.txt"
    program = f"{BEGIN}\n{other.load}\nbegan = time.process_time()\n{other.read}\n{END}"
    command = [str(python), "-c", program, str(book), str(out), ",".join(other.voices)]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" or name == "narrate"}
    env["HOME"] = str(folder)
    try:
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        why = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        print(f"  {name}, {book.name}: {why[:150]}", file=sys.stderr)
        return None
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    key = str(book.relative_to(fidelity.BOOKS))
    words, _ = fidelity.expected(book, fidelity.BOOK[key])
    lost, extra = fidelity.difference(words, out.read_text(encoding="utf-8"))
    letters = len(fidelity.letters(words))
    return {**figures, "letters": letters, "lost": lost, "extra": extra, "megabytes": book.stat().st_size / 1e6}


def _quickest(name: str, python: Path, book: Path, folder: Path, runs: int) -> dict[str, float] | None:
    rows = [row for _ in range(runs) if (row := measure(name, python, book, folder)) is not None]
    return min(rows, key=lambda row: row["seconds"]) if rows else None


def version_of(name: str, python: Path) -> str:
    if name == "narrate":
        return importlib.metadata.version("narrate-aloud") if _installed() else "checkout"
    asked = f"import importlib.metadata as m; print(m.version({OTHERS[name].package!r}))"
    return subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


def _installed() -> bool:
    try:
        importlib.metadata.version("narrate-aloud")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def texts(environments: Path | None, runs: int) -> Iterator[dict[str, object]]:
    """A row for each program and kind of book."""
    print(f"{'program':22}{'books':12}{'lost':>9}{'extra':>9}{'s/MB':>8}{'MB':>7}{'read':>7}")
    with tempfile.TemporaryDirectory() as name:
        for program, other in OTHERS.items():
            python = Path(sys.executable) if program == "narrate" else (environments or Path()) / program / "bin/python"
            if not python.exists() or (environments is None and program != "narrate"):
                continue
            version = version_of(program, python)
            for kind in other.reads:
                books = [fidelity.BOOKS / each for each in BOOKS[kind]]
                tried = [_quickest(program, python, book, Path(name), runs) for book in books]
                found = [row for row in tried if row is not None]
                row: dict[str, object] = {"program": program, "version": version, "books": kind}
                row["read"] = f"{len(found)}/{len(books)}"
                if found:
                    letters, size = sum(each["letters"] for each in found), sum(each["megabytes"] for each in found)
                    row["lost_percent"] = 100 * sum(each["lost"] for each in found) / letters
                    row["extra_percent"] = 100 * sum(each["extra"] for each in found) / letters
                    row["seconds_per_mb"] = sum(each["seconds"] for each in found) / size
                    row["memory_mb"] = max(each["memory_mb"] for each in found)
                print(_shown(row), flush=True)
                yield row


def _shown(row: dict[str, object]) -> str:
    cells = "".join(
        f"{row[key]:>{width}.{digits}f}" if key in row else f"{'–':>{width}}"
        for key, width, digits in (
            ("lost_percent", 9, 2), ("extra_percent", 9, 2), ("seconds_per_mb", 8, 2), ("memory_mb", 7, 0),
        )
    )  # fmt: skip
    return f"{row['program']} {row['version']}".ljust(22) + f"{row['books']:12}{cells}{row['read']:>7}"


def audiobook(espeak_ng: str | None) -> Iterator[dict[str, object]]:
    """A row for each way from the first chapters of alice.txt to an M4B by eSpeak NG."""
    book = fidelity.BOOKS / "alice.txt"
    title = f"alice.txt, chapters 1 to {CHAPTERS}, to M4B"
    print(f"\n{title:42}{'sound, min':>11}{'processor s':>12}{'wall s':>8}{'MB':>6}{'MB written':>11}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = folder / "narrate.m4b"
        options = ["-e", "espeak", "--no-store", "-q", "--chapters", f"1-{CHAPTERS}", "-o", str(made)]
        ways = {"narrate": (made, [[sys.executable, "-m", "narrate", str(book), *options]])}
        if espeak_ng is not None and shutil.which("ffmpeg"):
            others = folder / "others"
            others.mkdir()
            theirs = _others_way(book, others, espeak_ng)
            ways["espeak-ng for each chapter, then FFmpeg"] = (others / "book.m4b", theirs)
        for way, (made, commands) in ways.items():
            start = time.perf_counter()
            costs = [_run(command) for command in commands]
            row: dict[str, object] = {
                "way": way,
                "sound_minutes": _minutes(made),
                "processor_seconds": sum(seconds for seconds, _ in costs),
                "wall_seconds": time.perf_counter() - start,
                "memory_mb": max(memory for _, memory in costs),
                "written_mb": sum(path.stat().st_size for path in made.parent.iterdir() if path.is_file()) / 1e6,
            }
            cells = zip([*row.values()][1:], (11, 12, 8, 6, 11), (1, 1, 1, 0, 1), strict=True)
            print(f"{way:42}" + "".join(f"{value:{wide}.{digits}f}" for value, wide, digits in cells), flush=True)
            yield row


def _others_way(book: Path, folder: Path, espeak_ng: str) -> list[list[str]]:
    """The commands: a WAV for each chapter, joined and encoded by FFmpeg with a list of chapters."""
    chapters = [chapter for chapter in read_file(book).chapters if chapter.number][:CHAPTERS]
    commands, marks = [], [";FFMETADATA1"]
    for chapter in chapters:
        text, sound = folder / f"{chapter.number}.txt", folder / f"{chapter.number}.wav"
        text.write_text("\n\n".join(paragraph.text for paragraph in chapter.paragraphs), encoding="utf-8")
        start = chapter.number - 1  # where they really begin is not looked for: it costs nothing
        marks.append(f"[CHAPTER]\nTIMEBASE=1/1\nSTART={start}\nEND={start + 1}\ntitle={chapter.title}")
        commands.append([espeak_ng, "-v", "en-us", "-f", str(text), "-w", str(sound)])
    (folder / "list.txt").write_text("".join(f"file '{command[-1]}'\n" for command in commands))
    (folder / "marks.txt").write_text("\n".join(marks), encoding="utf-8")
    join = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(folder / "list.txt")]
    join += ["-i", str(folder / "marks.txt"), "-map_metadata", "1", "-c:a", "aac", "-b:a", "64k"]
    return [*commands, [*join, str(folder / "book.m4b")]]


def _run(command: list[str]) -> tuple[float, float]:
    """Run it. Returns the processor seconds of it and its children, and the most memory that one of them had, in MB."""
    measured = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "cost = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(cost.ru_utime + cost.ru_stime, cost.ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", measured, *command], capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def _minutes(path: Path) -> float:
    import av

    with av.open(str(path)) as file:
        return float(file.duration or 0) / av.time_base / 60


def main() -> None:
    parser = argparse.ArgumentParser(description="narrate beside other programs that read books aloud.")
    parser.add_argument("environments", nargs="?", type=Path, help="A folder with a virtual environment for each.")
    parser.add_argument("--runs", type=int, default=2, help="The least of so many runs counts.")
    options = parser.parse_args()
    if not fidelity.BOOKS.is_dir():
        raise SystemExit(f"The real books of {fidelity.BOOKS} are not here.")
    said = list(texts(options.environments, options.runs))
    made = list(audiobook(os.environ.get("ESPEAK_NG") or shutil.which("espeak-ng")))
    machine = {"machine": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    print(json.dumps({**machine, "text": said, "m4b": made}))


if __name__ == "__main__":
    main()
