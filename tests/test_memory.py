"""What texts cost: a limit that is stated, and memory that does not follow from how a text is broken into lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.errors import InputError
from narrate.text.chunking.arrivals import gather
from narrate.text.document import Chapter, Document, Paragraph, Span
from narrate.text.readers import ReadOptions, read_bytes, read_file
from narrate.text.structure import paragraphs
from narrate.text.structure.paragraphs import bearable
from tests.growth import docx_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
CHILD = """
import re, resource, sys
from narrate.cli.main import run
assert run(["chunks", *sys.argv[1:], "--stats", "-e", "tone"]) == 0
if sys.platform == "linux":  # there ru_maxrss counts the memory of the process that started this one, too
    print(int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1000)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""
MEGABYTES = 200.0
SENTENCE = b"A sentence stands here. "


def peak_megabytes(book: Path) -> float:
    """The most memory that a program had which made all chunks of a book."""
    done = subprocess.run([sys.executable, "-c", CHILD, book], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])


def test_twenty_megabytes_in_one_line(tmp_path: Path) -> None:
    book = tmp_path / "line.txt"
    book.write_bytes(SENTENCE * (20_000_000 // len(SENTENCE)))
    assert peak_megabytes(book) < MEGABYTES


def test_eight_megabytes_of_a_word_document(tmp_path: Path) -> None:
    book = tmp_path / "book.docx"
    book.write_bytes(docx_of("<w:p><w:r><w:t>A sentence stands here.</w:t></w:r></w:p>" * 5_000 + "<w:p/>" * 1_300_000))
    assert peak_megabytes(book) < MEGABYTES


@pytest.mark.parametrize("arguments", [["/dev/zero"], ["-"], ["/dev/stdin"]])
def test_what_never_ends_is_not_read(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "narrate", *arguments, "-e", "tone", "-o", str(tmp_path / "z.wav")]
    with open("/dev/zero", "rb") as endless:
        done = subprocess.run(command, stdin=endless, capture_output=True, text=True, timeout=120, cwd=ROOT)
    name = arguments[0].replace("-", "standard input")
    words = "has more than 200 MB. No book is so long. If this is one, allow it with --max-bytes"
    assert (done.returncode, done.stderr) == (2, f"narrate: {name}: {words}\n")
    assert list(tmp_path.iterdir()) == []


def test_the_limit_is_the_last_that_is_read(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_bytes(SENTENCE)
    assert read_file(book, ReadOptions(max_bytes=len(SENTENCE))).chapters
    with pytest.raises(InputError, match=r"book\.txt: has more than 2\.3e-05 MB"):
        read_file(book, ReadOptions(max_bytes=len(SENTENCE) - 1))


def test_the_limit_holds_for_pipes() -> None:
    for limit, fits in ((len(SENTENCE), True), (len(SENTENCE) - 1, False)):
        into, out = os.pipe()
        os.write(out, SENTENCE)
        os.close(out)
        if fits:
            assert gather(into, max_bytes=limit) == (SENTENCE, True)
        else:
            with pytest.raises(InputError, match="standard input: has more than"):
                gather(into, max_bytes=limit)
        os.close(into)


# --- paragraphs that are too long -------------------------------------------------------------------------------------


def of_spans(spans: list[Span]) -> Document:
    return Document("", "", "en", (Chapter(1, "", (Paragraph(tuple(spans)),)),), "".join(span.text for span in spans))


@given(st.lists(st.tuples(st.text("ab .。」\n", max_size=60), st.booleans()), min_size=1, max_size=8))
def test_long_paragraphs_are_cut_and_nothing_is_lost(parts: list[tuple[str, bool]]) -> None:
    at, spans = 0, []
    for text, whole in parts:
        spans.append(Span(text, at, at + len(text), "said" if whole else None))
        at += len(text)
    document = of_spans(spans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paragraphs, "LONGEST", 20)
        found = [paragraph for chapter in bearable(document).chapters for paragraph in chapter.paragraphs]
    pieces = [span for paragraph in found for span in paragraph.spans]
    assert "".join(span.text for span in pieces) == document.source
    assert all(document.source[span.start : span.end] == span.text for span in pieces)
    assert [span for span in pieces if span.whole] == [span for span in spans if span.whole]
    for paragraph in found:
        assert sum(len(span.text) for span in paragraph.spans) <= 20 or len(paragraph.spans) == 1


def test_a_long_paragraph_is_cut_where_a_sentence_ends() -> None:
    text = SENTENCE.decode() * 10_000
    found = read_bytes(text.encode(), "x.txt").chapters[0].paragraphs
    assert len(found) == 3
    assert all(paragraph.text.strip().endswith("here.") for paragraph in found)
    assert all(paragraph.text.startswith("A sentence") for paragraph in found)
    japanese = read_bytes(("吾輩は猫である。" * 20_000).encode(), "x.txt").chapters[0].paragraphs
    assert len(japanese) == 2
    assert all(paragraph.text.endswith("。") for paragraph in japanese)
