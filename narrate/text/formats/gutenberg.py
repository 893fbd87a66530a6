"""Reads Project Gutenberg: the book between the licences, without producers, pictures, footnotes, page numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from narrate.text.document import Document, Excluded, ExcludedKind
from narrate.text.formats import plain
from narrate.text.formats.end_notes import NONE, end_notes
from narrate.text.language import UNSPOKEN
from narrate.text.structure.headings import heading_level

NAME = re.compile("Project Gutenberg", re.IGNORECASE)
START = re.compile(
    r"^[ \t]*\*\*\*[ \t]*START OF (?:THE|THIS) PROJECT GUTENBERG[^*]*\*\*\*.*$|^\*END\*? ?THE SMALL PRINT!.*$",
    re.MULTILINE | re.IGNORECASE,
)
END = re.compile(
    r"^[ \t]*(?:\*\*\*[ \t]*END OF (?:THE|THIS) PROJECT GUTENBERG"
    r"|(?:End|Ende|Fin|Fine|Fim|Konec)\b[^\n]{0,40}?\bProje[ck]t Gutenberg"
    r"|\*\*\*[ \t]*START: FULL LICENSE)",
    re.MULTILINE | re.IGNORECASE,
)
FIELD = re.compile(
    r"^(Title|Author|Language|Character set encoding|Release Date):[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)
OLD_TITLE = re.compile(r"Project Gutenberg(?:['’]s)? E(?:text|book)s?(?: of|,) (.+?),? by ([^\n,*]+)", re.IGNORECASE)
LANGUAGES = {"english": "en", "french": "fr", "german": "de", "spanish": "es", "italian": "it", "portuguese": "pt"}
LANGUAGES |= {name.lower(): code for code, name in UNSPOKEN.items()}
LANGUAGES |= {"russian": "ru", "japanese": "ja", "chinese": "zh", "korean": "ko"}
HEAD, FOOT = 5000, 3000
# Transcribers list their changes after the book, or before it. Before it, blank lines end the list.
TRANSCRIBER = re.compile(
    r"(?<=\n\n)[ \t_*=]*(?:(?:original )?transcriber['’]?s['’]? notes?|notes? (?:du|de|del|do) tra(?:ns|s)cri\w+"
    r"|notas? (?:del|de|do) tra(?:ns|s)cri\w+|anmerkung(?:en)? (?:zur|der) transkription"
    r"|au lecteur|nota (?:del|do) trascrittore"
    r"|errata(?: \(?noted by [^\n]*?\)?)?|примечани[ея] (?:к файлу|оцифровщика))[ \t:._*=]*\n",
    re.IGNORECASE,
)
LONGEST_ERRATA = 40_000
SHORTEST_CHAPTER = 1000
GAP = re.compile(r"\n[ \t]*\n[ \t]*\n")

PRODUCER = re.compile(
    r"(?<=\n\n)[ \t_\[(*]*(?:(?:this |the )?(?:e-?text|e-?book|digital edition|text file|file) (?:was |is )?(?:first )?"
    r"(?:produced|prepared|created|transcribed|scanned|converted|made available)|produced by|(?:e-?text )?prepared by"
    r"|this book was (?:generously |kindly )?(?:provided|made available) by"
    r"|transcribed (?:by|from)|scanned (?:by|and)|html version|credits:|(?:original )?transcriber['’]?s['’]? notes?"
    r"|this text is (?:a combination of e-?texts|intended for users)|note: (?:project gutenberg|images)"
    r"|\[?e-?text prepared|html (?:file|version)? ?(?:produced|created) by|file produced from"
    r"|this text uses utf-8|the project gutenberg e-?text of|we thank the bibl|nous remercions la bibl"
    r"|a few typographical errors have been corrected|throughout this text you will see"
    r"|dieses buch wurde uns (?:freundlicherweise )?vom|dieses (?:etext|ebook|e-book) wurde"
    r"|(?:ce|cet) (?:livre électronique|e-?text|ebook) (?:a été|reproduit)"
    r"|este (?:e-?book|libro electrónico) (?:fue|ha sido)"
    r"|questo (?:e-?book|testo elettronico) (?:è stato|proviene)"
    r"|электронная версия (?:книги|текста) подготовлена"
    r"|(?:the )?(?:online )?distributed proofread|images (?:generously|courtesy))"
    r"[\s\S]*?(?=\n[ \t]*\n|\Z)",
    re.IGNORECASE,
)
BRACKETED_REMARK = re.compile(r"\[Transcriber['’]?s['’]? (?:notes?|comments?)\b", re.IGNORECASE)
NOTE = re.compile(
    r"\[(Illustrations?|Decoration|Frontispiece|Cover|Footnote|Sidenote|Transcriber['’]?s['’]? Notes?|Editor['’]?s Note"
    r"|Music(?=[:\]])|Blank Page)\b",
    re.IGNORECASE,
)
KINDS: dict[str, ExcludedKind] = {
    "illustration": "illustration",
    "illustrations": "illustration",
    "decoration": "illustration",
}
KINDS |= {"frontispiece": "illustration", "cover": "illustration", "footnote": "footnote"}
LONGEST_NOTE = 20_000
BRACKET = re.compile(r"[\[\]]")
SIMPLE: dict[ExcludedKind, re.Pattern[str]] = {
    "page": re.compile(r"\[(?:Pg|Page|p\.)\s*[\dxvilc]+\]|\{(?:Page |p\. ?)?[\dxvilc]+\}", re.IGNORECASE),
    "reference": re.compile(r"\[(?:(?<=[^\s\[]\[)|(?<=[^\s\[] \[))(?:\d{1,4}|[A-Z]|\*{1,3}|[†‡])\](?!\()"),
    "footnote": re.compile(
        r"\n\n[ \t]*\[(?:\d{1,4}|[A-Z]|\*)\][ \t]\S[\s\S]*?(?=\n[ \t]*\n|\Z)|^[ \t]*(?i:footnotes?):?[ \t]*$", re.M
    ),
}
BOLD = re.compile(r"=(?:(?<![\w=]=)(?=[^\s=])|(?<=[^\s=]=)(?![\w=]))")


def is_gutenberg(source: str) -> bool:
    """Return True for a text with the marks of Project Gutenberg at its head or foot."""
    return bool(NAME.search(source, 0, 8000) and (START.search(source, 0, 40_000) or END.search(source)))


def read(source: str, footnotes: Literal["skip", "end"] = "skip") -> Document:
    """Read a decoded text of Project Gutenberg. Footnotes are left out, or said where the file has them."""
    start, end = frame(source)
    excluded = outermost(around(source, footnotes))
    marks = [match.span() for sign in (plain.ITALIC, BOLD) for match in sign.finditer(source, start, end)]
    masked = plain.mask(source, [(part.start, part.end) for part in excluded] + marks)
    return _described(plain.build(source, masked, excluded), source[:start])


def around(source: str, footnotes: Literal["skip", "end"] = "skip") -> Iterator[Excluded]:
    """Yield what is not the book: the licences, and what editors and producers put in. The stretches may overlap."""
    start, end = frame(source)
    found = end_notes(source, start, end) if footnotes == "skip" else NONE
    yield from (Excluded("licence", a, b) for a, b in ((0, start), (end, len(source))) if a < b)
    yield from (note for note in _notes(source, start, end) if footnotes == "skip" or note.kind != "footnote")
    yield from (Excluded("footnote", note.start, note.end) for note in found.notes)
    if found.notes and found.start < found.notes[0].start:
        yield Excluded("footnote", found.start, found.notes[0].start)


def is_credit(paragraph: str) -> bool:
    """Return True for a paragraph that says who produced a text and how."""
    return bool(PRODUCER.match("\n\n" + paragraph, 2))


def frame(source: str) -> tuple[int, int]:
    """Return where the book between the licences begins and ends."""
    starts = [match.end() for match in START.finditer(source, 0, 40_000)]
    start = starts[-1] if starts else max((match.end() for match in FIELD.finditer(source, 0, 4000)), default=0)
    foot = END.search(source, start)
    return start, foot.start() if foot else len(source)


def outermost(parts: Iterable[Excluded]) -> list[Excluded]:
    """Keep one of each group of overlapping parts: the first to begin, and the longest of several that begin there."""
    kept: list[Excluded] = []
    for part in sorted(parts, key=lambda part: (part.start, -part.end)):
        if not kept or part.start >= kept[-1].end:
            kept.append(part)
    return kept


def _notes(source: str, start: int, end: int) -> Iterator[Excluded]:
    """Yield what the author did not write: lines of producers, [Illustration: …], [Footnote 1: …], [1], [Pg 7]."""
    for first, last in ((start, min(end, start + HEAD)), (max(start, end - FOOT), end)):
        yield from (
            Excluded("producer", match.start(), match.end()) for match in PRODUCER.finditer(source, first, last)
        )
    closings = _closings(source, start, end)
    for match in BRACKETED_REMARK.finditer(source, start, end):  # which may have several paragraphs
        if close := closings.get(match.start()):
            yield Excluded("producer", source.rfind("\n", 0, match.start()) + 1, close)
    remarks = list(TRANSCRIBER.finditer(source, start, end))
    last_chapter = _last_chapter(source, max(start, end - LONGEST_ERRATA), end) if remarks else end
    for match in remarks:
        if gap := GAP.search(source, match.end(), start + HEAD):
            yield Excluded("producer", match.start(), gap.start())
        elif match.start() > last_chapter:
            yield Excluded("producer", match.start(), end)
            break
    for match in NOTE.finditer(source, start, end):
        if close := closings.get(match.start()):
            yield Excluded(KINDS.get(match[1].lower(), "note"), match.start(), close)
    for kind, pattern in SIMPLE.items():
        yield from (Excluded(kind, match.start(), match.end()) for match in pattern.finditer(source, start, end))


def _last_chapter(source: str, start: int, end: int) -> int:
    """Return where the last chapter begins in source[start:end], `start` if none does.

    Lists of errata have the headings of chapters as well, with little text below them.
    """
    lines = re.finditer(r"^[ \t]*(\S.*)$", source[start:end], re.MULTILINE)
    heads = [start + line.start() for line in lines if 0 < heading_level(line[1]) < 3]
    return max(
        (at for at, following in zip(heads, [*heads[1:], end], strict=False) if following - at >= SHORTEST_CHAPTER),
        default=start,
    )


def _closings(source: str, start: int, end: int) -> dict[int, int]:
    """Return for each opening bracket the offset after the one that closes it, unless that is far away."""
    opened: list[int] = []
    closings: dict[int, int] = {}
    for match in BRACKET.finditer(source, start, end):
        if match[0] == "[":
            opened.append(match.start())
        elif opened and match.end() - (at := opened.pop()) <= LONGEST_NOTE:
            closings[at] = match.end()
    return closings


def _described(document: Document, head: str) -> Document:
    """Add title, author and language, which the head of the file names."""
    fields = {match[1]: " ".join(match[2].split()) for match in FIELD.finditer(head)}
    old = OLD_TITLE.search(head)
    return replace(
        document,
        title=fields.get("Title") or (" ".join(old[1].split()) if old else ""),
        author=fields.get("Author") or (old[2].strip() if old else ""),
        language=LANGUAGES.get(fields.get("Language", "").lower(), ""),
    )
