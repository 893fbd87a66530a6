"""`narrate bench`: how good and how fast it is here."""

from __future__ import annotations

from narrate.cli.command import Argument, Command
from narrate.errors import InputError
from narrate.settings.kinds import File, Many, Number, Switch, Text
from narrate.settings.option import ONCE, Option
from narrate.settings.table import named
from narrate.settings.values import Values

SIZES = "a list of sizes such as 1,2,5,10,20"


def bench(values: Values) -> int:
    from narrate.bench import BenchOptions
    from narrate.bench import bench as measure
    from narrate.text.book import TextOptions

    options = BenchOptions(
        source=values["book"],
        engine=values["engine"],
        text=TextOptions(language=values["lang"], chapters=values["chapters"]),
        repeat=values["repeat"],
        batch_sizes=_sizes(values["batch-sizes"]),
        strategies=values["strategies"],
        jumps=values["jumps"] if values["interrupt"] else 0,
        fit=values["fit"],
        quality=values["quality"],
        voices=values["voices"],
        play=values["play"],
        simulate=values["simulate"],
        store=values["store"],
        json=values["json"],
        against=values["against"],
    )
    return measure(options)


def _sizes(text: str | None) -> tuple[int, ...]:
    """Raises InputError for what is no list of sizes."""
    parts = [part.strip() for part in text.split(",")] if text is not None else []
    if not all(part.isdigit() and int(part) >= 1 for part in parts):
        raise InputError(f"--batch-sizes must be {SIZES}, not {text}.")
    return tuple(dict.fromkeys(map(int, parts)))


def _switch(name: str, help: str) -> Option:
    return Option(name, Switch(), help, places=ONCE, default=False)


COMMAND = Command(
    details="Prints tables, then one line of JSON.",
    run=bench,
    arguments=(
        Argument("book", "BOOK", "A text to read; otherwise the samples that come with narrate.", required=False),
    ),
    options=(
        *named("engine", "lang", "chapters"),
        Option(
            "repeat",
            Number(1, 100, metavar="N", whole=True),
            "Measure this many times, to learn how much the numbers vary.",
            default=1,
            places=ONCE,
        ),
        Option(
            "batch-sizes",
            Text("1,2,5,10,20", SIZES),
            "Compare these numbers of sentences at once; the best is kept for --batch-size auto.",
            places=ONCE,
        ),
        _switch("strategies", "Compare ways of putting sentences together into batches."),
        _switch("interrupt", "Measure how soon a jump is heard."),
        Option(
            "jumps",
            Number(1, 1000, metavar="N", whole=True),
            "With --interrupt: how many jumps.",
            default=20,
            places=ONCE,
        ),
        _switch("fit", "Find out what a batch costs: a + b × longest sentence + c × sentences."),
        _switch("quality", "Judge the sound: loudness, pitch, pace, what is odd, DNSMOS, errors."),
        Option(
            "voices",
            Many(Text("NAME", "the name of a voice")),
            "With --quality: have these voices of the engine read the text, too, and compare.",
            places=ONCE,
            default=(),
        ),
        _switch("play", "Take as long as a loudspeaker would, but stay silent."),
        _switch("simulate", "With -e tone: add up the seconds it would take instead of waiting for them."),
        Option("store", File("FOLDER"), "Keep the finished sound in this folder; otherwise none is kept.", places=ONCE),
        Option(
            "json",
            File(),
            "Write the line of JSON to this file, too; - prints nothing else on standard output.",
            places=ONCE,
        ),
        Option(
            "against",
            File("OLD.json"),
            "Compare with an earlier result; exit code 3 if something is clearly worse.",
            places=ONCE,
        ),
    ),
)
