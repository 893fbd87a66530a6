"""Somebody breaks a talking server off and says something else: how long until it is silent, and until it goes on?

    python benchmarks/serve_interrupts.py [--times 40] [--engine espeak]

Over the WebSocket of `narrate serve`, as a voice assistant does it: a long text is spoken; after a while the client
sends `input.cancel`, and at once a short text. "silent" is from the cancel to the last frame of the old text, 0 if none
came any more. "sound" is from the new text to its first frame: for texts whose takes are kept already (buffered), and
for others (unbuffered).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serve_load import answering, served

KNOWN = "Very well. Let us talk about something else."
LONG = " ".join(
    f"This is sentence number {number} of a long answer that nobody wants to hear." for number in range(400)
)


@dataclass(slots=True)
class Seconds:
    silent: list[float] = field(default_factory=list)
    buffered: list[float] = field(default_factory=list)
    unbuffered: list[float] = field(default_factory=list)


async def say(talk: Any, kind: str, **content: object) -> None:
    await talk.send(json.dumps({"type": kind, **content}))


async def until_done(talk: Any) -> None:
    """The next answers, up to the end of an utterance."""
    while True:
        message = await talk.recv()
        if isinstance(message, str) and json.loads(message)["type"] == "session.done":
            return


async def interrupt(talk: Any, text: str, pause: float, silent: list[float], sound: list[float]) -> None:
    """Have the long text spoken, cut it short after a `pause`, and say the `text`."""
    await say(talk, "input.text", text=LONG)
    while not isinstance(await talk.recv(), bytes):
        pass
    deadline = time.perf_counter() + pause
    while (left := deadline - time.perf_counter()) > 0:  # the client listens on, as it would
        try:
            await asyncio.wait_for(talk.recv(), left)
        except TimeoutError:
            break
    start = last = time.perf_counter()
    await say(talk, "input.cancel")
    await say(talk, "input.text", text=text)
    await say(talk, "input.done")
    cancelled = False
    while True:
        message = await talk.recv()
        if isinstance(message, str):
            cancelled = cancelled or json.loads(message)["type"] == "input.cancelled"
        elif cancelled:
            sound.append(time.perf_counter() - start)
            break
        else:
            last = time.perf_counter()
    silent.append(last - start)
    await until_done(talk)


async def run(port: int, times: int) -> Seconds:
    from websockets.asyncio.client import connect

    seconds, dice = Seconds(), random.Random(1)
    await answering(port)
    async with connect(f"ws://127.0.0.1:{port}/v1/audio/speech/stream", compression=None, max_size=None) as talk:
        await say(talk, "session.config", response_format="pcm", language="en")
        await say(talk, "input.text", text=KNOWN)
        await say(talk, "input.done")
        await until_done(talk)
        for number in range(times):
            pause = dice.uniform(0.05, 0.4)
            await interrupt(talk, KNOWN, pause, seconds.silent, seconds.buffered)
            fresh = f"That is number {number}, and nobody has said it before."
            await interrupt(talk, fresh, pause, seconds.silent, seconds.unbuffered)
    return seconds


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def print_quantiles(heading: str, rows: Mapping[str, list[float]]) -> dict[str, object]:
    """A table of seconds, in milliseconds; returns the same for a line of JSON."""
    width = max(map(len, (heading, *rows)))
    print(f"{heading:{width}}  P50 ms  P95 ms  times")
    result: dict[str, object] = {}
    for name, seconds in rows.items():
        p50, p95 = (1000 * quantile(seconds, share) for share in (0.5, 0.95))
        print(f"{name:{width}}  {p50:6.1f}  {p95:6.1f}  {len(seconds):5}")
        result[name] = {"p50": round(p50, 1), "p95": round(p95, 1)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--engine", default="espeak")
    arguments = parser.parse_args()
    with served(arguments.engine) as server:
        seconds = asyncio.run(run(server.port, arguments.times))
    rows = {"silent": seconds.silent, "sound, buffered": seconds.buffered, "sound, unbuffered": seconds.unbuffered}
    result = print_quantiles("", rows)
    print(
        json.dumps({**result, "engine": arguments.engine, "python": platform.python_version(), "cpus": os.cpu_count()})
    )


if __name__ == "__main__":
    main()
