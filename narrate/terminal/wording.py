"""What the listener is told of a reading, in a listener's words: the moment, the end, and where it was broken off."""

from __future__ import annotations

from pathlib import Path

from narrate.checking.verdict import Verdict
from narrate.clock import hms
from narrate.reading.export import FileOptions
from narrate.reading.session import Progress, Session
from narrate.sinks import SUBTITLES
from narrate.sinks.audiofile import FEWEST_CHAPTERS
from narrate.text.characters import one_line, with_capital
from narrate.text.document import Chunk


def place(progress: Progress) -> str:
    """Where the reading is: "44:50 of 2:20:40"."""
    here = hms(progress.position_seconds)
    return here if progress.total_seconds is None else f"{here} of {hms(progress.total_seconds)}"


def moment(progress: Progress, *, writing: bool, verbose: bool = False) -> str:
    """The figures of the moment in one line. `writing`: into files, and nobody listens."""
    if progress.finished_share is not None:
        return f"Completing the file: {progress.finished_share:.0%}"
    parts = ["paused"] * progress.paused + [place(progress)]
    if progress.left_seconds is not None:
        parts.append(f"{hms(progress.left_seconds)} left")
    if writing and progress.pace is not None:
        parts.append(_as_fast_as(progress.pace))
    if progress.speed != 1.0:
        parts.append(f"speed {progress.speed:.2g}")
    if progress.sleep_at_chapter_end:
        parts.append("sleep after the chapter")
    elif progress.sleep_seconds is not None:
        parts.append(f"sleep in {hms(progress.sleep_seconds)}")
    if progress.gaps:
        parts.append(counted(progress.gaps, "gap"))
    if progress.failed:
        parts.append(f"{progress.failed} not spoken")
    if verbose:
        parts.append(f"{progress.ready_seconds:.0f} s ahead")
        parts += _rtf(progress.rtf)
        parts += [f"{progress.reused} reused"] * bool(progress.reused)
    return " · ".join(parts)


def counted(count: int, name: str) -> str:
    """ "1 gap", "2 gaps"."""
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def chapter_title(number: int, title: str) -> str:
    """The title of a chapter in a list."""
    return title or ("(no title)" if number else "(before the first chapter)")


def rounded(times: float) -> str:
    """How many times: 1.3, 12, 2000."""
    return f"{times:.0f}" if times >= 9.95 else f"{times:.1f}"


def _as_fast_as(times: float) -> str:
    return f"{rounded(times)} times as fast as speech" if times >= 1 else f"{rounded(times)} times the pace of speech"


def closing_line(session: Session, files: FileOptions, *, source: str, verbose: bool = False) -> str:
    """What came of a reading."""
    sound, wall = session.player.written_seconds, session.wall_seconds
    if files.outputs:
        facts = [f"{hms(sound)} of sound", *_facts_of_files(session, files)]
        last = ", in" if len(facts) > 1 else " in"
        line = f"Wrote {files.named}: {', '.join(facts)}{last} {duration(wall)} ({_as_fast_as(sound / max(wall, 0.1))})"
    else:
        line = f"Heard {hms(sound)}"
    parts = [line]
    if session.player.gaps:
        parts.append(counted(session.player.gaps, "gap"))
    if session.stats.failed:
        parts.append(f"{counted(len(session.stats.failed), 'sentence')} not spoken")
    if session.stats.doubtful:
        parts.append(f"{counted(len(session.stats.doubtful), 'sentence')} in doubt")
    if session.transport.stopped and session.player.chunk is not None:
        parts.append(f"{_stopped_at(session)}; {_goes_on(session, source)}")
    if verbose:
        parts += _figures(session)
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """How long something takes: 6 s, 1:02."""
    return f"{max(1.0, seconds):.0f} s" if seconds < 59.5 else hms(seconds)


def doubt(chunk: Chunk, verdict: Verdict) -> str:
    """What is wrong with a take, with what was written and what was heard."""
    line = f"this may not be said as it is written ({verdict.why}): “{one_line(chunk.text)}”"
    return line if verdict.heard is None else f"{line}, heard: “{one_line(verdict.heard)}”"


def _facts_of_files(session: Session, files: FileOptions) -> list[str]:
    """Size and chapters of an audiobook that is one file."""
    paths = [Path(output) for output in files.outputs if output != "-" and not output.endswith(SUBTITLES)]
    if files.in_folders or not paths or paths[0].suffix == ".wav":
        return []
    facts = [f"{sum(path.stat().st_size for path in paths if path.exists()) / 1e6:.1f} MB"]
    chapters = session.book.document.chapters if session.book.document else ()
    return facts + [f"{len(chapters)} chapters"] * (len(chapters) >= FEWEST_CHAPTERS)


def _figures(session: Session) -> list[str]:
    stats = session.stats
    parts = _rtf(stats.rtf)
    if total := stats.made + stats.reused:
        parts.append(f"{counted(stats.made, 'take')} made, {stats.reused} reused ({stats.reused / total:.1%})")
    if stats.checked:
        parts.append(f"{counted(stats.checked, 'take')} checked")
    if stats.retaken:
        parts.append(f"{stats.retaken} taken again")
    if session.takes.damaged:
        parts.append(f"{counted(session.takes.damaged, 'damaged take')} made again")
    return parts


def _rtf(rtf: float | None) -> list[str]:
    return [] if rtf is None else [f"RTF {rtf:.3g}"]


def _stopped_at(session: Session) -> str:
    chunk = session.player.chunk
    outlook = session.forecast.at(chunk.index) if chunk else None
    speed = session.transport.speed
    at = f"at {hms(outlook.start / speed)}" if outlook else "at the beginning"
    if outlook and outlook.end is not None:
        at += f" of {hms(outlook.end / speed)}"
    share = f" ({session.share_of_book(chunk):.0%})" if chunk and session.book.document else ""
    return f"{'the sleep timer stopped it' if session.slept else 'stopped'} {at}{share}"


def _goes_on(session: Session, source: str) -> str:
    if session.bookmarks is None:
        return "this text has no places to keep"
    return f"the place is kept, and narrate {source} goes on there"


def broken_off_line(session: Session, files: FileOptions, *, source: str, kept: bool) -> str:
    """What to say when a reading was broken off. `kept`: its takes are stored."""
    if session.player.chunk is None:
        return "Stopped before the first sentence."
    stopped = with_capital(_stopped_at(session))
    if set(files.outputs) == {"-"}:
        return f"{stopped}. The sound on standard output ends there."
    if files.outputs and kept:
        return f"{stopped}. No file was written, but what was spoken is kept: the same command goes on from there."
    if files.outputs:
        return f"{stopped}. No file was written, and with --no-store nothing is kept."
    return f"{stopped}; {_goes_on(session, source)}."
