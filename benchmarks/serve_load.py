"""A thousand requests to `narrate serve`, from clients of which many leave before the end: what is left behind?

    python benchmarks/serve_load.py [--requests 1000] [--at-once 16] [--engine tone]

Each client asks for a text over /api/tts, OpenAI's API (bytes or events) or the WebSocket, and hears it to the end, or
leaves: before the answer, in its middle, or without ever reading. After every fifth of the requests the server's
threads, open files, child processes and memory are counted when it is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

WARM_UP = 100  # requests before anything is counted: libraries load, and the allocator grows
ROUNDS = 5
SETTLE_SECONDS = 12.0  # after which idle threads of the event loop have ended, too


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds when it is idle."""

    requests: int
    threads: int
    files: int
    children: int
    megabytes: float


@dataclass(slots=True)
class Tally:
    ended: Counter[str]
    first_seconds: list[float]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Server:
    """A running `narrate serve`; what it left behind is known once it has ended."""

    port: int
    process: subprocess.Popen[bytes]
    tracebacks: int = 0


@contextmanager
def served(engine: str, **variables: str) -> Iterator[Server]:
    """`narrate serve` with an empty home, for as long as the `with` block lasts."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home, open(Path(home, "log"), "wb") as log:
        environment = {**os.environ, "NARRATE_HOME": home, "NARRATE_CONFIG": os.devnull, **variables}
        command = [sys.executable, "-m", "narrate", "serve", "--port", str(port), "-e", engine]
        with subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
            server = Server(port, process)
            try:
                yield server
            finally:
                process.terminate()
        server.tracebacks = Path(home, "log").read_text().count("Traceback")


def held(process: int, requests: int) -> Held:
    folder = Path(f"/proc/{process}")
    status = (folder / "status").read_text()
    children = (folder / f"task/{process}/children").read_text().split()
    return Held(
        requests,
        int(re.findall(r"Threads:\s+(\d+)", status)[0]),
        len(os.listdir(folder / "fd")),
        len(children),
        round(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024, 1),
    )


def text_of(dice: random.Random) -> str:
    name = dice.randrange(1_000_000)
    return " ".join(f"Sentence {number} of text {name} says nothing new." for number in range(dice.randint(1, 12)))


async def request(port: int, path: str, body: dict[str, object]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    return reader, writer


async def over_http(port: int, dice: random.Random, tally: Tally) -> str:
    paths: list[tuple[str, dict[str, object]]] = [
        ("/api/tts", {"text": text_of(dice), "format": dice.choice(["mp3", "opus", "flac", "wav", "pcm", "aac"])}),
        ("/v1/audio/speech", {"input": text_of(dice), "voice": "alloy"}),
        ("/v1/audio/speech", {"input": text_of(dice), "response_format": "pcm", "stream_format": "sse"}),
        ("/api/tts", {"text": text_of(dice) * 40, "format": "wav"}),
    ]
    kind = dice.randrange(4)
    leaves = 0 if kind == 3 else dice.choice([None, None, None, 0, dice.randrange(1, 40_000)])
    start = time.perf_counter()
    reader, writer = await request(port, *paths[kind])
    got = 0
    try:
        if leaves == 0 and dice.random() < 0.5:
            await asyncio.sleep(dice.random() * 0.2)
            return "left before the sound"
        while data := await reader.read(4096):
            if not got:
                tally.first_seconds.append(time.perf_counter() - start)
            got += len(data)
            if leaves is not None and got > leaves:
                if kind == 3:  # it has stopped reading, and leaves a little later
                    await asyncio.sleep(dice.random() * 0.3)
                return "left in the middle"
        return "heard to the end"
    finally:
        writer.transport.abort() if leaves is not None else writer.close()


async def over_websocket(port: int, dice: random.Random) -> str:
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}/v1/audio/speech/stream", compression=None) as talk:
        await talk.send(json.dumps({"type": "session.config", "response_format": "pcm"}))
        for word in text_of(dice).split():
            await talk.send(json.dumps({"type": "input.text", "text": f"{word} "}))
        if dice.random() < 0.3:
            await talk.send(json.dumps({"type": "input.cancel"}))
        await talk.send(json.dumps({"type": "input.done"}))
        if dice.random() < 0.4:
            talk.transport.abort()
            return "websocket, left"
        while True:
            message = await talk.recv()
            if isinstance(message, str) and json.loads(message)["type"] == "session.done":
                return "websocket, to the end"


async def client(port: int, dice: random.Random, tally: Tally) -> None:
    over = over_websocket(port, dice) if dice.random() < 0.15 else over_http(port, dice, tally)
    try:
        async with asyncio.timeout(60):
            tally.ended[await over] += 1
    except TimeoutError:
        tally.ended["TOO SLOW"] += 1


async def load(port: int, count: int, at_once: int, dice: random.Random, tally: Tally) -> None:
    turns = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with turns:
            await client(port, dice, tally)

    await asyncio.gather(*(one() for _ in range(count)))


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode("utf-8", "replace")


async def answering(port: int) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            await get(port, "/health")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def idle(port: int) -> None:
    """Wait until nothing is spoken any more."""
    deadline = time.monotonic() + 60
    while "narrate_live_slots 0.0" not in await get(port, "/metrics"):
        if time.monotonic() > deadline:
            raise TimeoutError("the server still speaks, a minute after the last client left")
        await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE_SECONDS)


async def run(port: int, process: int, arguments: argparse.Namespace) -> tuple[list[Held], Tally]:
    dice = random.Random(arguments.seed)
    await answering(port)
    await load(port, WARM_UP, arguments.at_once, dice, Tally(Counter(), []))
    await idle(port)
    found, tally = [held(process, 0)], Tally(Counter(), [])
    for number in range(1, ROUNDS + 1):
        await load(port, arguments.requests // ROUNDS, arguments.at_once, dice, tally)
        await idle(port)
        found.append(held(process, number * (arguments.requests // ROUNDS)))
    return found, tally


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--engine", default="tone")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start = time.perf_counter()
    with served(arguments.engine) as server:
        found, tally = asyncio.run(run(server.port, server.process.pid, arguments))
    seconds = time.perf_counter() - start
    print("requests  threads  files  children  memory MB")
    for each in found:
        print(f"{each.requests:8}  {each.threads:7}  {each.files:5}  {each.children:8}  {each.megabytes:9.1f}")
    for how, count in tally.ended.most_common():
        print(f"{count:8}  {how}")
    first = sorted(tally.first_seconds)
    quantiles = {f"p{share}": round(first[int(len(first) * share / 100)], 3) for share in (50, 95)}
    print(f"first bytes: P50 {quantiles['p50']} s, P95 {quantiles['p95']} s")
    print(f"{server.tracebacks} tracebacks in the log; {seconds:.0f} s in all")
    result = {
        "held": [asdict(each) for each in found],
        "ended": dict(tally.ended),
        "first_seconds": quantiles,
        "tracebacks": server.tracebacks,
        "exit_code": server.process.returncode,
        "engine": arguments.engine,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
