"""What the store of takes costs: `python benchmarks/store_cost.py [--book FILE] [--takes 20000] [--folder DIR]`.

Opening and asking a store of many takes; keeping and reading real speech; keeping the place in the book; exporting the
book without a store, with an empty one and with a full one, by turns. A table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterable
from pathlib import Path

from narrate.clip import Clip
from narrate.engines.espeak import Espeak
from narrate.engines.tone import Tone
from narrate.errors import EngineError
from narrate.playback.bookmark import Bookmarks, Place
from narrate.store.store import Store
from narrate.text.book import BookId
from narrate.text.document import Chunk
from narrate.voice import Voice

STORY = Path(__file__).parents[1] / "samples" / "lighthouse.en.txt"
SIZE = 200  # characters of a chunk


def key(number: int) -> str:
    return f"b2:{number * 0x9E3779B97F4A7C15 * 2**96 % 2**160:040x}"


def speech() -> tuple[str, list[Clip]]:
    """The name of a voice, and a story spoken by it in takes of about ten seconds."""
    text = " ".join(STORY.read_text(encoding="utf-8").split())
    parts = [text[start : start + SIZE] for start in range(0, len(text), SIZE)]
    chunks = [Chunk(number, 1, "", part, part, "en", 0.0, 0, 0) for number, part in enumerate(parts)]
    try:
        engine = Espeak()
        clips = engine.synthesize_batch(chunks, Voice())
        engine.close()
        return engine.name, clips
    except EngineError:
        return Tone.name, Tone().synthesize_batch(chunks, Voice())


def milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)


def each(work: Callable[[int], object], numbers: Iterable[int]) -> dict[str, float]:
    """Median and 99th percentile in milliseconds."""
    times = sorted(milliseconds(lambda number=number: work(number)) for number in numbers)  # type: ignore[misc]
    return {"p50": statistics.median(times), "p99": times[int(0.99 * (len(times) - 1))]}


def many(folder: Path, takes: int) -> dict[str, object]:
    """A store of many short takes: for opening and asking only their number matters."""
    clip = speech()[1][0].samples[:4000]
    with Store(folder) as store, store.for_book("a novel") as view:
        put = each(lambda number: view.put(key(number), clip, 22050), range(takes))
    figures: dict[str, object] = {"takes": takes, "put_short_ms": put}
    opened = []
    for _ in range(5):
        store = Store(folder)
        opened.append(milliseconds(lambda store=store: store.__enter__().for_book("a novel")))  # type: ignore[misc]
        store.__exit__(None, None, None)
    figures["open_ms"] = statistics.median(opened)
    some = range(0, takes, max(1, takes // 2000))
    with Store(folder, memory_bytes=0) as store, store.for_book("a novel") as view:
        figures["has_ms"] = each(lambda number: view.has(key(number)), some)
        figures["miss_ms"] = each(lambda number: view.get(key(takes + number)), some)
        figures["get_short_ms"] = each(lambda number: view.get(key(number)), some)
        figures["claim_ms"] = each(lambda number: view.claim(key(takes + number)), some)
        figures["size_ms"] = milliseconds(store.size)
        figures["verify_ms"] = milliseconds(store.verify)
    (folder / "index.sqlite").unlink()
    store = Store(folder)
    figures["open_without_index_ms"] = milliseconds(store.__enter__)
    store.__exit__(None, None, None)
    return figures


def real(folder: Path) -> dict[str, object]:
    """Speech in takes as long as they really are."""
    voice, clips = speech()
    numbers = range(len(clips))
    with Store(folder) as store, store.for_book("a novel") as view:
        put = each(lambda number: view.put(key(number), clips[number].samples, clips[number].sample_rate), numbers)
        kept = store.size().bytes
        from_memory = each(lambda number: view.get(key(number)), numbers)
    with Store(folder, memory_bytes=0) as store, store.for_book("a novel") as view:
        from_disk = each(lambda number: view.get(key(number)), numbers)
    seconds = sum(clip.seconds for clip in clips)
    return {
        "voice": voice,
        "take_seconds": seconds / len(clips),
        "put_ms": put,
        "get_from_disk_ms": from_disk,
        "get_from_memory_ms": from_memory,
        "mb_per_hour": kept / seconds * 3600 / 1e6,
        "share_of_16_bit": kept / sum(2 * len(clip.samples) for clip in clips),
    }


def places(folder: Path) -> dict[str, object]:
    """The place in the book, kept at every sentence; `lasting`: until the disk has it."""
    around = "A sentence of the book, and those around it. " * 5
    book, marks = BookId("b2:0", "/a/novel.txt", "A Novel"), Bookmarks(folder)

    def save(start: int, lasting: bool) -> None:
        marks.save(book, Place(start, start + 40, 1, "One", 0.5, around[:45], around, around), lasting=lasting)

    return {
        "save_place_ms": each(lambda start: save(start, False), range(500)),
        "save_place_lasting_ms": each(lambda start: save(start, True), range(50)),
    }


def exports(folder: Path, book: Path, rounds: int) -> dict[str, object]:
    """Exports of a whole book by espeak, without a store, with an empty one, with a full one; medians in seconds."""
    folder.mkdir()
    command = [
        sys.executable,
        "-m",
        "narrate",
        str(book),
        "-q",
        "-e",
        "espeak",
        "--force",
        "-o",
        str(folder / "book.wav"),
    ]
    env = {**os.environ, "NARRATE_HOME": str(folder / "home")}
    seconds: dict[str, list[float]] = {"without": [], "empty": [], "full": []}
    for number in range(rounds):
        store = ["--store", str(folder / f"store{number}")]
        for name, options in [("without", ["--no-store"]), ("empty", store), ("full", store)]:
            begin = time.perf_counter()
            subprocess.run([*command, *options], env=env, check=True)
            seconds[name].append(time.perf_counter() - begin)
    took = {name: statistics.median(each) for name, each in seconds.items()}
    with wave.open(str(folder / "book.wav")) as sound:
        hours = sound.getnframes() / sound.getframerate() / 3600
    with Store(folder / "store0") as kept:
        size = kept.size()
    return {
        "export_hours": hours,
        "export_takes": size.takes,
        "export_s": took,
        "export_with_to_without": took["empty"] / took["without"],
        "export_store_mb_per_hour": size.bytes / hours / 1e6,
    }


def shown(figure: object) -> str:
    if isinstance(figure, dict):
        return "   ".join(f"{part} {shown(value)}" for part, value in figure.items())
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the store of takes costs.")
    parser.add_argument("--takes", type=int, default=20_000, help="takes in the big store")
    parser.add_argument("--book", type=Path, default=STORY, help="to be exported")
    parser.add_argument("--rounds", type=int, default=3, help="of exports")
    parser.add_argument("--folder", type=Path, help="where to put the stores: on the disk to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        figures = many(folder / "many", options.takes) | real(folder / "real") | places(folder / "places")
        figures |= exports(folder / "exports", options.book, options.rounds)
    for what, figure in figures.items():
        print(f"{what:24}{shown(figure)}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
