"""Does narrate say exactly what real books say? `python benchmarks/fidelity.py [NAME …]`. Needs the `diff` program.

Each book of ../shared/texts is read twice: by narrate, and by the short readers of this file, which share no code with
it and know by hand what does not belong to each book. A table shows, for each book:

lost, extra        letters that only this file has, and letters that only narrate says (chapters that stand
                   twice in sanguo.txt are said once)
chapters           titles that narrate found, true titles (counted by hand), and false ones
false ends         pauses of a paragraph in prose after which the text goes on with a small letter
after abbrev.      pauses of a sentence or less after an abbreviation, such as "Mr.", of the list below
not the book       lines that do not belong to the book and are said all the same
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from narrate.text.chunking.chunks import PARAGRAPH_PAUSE, cut
from narrate.text.document import Document
from narrate.text.readers import read_file
from narrate.text.spoken.normalize import normalize

BOOKS = Path(__file__).resolve().parents[2] / "shared" / "texts"
# Abbreviations after which something follows. They are written down here and not taken from the program.
ABBREVIATIONS = (
    "Mr Mrs Ms Dr Prof Rev Hon Capt Col Gen Lieut Lt Maj Sgt St Mt Wm Chas Geo Jas Jno Thos Robt Matt Deb Sam "
    "Mons MM Mme Mlle Mgr Hr Hrn Frl Sr Sra Srta Dom Exmo Exma Sig Dott Cav viz Messrs Esq"
)
AFTER_ABBREVIATION = re.compile(rf"\b(?:{'|'.join(ABBREVIATIONS.split())})\.$")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")

PG_START, PG_END = r"\*\*\* ?START OF TH\w+ PROJECT GUTENBERG[^*]*\*\*\*", r"\*\*\* ?END OF TH\w+ PROJECT GUTENBERG"
PG_ALWAYS = (
    r"(?m)^(?:Produced by|HTML version)[\s\S]*?\n\s*\n",
    r"(?m)^End of (?:the )?Project Gutenberg.*$",
    r"\[(?:Illustration|Frontispiece|Sidenote|Vignette|Blank Page)\b[^\]]*\]",
)
AOZORA_ALWAYS = (r"《[^》\n]*》", r"［＃[^］\n]*］", "[｜※]", r"／″?＼")


@dataclass(frozen=True)
class Book:
    """What a person knows about a book after looking: how many chapters it has and how their titles look, and what of
    the file does not belong to it (regular expressions; in an EPUB, names of pages)."""

    chapters: int
    titles: str
    foreign: tuple[str, ...] = ()
    encoding: str = "utf-8"


BOOK = {
    "alice.txt": Book(12, r"CHAPTER [IVX]+\."),
    "angler.txt": Book(13, r"PREFACE|CHAP\. [IVX]+\."),
    "candide.txt": Book(
        30,
        r".*CHAPITRE [IVX]+",
        (r"The Project Gutenberg Etext of[\s\S]*?ce texte\.", r"(?m)^ +\[\d+\][\s\S]*?\n\n", r"\[\d+\]"),
        "cp1252",
    ),
    "effi.txt": Book(36, r"\w+ Kapitel$", (), "cp1252"),
    "entrenous.txt": Book(
        41,
        r"PRÉFACE|[IVXL]+\.",
        (r"Au lecteur\.[\s\S]*?du texte\.", r"Au lecteur\.\s+Ce livre électronique[\s\S]*\Z"),
    ),
    "mindpaintgirl.txt": Book(
        4,
        r"THE \w+ ACT",
        (r"\[Transcriber's Note:[\s\S]*?\n\s+Errors are listed[^\]]*\]", r"ERRATA \(noted[\s\S]*\Z"),
        "cp1252",
    ),
    "verwandlung.htm": Book(
        3, r"[IVX]+\.", (r"<pre>[\s\S]*?</pre>", r"(?s)<p[^>]*>\s*Produced by.*?</p>", r"<title>.*?</title>"), "cp1252"
    ),
    "sanguo.txt": Book(120, r"正文 第.{1,5}回|第.{1,5}回"),
    "wagahai.sjis.txt": Book(11, "[一二三四五六七八九十]+$", (), "cp932"),
    "melos.sjis.txt": Book(1, "", (), "cp932"),
    "rashomon.sjis.txt": Book(1, "", (), "cp932"),
    "kappa.txt": Book(18, "序|[一二三四五六七八九十]+$", (), "cp932"),
    "yashagaike.txt": Book(1, "", (), "cp932"),
    "shuju.txt": Book(255, "「?.{1,30}$", (), "cp932"),
    "se_chickens.epub": Book(24, r"Dedication|[IVX]+", ("imprint", "titlepage", "colophon", "toc", "copyright")),
    "epub/kusamakura-japanese-vertical-writing.epub": Book(13, "[一二三四五六七八九十]+$", ("目次", "表紙", "後付")),
    "epub/childrens-literature.epub": Book(17, r"SECTION|INTRODUCTORY|\d{3} ", ("nav", "cover")),
    "epub/accessible_epub_3.epub": Book(5, r"Preface|\d\. ", ("toc", "cover", "co01", "index", "spi-ad")),
}


def expected(path: Path, book: Book) -> tuple[str, list[str]]:
    """Return the words of a book, and the lines of its file that are none."""
    if path.suffix == ".epub":
        return epub_text(path, book.foreign), []
    text = path.read_bytes().decode(book.encoding, "replace").replace("\r\n", "\n")
    text = text.removeprefix("\ufeff")
    if book.encoding == "cp932":
        text, aside = aozora_body(text), AOZORA_ALWAYS
    else:
        parts = re.split(PG_START, text, maxsplit=1)
        text, aside = re.split(PG_END, parts[-1], maxsplit=1)[0], PG_ALWAYS
    foreign: list[str] = []
    for pattern in (*book.foreign, *aside):
        if pattern not in AOZORA_ALWAYS:
            foreign += (line for match in re.finditer(pattern, text) for line in strip_tags(match[0]).splitlines())
        text = re.sub(pattern, " " if pattern not in AOZORA_ALWAYS else "", text)
    if path.suffix in (".htm", ".html"):
        text = strip_tags(text)
    text = re.sub(r"(?<=\w)-\n\s*(?=[a-zß-ÿ])", "", text) if path.suffix == ".txt" else text
    return text.replace("_", " "), foreign


def aozora_body(text: str) -> str:
    """Return what stands between the legend and the colophon of a file of Aozora Bunko."""
    parts = re.split(r"(?m)^-{20,}$", text, maxsplit=2)
    return re.split(r"(?m)^底本：", parts[-1])[0]


class Words(HTMLParser):
    """Collects the text of a page without its head, scripts, readings, references to notes, and notes."""

    VOID = ("br", "hr", "img", "meta", "link", "input", "source", "wbr", "col", "area", "base", "embed", "param")
    INLINE = ("a", "abbr", "b", "cite", "code", "dfn", "em", "i", "q", "ruby", "rb", "small", "span", "strong", "sub")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.stack: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.INLINE:
            self.parts.append("\n")
        if tag in self.VOID:
            return
        kind = " ".join(str(value) for key, value in attrs if key in ("epub:type", "role", "class"))
        aside = tag in ("head", "script", "style", "rt", "rp", "nav", "svg", "audio", "video", "object")
        aside = aside or bool(re.search(r"\b(?:noteref|footnote|endnote|pagebreak|pagenum)", kind))
        self.stack.append((tag, aside))

    def handle_endtag(self, tag: str) -> None:
        if any(tag == name for name, _ in self.stack):
            while self.stack.pop()[0] != tag:
                pass
        if tag not in self.INLINE:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not any(aside for _, aside in self.stack):
            self.parts.append(data)


def strip_tags(page: str) -> str:
    """Return the words of a page."""
    words = Words()
    words.feed(re.sub(r"<(script|title|i|b|p|a|span)\b([^>]*)/>", r"<\1\2></\1>", page))
    return "".join(words.parts)


def epub_text(path: Path, skipped: Iterable[str]) -> str:
    """Return the words of the pages of an EPUB in the order of its spine, without those with a skipped name."""
    with zipfile.ZipFile(path) as archive:
        package = next(name for name in archive.namelist() if name.endswith(".opf"))
        text = archive.read(package).decode()
        items = {}
        for item in re.findall(r"<item\b[^>]*>", text):
            facts = dict(re.findall(r'([\w-]+)="([^"]*)"', item))
            items[facts["id"]] = facts["href"]
        spine = [items[name] for name in re.findall(r'<itemref\b[^>]*idref="([^"]*)"', text)]
        folder = package.rpartition("/")[0]
        kept = [page for page in spine if not any(word in page for word in skipped)]
        return "\n".join(strip_tags(archive.read(f"{folder}/{page}".strip("/")).decode()) for page in kept)


def difference(first: str, second: str) -> tuple[int, int]:
    """Return how many letters only the first text has, and how many only the second has."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / "first", Path(folder) / "second"]
        for name, text in zip(names, (first, second), strict=True):
            name.write_text("\n".join(TOKEN.findall(text.casefold())) + "\n", encoding="utf-8")
        found = subprocess.run(["diff", *map(str, names)], capture_output=True, check=False).stdout.decode()
    rows = found.splitlines()
    sizes = [sum(len(row) - 2 for row in rows if row.startswith(sign)) for sign in "<>"]
    return sizes[0], sizes[1]


def letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def true_titles(path: Path, book: Book, document: Document) -> tuple[int, int]:
    """Return how many chapters of a document have a true title, and how many a false one."""
    titles = [chapter.title for chapter in document.chapters if chapter.number]
    if path.name == "shuju.txt":
        lines = re.findall(r"(?m)^　{3}(?!＊)(\S.*)$", aozora_body(path.read_bytes().decode("cp932")))
        known = {letters(re.sub("《[^》]*》|［＃[^］]*］|｜", "", line)) for line in lines}
        good = sum(letters(title) in known for title in titles)
    else:
        good = sum(bool(re.match(book.titles, title)) for title in titles)
    return good, len(titles) - good


def false_ends(document: Document) -> tuple[int, int]:
    """Return how many paragraphs of prose end inside a sentence, and how many chunks end after an abbreviation."""
    kinds = [paragraph.kind for chapter in document.chapters for paragraph in chapter.paragraphs]
    ends = cuts = 0
    before = None
    for chunk in cut(normalize(document)):
        if before is not None and before.chapter == chunk.chapter:
            prose = kinds[before.paragraph] == kinds[chunk.paragraph] == "prose"
            first = re.sub(r"^[\W_]+", "", chunk.text)[:1]
            goes_on = first.islower() and not re.search(r"[.!?…:;]\W*$", before.text)
            ends += prose and before.pause >= PARAGRAPH_PAUSE and goes_on
            cuts += before.pause < PARAGRAPH_PAUSE and bool(AFTER_ABBREVIATION.search(before.text))
        before = chunk
    return ends, cuts


def measure(path: Path, book: Book) -> tuple[str, ...]:
    """Return the cells of a book's row."""
    document = read_file(path)
    said = "\n".join(paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs)
    words, foreign = expected(path, book)
    lost, extra = difference(words, said)
    found, false = true_titles(path, book, document)
    ends, cuts = false_ends(document)
    spoken, own = letters(said), letters(words)
    alien = sum(len(key) > 8 and key in spoken and key not in own for key in map(letters, foreign))
    chapters = f"{found}/{book.chapters}" + f" +{false}" * bool(false) if book.titles else "–"
    total = len(own)
    return (
        path.name[:30], f"{total}", f"{lost} ({lost / total:.2%})", f"{extra} ({extra / total:.2%})", chapters,
        str(ends), str(cuts), str(alien),
    )  # fmt: skip


def rows(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    wanted = list(names)
    for name, book in BOOK.items():
        if not wanted or any(word in name for word in wanted):
            yield measure(BOOKS / name, book)


def main() -> None:
    parser = argparse.ArgumentParser(description="Does narrate say exactly what real books say?")
    parser.add_argument("names", nargs="*", help="Parts of names of books; else all.")
    options = parser.parse_args()
    if not BOOKS.is_dir():
        raise SystemExit(f"The real books of {BOOKS} are not here.")
    head = ("book", "letters", "lost", "extra", "chapters", "false ends", "after abbrev.", "not the book")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows(options.names):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
