"""Does who asks improperly slow down who asks properly?

    python benchmarks/serve_hostile.py [--times 60] [--engine tone]

A client has short sentences spoken by `narrate serve`, one after the other, in turns: alone; beside clients that are
stuck, 50 of which never end their request and 10 never read their sound; and beside these and a steady stream of
requests that are refused: a wrong token, another site's page, ten thousand ranges. The turns alternate, so that what
else the machine does weighs on all of them alike. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time

from serve_interrupts import print_quantiles
from serve_load import answering, served

TOKEN = "open sesame"
TURNS = 6  # of each kind
STUCK, DEAF = 50, 10
REFUSED = [
    "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\nConnection: close\r\n\r\n",
    "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n",
    f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    f"Range: bytes={'0-1,' * 2000}0-1\r\nConnection: close\r\n\r\n",
]
REFUSED_PER_SECOND = 20


def post(body: bytes) -> bytes:
    head = (
        "POST /api/tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def speech(text: str) -> bytes:
    return post(json.dumps({"text": text, "format": "wav"}).encode())


async def exchanged(port: int, data: bytes) -> bytes:
    """The whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


async def asked_properly(port: int, times: int, turn: str) -> list[float]:
    """Seconds from each request to the end of its sound."""
    seconds = []
    for number in range(times):
        start = time.perf_counter()
        answer = await exchanged(port, speech(f"This is sentence number {number} of turn {turn}."))
        seconds.append(time.perf_counter() - start)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a proper request was answered with {answer[:80]!r}")
    return seconds


async def stuck(port: int) -> list[asyncio.StreamWriter]:
    slow, deaf = speech("Hello.")[:60], speech("This is a sentence that nobody hears. " * 3000)
    writers = []
    for number in range(STUCK + DEAF):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(deaf if number < DEAF else slow)
        writers.append(writer)
    return writers


async def refused_again_and_again(port: int) -> None:
    number = 0
    while True:
        answer = await exchanged(port, REFUSED[number % len(REFUSED)].encode())
        if not answer.startswith(b"HTTP/1.1 4"):
            raise RuntimeError(f"an improper request was answered with {answer[:80]!r}")
        number += 1
        await asyncio.sleep(1 / REFUSED_PER_SECOND)


async def run(port: int, times: int) -> dict[str, list[float]]:
    await answering(port)
    await asked_properly(port, 10, "warm-up")
    found: dict[str, list[float]] = {"alone": [], "beside stuck clients": [], "beside these and refused ones": []}
    for turn in range(TURNS):
        found["alone"] += await asked_properly(port, times // TURNS, f"{turn} alone")
        writers = await stuck(port)
        await asyncio.sleep(1)
        found["beside stuck clients"] += await asked_properly(port, times // TURNS, f"{turn} beside")
        flood = asyncio.create_task(refused_again_and_again(port))
        found["beside these and refused ones"] += await asked_properly(port, times // TURNS, f"{turn} flooded")
        if flood.done():
            flood.result()
        flood.cancel()
        for writer in writers:
            writer.close()
        await asyncio.sleep(1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--engine", default="tone")
    arguments = parser.parse_args()
    with served(arguments.engine, NARRATE_TOKEN=TOKEN) as server:
        found = asyncio.run(run(server.port, arguments.times))
    result = print_quantiles("who asks properly", found)
    print(
        json.dumps({**result, "engine": arguments.engine, "python": platform.python_version(), "cpus": os.cpu_count()})
    )


if __name__ == "__main__":
    main()
