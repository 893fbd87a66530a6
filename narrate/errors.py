"""What can go wrong, in words for the listener: what happened, why, and what to do. One line each."""

from __future__ import annotations


class NarrateError(Exception):
    """Narration cannot go on. `str(error)` is the one line the listener reads."""

    exit_code = 1


class InputError(NarrateError):
    """The command line or the text is wrong: nothing was started, nothing was written."""

    exit_code = 2


class EngineError(NarrateError):
    """A voice engine cannot be loaded or has stopped answering."""


class SinkError(NarrateError):
    """Sound can no longer be delivered: no device, a full disk, a closed pipe."""


class ClosedPipe(SinkError):
    """The program reading our standard output went away (exit code 128 + SIGPIPE, as shells report it).

    Without words nothing is said of it: `narrate chunks book | head` has all that it wants.
    """

    exit_code = 141


INTERRUPTED = 130  # exit code, as shells report Ctrl-C
