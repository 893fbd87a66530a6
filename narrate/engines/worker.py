"""The process that a member of a pool runs in: an engine of its own, fed through a pipe.

`processes.py` starts it as `python -m narrate.engines.worker`, and messages are pickled tuples, each after 4 bytes with
its length; `ray.py` starts it in an actor, and they are calls. Their first word says what they are:

    from the parent     ("open", spec, rows, options, cores), ("prepare", voice), ("request", id, chunk, voice, attempt,
                        due in seconds or None), ("cancel", ids)
    to the parent       ("ready", sample rate), ("refused", why), ("begun", id), ("clip", clip),
                        ("raised", ids, why), ("ended", why)

It ends when its standard input does, that is, no later than its parent.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import IO, Any

from narrate.clock import OFF
from narrate.engines import Engine, Request, espeak_child, never
from narrate.engines.in_hand import InHand
from narrate.errors import NarrateError
from narrate.pipeline import Background

Message = tuple[Any, ...]


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message. Raises OSError if the other side has gone."""
    espeak_child.send(stream, pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def receive(stream: IO[bytes]) -> Message:
    """The next message. Raises EOFError if the other side has gone."""
    message: Message = pickle.loads(espeak_child.receive(stream))
    return message


class Worker:
    """Answers the messages of the parent with an engine that it opens itself."""

    def __init__(self, hear: Callable[[], Message], say: Callable[[Message], object]) -> None:
        """`hear` waits for what the parent says, and raises EOFError or OSError once it has gone; `say` tells it."""
        self._hear, self._tell = hear, say
        self._engine: Engine | None = None
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._in_hand = InHand()

    def run(self) -> None:
        Background(self._listen, "narrate-worker-ear")
        while True:
            message = self._messages.get()
            try:
                if not self._answer(message):
                    return
            except NarrateError as error:
                self._say("refused" if message[0] in ("open", "prepare") else "ended", str(error))
            except Exception as error:
                ids = [request.id for request in self._in_hand.requests]
                self._in_hand.clear()
                self._say("raised", ids, f"{type(error).__name__}: {error}")

    def _listen(self) -> None:
        """Read the pipe in a thread of its own: what is cancelled must be known while the engine is at work."""
        try:
            while True:
                message = self._hear()
                if message[0] == "cancel":
                    self._in_hand.cancel(message[1])
                    if self._engine is not None:
                        self._engine.cancel(message[1])
                else:
                    self._messages.put(message)
        except (EOFError, OSError):
            os._exit(0)  # the parent has gone: nobody wants what the engine is making

    def _say(self, *message: Any) -> None:
        try:
            self._tell(message)
        except OSError:
            os._exit(0)

    def _answer(self, message: Message) -> bool:
        """Do what the parent says; False at the end."""
        from narrate.engines.table import load_engine

        match message:
            case ("open", spec, rows, options, cores):
                if cores:
                    os.sched_setaffinity(0, cores)
                self._engine = load_engine(spec, rows=rows, **options)
            case ("prepare", voice):
                assert self._engine is not None
                self._engine.prepare(voice, OFF)
                self._say("ready", self._engine.sample_rate)
            case ("request", *_):
                self._speak(message)
        return True

    def _speak(self, first: Message) -> None:
        """Let the engine work until there are no more requests."""
        assert self._engine is not None
        for clips in self._engine.synthesize(self._requests(first)):
            for clip in clips:
                if clip.final:
                    self._in_hand.release([clip.request_id])
                self._say("clip", clip)

    def _requests(self, first: Message) -> Iterator[Request | None]:
        message: Message | None = first
        while True:
            if message is not None and message[0] == "request":
                request = self._request(message)
                self._in_hand.take(request)
                yield request
            elif message is not None:
                self._messages.put(message)  # to be done between two rounds
                return
            else:
                yield None
            try:
                message = self._messages.get_nowait()
            except Empty:
                message = None

    def _request(self, message: Message) -> Request:
        _, name, chunk, voice, attempt, due_seconds = message
        moment = never() if due_seconds is None else OFF.now() + due_seconds

        def due() -> float:
            return float(moment)

        def begin() -> bool:
            if self._in_hand.is_cancelled(name):
                self._in_hand.release([name])
                return False
            self._say("begun", name)
            return True

        return Request(name, chunk, voice, attempt=attempt, due=due, begin=begin)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print must not end up among the messages
    Worker(partial(receive, sys.stdin.buffer), partial(send, outgoing)).run()


if __name__ == "__main__":
    main()
