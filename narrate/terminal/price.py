"""What a reading costs where a server wants money for it: said in the plan, and asked before a book is sent."""

from __future__ import annotations

import sys

import typer

from narrate.engines.http.prices import cost_line
from narrate.reading.plan import unmade
from narrate.reading.session import Session
from narrate.terminal.display import Display


def price_line(session: Session) -> str | None:
    """What it costs to have the rest of the book made; None where it costs nothing."""
    engine = session.engine
    model = engine.fingerprint.get("model", "")
    if cost_line(engine.name, model, 0, 0.0) is None:
        return None
    if session.book.document is None:
        return "OpenAI charges for all text that will come."
    return cost_line(engine.name, model, *unmade(session))


def may_be_sent(session: Session, display: Display, *, writing: bool) -> bool:
    """Say what the reading costs. Where a whole file is to be written, ask if there is somebody to ask."""
    line = price_line(session)
    if line is None:
        return True
    if writing and sys.stdin.isatty() and sys.stderr.isatty():
        if typer.confirm(f"{line} Send it?", err=True):
            return True
        display.note("Nothing was sent.")
        return False
    display.note(line)
    return True
