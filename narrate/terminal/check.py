"""`narrate check`: what a recogniser hears in the takes that are stored, in a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from narrate.checking.course import Courses
from narrate.checking.drift import drift_lines
from narrate.checking.examiner import Case, Examiner
from narrate.checking.recogniser import open_recogniser
from narrate.checking.report import Reported, report
from narrate.checking.report_file import opus, strangeness_of, write_report
from narrate.checking.verdict import Verdict, error_rate, written
from narrate.errors import InputError, NarrateError
from narrate.reading.session import Session
from narrate.store.takes import Take
from narrate.terminal.display import open_display
from narrate.terminal.listen import NOT_ALL_SPOKEN, ReadingOptions, Run, open_session, open_what_is_read
from narrate.terminal.plan import passing
from narrate.terminal.wording import chapter_title, counted
from narrate.terminal.wrap import wrapped
from narrate.text.characters import one_line
from narrate.text.comparison.faults import limits_of
from narrate.text.document import Chunk

WORST = 10  # takes that are shown with what was heard
HABITS = 10  # of the recogniser that are shown


@dataclass(frozen=True, slots=True)
class Checked:
    """A chunk, and what was found about its take; None if it has none, or if nobody could hear it."""

    chunk: Chunk
    verdict: Verdict | None


@dataclass(slots=True)
class _Row:
    """A chapter in the table: how many chunks it has, and what was found about some of them."""

    title: str
    chunks: int = 0
    judged: list[tuple[Chunk, Verdict]] = field(default_factory=list)

    def count(self, found: Checked) -> None:
        self.chunks += 1
        if found.verdict is not None:
            self.judged.append((found.chunk, found.verdict))

    @property
    def doubtful(self) -> int:
        return sum(not verdict.good for _, verdict in self.judged)

    @property
    def cells(self) -> tuple[str, ...]:
        rate = error_rate(self.judged)
        shown = f"{rate:.1%}" if rate is not None else "–"
        return (f"{self.chunks}", f"{len(self.judged)}", shown, f"{self.doubtful}", self.title)


def check_book(
    options: ReadingOptions,
    *,
    again: bool = False,
    page: Path | None = None,
    stdout: TextIO = sys.stdout,
    stderr: TextIO = sys.stderr,
) -> int:
    """Judge the stored takes of a book, and print what was found. What was found before is not judged `again`.

    `page` is the file of a page about it, which is replaced if it is there.

    Returns the exit code: 0, or 3 if some takes may not say what is written.
    """
    options, book = open_what_is_read(options)
    if book.document is None:
        raise InputError("Text that is still being written has no stored takes.")
    if options.store is None:
        raise InputError("Without the store there are no takes to check. Leave out --no-store.")
    trouble: list[str] = []
    examiner = Examiner(open_recogniser(options.recogniser, book.language), Courses().follow, trouble.append)
    with open_display(stderr, "", quiet=True) as display, Run() as run, ExitStack() as stack:
        stack.callback(examiner.close)
        session = open_session(replace(options, check=False), book, display, stack, run)
        chunks = [chunk for chunk in session.player.script.since(0) if chunk is not None]
        found = []
        for checked in judged(session, examiner, chunks, again=again):
            found.append(checked)
            passing(f"Checking take {len(found)} of {len(chunks)} …", stderr)
        passing("", stderr)
        found = [_reconsidered(session, examiner, each) for each in found]
        for line in (*_report(session, found), *_habits(examiner, book.language)):
            for row in wrapped(line, stdout, 5):
                print(row, file=stdout)
        if page is not None:
            _write_report(session, found, page)
    if trouble:
        raise NarrateError(trouble[0])
    return NOT_ALL_SPOKEN if any(each.verdict is not None and not each.verdict.good for each in found) else 0


def _write_report(session: Session, found: Sequence[Checked], path: Path) -> None:
    judged = [(each.chunk, each.verdict) for each in found if each.verdict is not None]
    takes = [
        Reported(chunk, verdict, seconds, strangeness, partial(_sound, session, chunk))
        for (chunk, verdict), strangeness in zip(judged, strangeness_of(judged), strict=True)
        if (seconds := session.takes.seconds(session.player.narrator.key(chunk))) is not None
    ]
    book = session.book
    write_report(path, report(book.title, book.author, session.voice.name or session.engine.name, takes))


def _sound(session: Session, chunk: Chunk) -> bytes:
    take = session.takes.get(session.player.narrator.key(chunk))
    return opus(take.samples, take.sample_rate) if take is not None else b""


def judged(session: Session, examiner: Examiner, chunks: Iterable[Chunk], *, again: bool = False) -> Iterator[Checked]:
    """What is found about the stored takes of the chunks, in their order. Verdicts are stored with the takes."""
    waiting: list[tuple[Chunk, Take | None, Verdict | None]] = []
    for chunk in chunks:
        waiting.append((chunk, *_known(session, chunk, again=again)))
        if sum(take is not None for _, take, _ in waiting) >= examiner.batch:
            yield from _examined(session, examiner, waiting)
            waiting = []
    yield from _examined(session, examiner, waiting)


def _known(session: Session, chunk: Chunk, *, again: bool) -> tuple[Take | None, Verdict | None]:
    """The take if it is to be judged, and what is known about it."""
    verdict = session.verdict(chunk)
    if verdict is not None and verdict.heard is not None and not again:
        return None, verdict
    return session.takes.get(session.player.narrator.key(chunk)), verdict


def _examined(
    session: Session, examiner: Examiner, waiting: Sequence[tuple[Chunk, Take | None, Verdict | None]]
) -> Iterator[Checked]:
    cases = [Case(chunk, take.samples, take.sample_rate) for chunk, take, _ in waiting if take is not None]
    verdicts = iter(examiner.examine(cases) if cases else ())
    for chunk, take, before in waiting:
        verdict = before if take is None else next(verdicts)
        if take is not None and verdict is not None:
            verdict = replace(verdict, tries=before.tries if before is not None else 1)
            session.takes.put_verdict(session.player.narrator.key(chunk), take.samples, written(verdict))
        yield Checked(chunk, verdict)


def _reconsidered(session: Session, examiner: Examiner, checked: Checked) -> Checked:
    """The same in the light of what the recogniser does again and again; kept if it is judged otherwise."""
    if checked.verdict is None or checked.verdict.good:
        return checked
    verdict = examiner.reconsider(checked.chunk, checked.verdict)
    key = session.player.narrator.key(checked.chunk)
    if verdict is not checked.verdict and (take := session.takes.get(key)) is not None:
        session.takes.put_verdict(key, take.samples, written(verdict))
    return Checked(checked.chunk, verdict)


def _habits(examiner: Examiner, language: str) -> Iterator[str]:
    known = examiner.habits.known[:HABITS]
    if not known:
        return
    gap = limits_of(language).gap
    yield ""
    yield "Heard otherwise again and again: a habit of the recogniser, or a word that the voice says wrongly (--dict):"
    for said, heard, times in known:
        yield f"“{gap.join(said)}” as “{gap.join(heard)}”, in {counted(times, 'sentence')}"


def _report(session: Session, found: Sequence[Checked]) -> Iterator[str]:
    rows: dict[int, _Row] = {}
    total = _Row("all")
    for each in found:
        chapter = each.chunk.chapter
        rows.setdefault(chapter, _Row(f"{chapter}  {chapter_title(chapter, each.chunk.title)}")).count(each)
        total.count(each)
    heads = ("SENTENCES", "CHECKED", "ERRORS", "IN DOUBT", "CHAPTER")
    for cells in (heads, *(row.cells for row in rows.values()), *([total.cells] if len(rows) > 1 else [])):
        *numbers, title = cells
        yield "  ".join([*(cell.rjust(len(head)) for cell, head in zip(numbers, heads, strict=False)), title])
    if (unjudged := total.chunks - len(total.judged)) > 0:
        left = counted(unjudged, "sentence")
        yield f"Not checked: {left}. Their sound is not stored, or nothing can be heard in it."
    drift = drift_lines([each.verdict for each in found if each.verdict is not None])
    if drift:
        yield ""
        yield from drift
    doubtful = [(chunk, verdict) for chunk, verdict in total.judged if not verdict.good]
    worst = sorted(doubtful, key=lambda one: one[1].badness, reverse=True)[:WORST]
    if worst:
        yield ""
        yield f"The {len(worst)} worst:" if len(worst) < total.doubtful else "In doubt:"
    for chunk, verdict in worst:
        rate = "" if verdict.rate is None else f"{verdict.rate:.0%}  "
        yield f"{rate}“{one_line(chunk.text)}” ({verdict.why})"
        if verdict.heard is not None:
            yield f"     heard: “{one_line(verdict.heard)}”"
