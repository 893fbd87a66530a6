"""The `narrate` command: arguments in, one call, messages and exit code out. Nothing heavy is imported for --help."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

import typer

from narrate import streams
from narrate.cli.arguments import (
    Against,
    AsJson,
    Author,
    BatchSize,
    BatchSizes,
    BenchSource,
    BenchStore,
    BitRate,
    Chapters,
    Clear,
    ComputeDevice,
    Cover,
    Debug,
    Describe,
    Description,
    Dictionary,
    Dtype,
    Encoding,
    EngineName,
    ErrorDetail,
    Excluded,
    Fit,
    FootnoteChoice,
    Footnotes,
    Force,
    FreshTakes,
    FromStart,
    Instruct,
    Interrupt,
    JsonFile,
    Jumps,
    Language,
    ListChapters,
    Loudness,
    MaxChars,
    Mixed,
    Model,
    NarratorName,
    NoStore,
    OnlyEngine,
    Output,
    Play,
    Quality,
    Quiet,
    RealTime,
    Reference,
    ReferenceText,
    Repeat,
    RepetitionPenalty,
    Ruby,
    RubyChoice,
    RubyMemory,
    Runtime,
    Seed,
    Series,
    Simulate,
    SoundDevice,
    SoundFile,
    Source,
    Speed,
    SpellOut,
    SplitBy,
    Start,
    Stats,
    StoreFolder,
    Strategies,
    SubtitleFormats,
    Temperature,
    Title,
    TopK,
    TopP,
    Verify,
    Version,
    VoiceName,
)
from narrate.errors import INTERRUPTED, InputError, NarrateError
from narrate.pipeline import any_thread_hangs


def _typer() -> typer.Typer:
    """No colours in help or errors and no traceback of Typer's own: `run` says what went wrong."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


reading = _typer()
"""`narrate BOOK …`: reading aloud needs no command."""
commands = _typer()
"""`narrate COMMAND …`: everything else."""


@reading.command()
def read(
    source: Source,
    output: Output = None,
    play: Play = False,
    force: Force = False,
    title: Title = None,
    author: Author = None,
    narrator: NarratorName = None,
    series: Series = None,
    description: Description = None,
    cover: Cover = None,
    bit_rate: BitRate = None,
    subtitles: SubtitleFormats = None,
    split: SplitBy = None,
    loudness: Loudness = None,
    engine: EngineName = "auto",
    voice: VoiceName = None,
    language: Language = None,
    speed: Speed = 1.0,
    seed: Seed = 0,
    start: Start = None,
    from_start: FromStart = False,
    list_chapters: ListChapters = False,
    chapters: Chapters = None,
    batch_size: BatchSize = None,
    max_chars: MaxChars = None,
    device: SoundDevice = None,
    encoding: Encoding = None,
    ruby: RubyChoice = Ruby.reading,
    ruby_memory: RubyMemory = True,
    footnotes: FootnoteChoice = Footnotes.skip,
    dictionary: Dictionary = None,
    spell_out: SpellOut = False,
    mixed: Mixed = False,
    store: StoreFolder = None,
    no_store: NoStore = False,
    fresh_takes: FreshTakes = False,
    model: Model = None,
    instruct: Instruct = None,
    describe: Describe = None,
    reference: Reference = None,
    reference_text: ReferenceText = None,
    compute: ComputeDevice = None,
    dtype: Dtype = None,
    runtime: Runtime = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    repetition_penalty: RepetitionPenalty = None,
    quiet: Quiet = False,
    _debug: Debug = False,
    _version: Version = False,
) -> None:
    """Read INPUT aloud; with -o write a file instead.

    Other commands, each with its own --help: chunks, voices, devices, books, store, inspect, bench,
    doctor.
    """
    from narrate.sinks.about import About
    from narrate.terminal.files import FileOptions, series_and_part
    from narrate.terminal.listen import ReadingOptions, read_aloud
    from narrate.text.book import TextOptions
    from narrate.voice import Voice

    outputs = tuple(output or ())
    of_series, part = series_and_part(series or "")
    text = TextOptions(
        language=language,
        encoding=encoding,
        ruby=ruby.value,
        ruby_memory=ruby_memory,
        footnotes=footnotes.value,
        chapters=chapters,
        dictionary=dictionary,
        spell_out=spell_out,
        mixed=mixed,
        max_chars=max_chars,
    )
    if list_chapters:
        from narrate.cli.listing import list_chapters as show_chapters

        show_chapters(source, text)
        return
    engine_options = {
        "model": model, "device": compute, "dtype": dtype, "runtime": runtime, "temperature": temperature,
        "top_k": top_k, "top_p": top_p, "repetition_penalty": repetition_penalty,
    }  # fmt: skip
    options = ReadingOptions(
        source=source,
        text=text,
        voice=Voice(
            name=voice,
            language=language,
            seed=seed,
            instruct=instruct,
            describe=describe,
            reference=reference,
            reference_text=reference_text,
        ),
        speed=speed,
        engine=engine,
        engine_options={name: value for name, value in engine_options.items() if value is not None},
        files=FileOptions(
            outputs=outputs,
            force=force or _may_replace(outputs),
            about=About(
                title=title or "",
                author=author or "",
                narrator=narrator or "",
                description=description or "",
                series=of_series,
                part=part,
            ),
            cover=cover,
            bit_rate=bit_rate * 1000 if bit_rate else None,
            split=split is not None,
            lufs=loudness,
            subtitles=tuple(form.value for form in dict.fromkeys(subtitles or ())),
        ),
        play=play,
        start="" if from_start else start,
        rows=_batch_size(batch_size),
        device=device,
        store=None if no_store else _store_folder(store),
        fresh_takes=fresh_takes,
        quiet=quiet,
    )
    code = read_aloud(options)
    if code:
        raise typer.Exit(code)


@commands.command()
def chunks(
    source: Source,
    language: Language = None,
    engine: EngineName = "auto",
    max_chars: MaxChars = None,
    chapters: Chapters = None,
    encoding: Encoding = None,
    ruby: RubyChoice = Ruby.reading,
    ruby_memory: RubyMemory = True,
    footnotes: FootnoteChoice = Footnotes.skip,
    dictionary: Dictionary = None,
    spell_out: SpellOut = False,
    mixed: Mixed = False,
    as_json: AsJson = False,
    stats: Stats = False,
    excluded: Excluded = False,
    _debug: Debug = False,
) -> None:
    """Show what will be spoken, without speaking."""
    from narrate.cli.listing import list_chunks, list_excluded
    from narrate.text.book import TextOptions

    text = TextOptions(
        language=language,
        encoding=encoding,
        ruby=ruby.value,
        ruby_memory=ruby_memory,
        footnotes=footnotes.value,
        chapters=chapters,
        dictionary=dictionary,
        spell_out=spell_out,
        mixed=mixed,
        max_chars=max_chars,
    )
    if excluded:
        list_excluded(source, text, as_json=as_json)
        return
    list_chunks(source, text, engine, as_json=as_json, stats=stats)


@commands.command()
def voices(
    engine: OnlyEngine = None,
    _debug: Debug = False,
) -> None:
    """List the voices: name, languages, engine, description."""
    from narrate.cli.listing import list_voices

    list_voices(engine)


@commands.command()
def devices(_debug: Debug = False) -> None:
    """List the sound devices, by number and name, for --sound-device."""
    from narrate.cli.listing import list_devices

    list_devices()


@commands.command()
def books(
    folder: StoreFolder = None,
    _debug: Debug = False,
) -> None:
    """List what was read, how far, how much of it is stored, and the places that were marked."""
    from narrate.cli.listing import list_books

    list_books(_store_folder(folder))


@commands.command()
def store(
    folder: StoreFolder = None,
    clear: Clear = False,
    verify: Verify = False,
    _debug: Debug = False,
) -> None:
    """Show how much sound is stored, and for which books."""
    from narrate.cli.listing import show_store

    if clear and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm("Remove all takes? They have to be made again.", err=True, abort=True)
    show_store(_store_folder(folder), clear=clear, verify=verify)


@commands.command()
def bench(
    source: BenchSource = None,
    engine: EngineName = "auto",
    language: Language = None,
    chapters: Chapters = None,
    repeat: Repeat = 1,
    batch_sizes: BatchSizes = None,
    strategies: Strategies = False,
    interrupt: Interrupt = False,
    jumps: Jumps = 20,
    fit: Fit = False,
    quality: Quality = False,
    play: RealTime = False,
    simulate: Simulate = False,
    store: BenchStore = None,
    json: JsonFile = None,
    against: Against = None,
    _debug: Debug = False,
) -> None:
    """Measure: how soon, how smoothly, how quickly, with how much memory.

    Prints tables, then one line of JSON.
    """
    from narrate.bench import BenchOptions
    from narrate.bench import bench as measure
    from narrate.text.book import TextOptions

    options = BenchOptions(
        source=source,
        engine=engine,
        text=TextOptions(language=language, chapters=chapters),
        repeat=repeat,
        batch_sizes=_sizes(batch_sizes),
        strategies=strategies,
        jumps=jumps if interrupt else 0,
        fit=fit,
        quality=quality,
        play=play,
        simulate=simulate,
        store=store,
        json=json,
        against=against,
    )
    code = measure(options)
    if code:
        raise typer.Exit(code)


def _sizes(text: str | None) -> tuple[int, ...]:
    """Raises InputError for what is no list of sizes."""
    parts = [part.strip() for part in text.split(",")] if text is not None else []
    if not all(part.isdigit() and int(part) >= 1 for part in parts):
        raise InputError(f"--batch-sizes {text} is no list of sizes. Use numbers from 1 on, as in 1,2,5,10,20.")
    return tuple(dict.fromkeys(map(int, parts)))


@commands.command()
def inspect(file: SoundFile, _debug: Debug = False) -> None:
    """Read an audiobook back: chapters, tags, loudness, and what is wrong with them."""
    from narrate.cli.listing import inspect_file
    from narrate.terminal.listen import NOT_ALL_SPOKEN

    if not inspect_file(file):
        raise typer.Exit(NOT_ALL_SPOKEN)


@commands.command()
def doctor(_debug: Debug = False) -> None:
    """Say what this machine can do, and what would make it do more."""
    from narrate.cli.doctor import report

    for finding in report():
        print(finding, flush=True)


def _store_folder(named: Path | None) -> Path:
    from narrate.folders import home

    return named or home() / "store"


def _batch_size(text: str | None) -> int | Literal["auto"] | None:
    """Raises InputError for what is neither "auto" nor a number from 1 on."""
    if text is None or text == "auto":
        return "auto" if text else None
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"--batch-size {text} is no size. Use a number from 1 on, or auto.")
    return int(text)


def _may_replace(outputs: Sequence[str]) -> bool:
    """Ask, if there is somebody to ask, whether existing files may be replaced."""
    there = [output for output in outputs if output != "-" and Path(output).is_file()]
    if not there or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"{there[0]} exists already. Replace it?"
    return typer.confirm(question if len(there) == 1 else f"{', '.join(there)} exist already. Replace them?", err=True)


class Ended(SystemExit):
    """The terminal was closed, or somebody ended the program: everything is finished properly first."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end_properly() -> None:
    import signal

    def end(number: int, frame: object) -> NoReturn:
        raise Ended(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wishes
            signal.signal(number, end)


def _ignore_signals() -> None:
    """All is done and said: a signal that comes now must not break off the interpreter's own end with a traceback."""
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)


def _choose(arguments: list[str]) -> typer.Typer:
    """What is no command is the name of a book, or an option of reading it."""
    named = [getattr(command.callback, "__name__", "") for command in commands.registered_commands]
    return commands if arguments and arguments[0] in named else reading


def _fail(error: Exception, message: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    if message:
        print(f"narrate: {message}", file=sys.stderr)
    return code


def run(arguments: list[str]) -> int:
    """Run the command and translate every outcome into a line on stderr and an exit code."""
    wanted = ErrorDetail()
    try:
        command = _choose(arguments)
        code = int(command(arguments or ["--help"], prog_name="narrate", standalone_mode=False, obj=wanted) or 0)
        sys.stdout.flush()
        return code
    except NarrateError as error:
        return _fail(error, str(error), error.exit_code, debug=wanted.traceback)
    except typer.Abort as error:
        return _fail(error, "stopped.", 1, debug=wanted.traceback)
    except typer.TyperException as error:
        return _fail(error, error.format_message(), error.exit_code, debug=wanted.traceback)
    except Exception as error:
        message = f"this is a defect ({type(error).__name__}: {error}). Please report it with the output of --debug."
        return _fail(error, " ".join(message.split()), 1, debug=wanted.traceback)


def main() -> NoReturn:
    """The `narrate` command."""
    streams.open_standard()
    _end_properly()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Ended as ended:
        code = ended.number
    _ignore_signals()
    if any_thread_hangs():
        streams.flush_standard()
        os._exit(code)  # the interpreter's own end would wait for the device that hangs
    raise SystemExit(code)
