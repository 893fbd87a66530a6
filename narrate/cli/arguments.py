"""The arguments of the command line: what each is called, what form it has, and a line of help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from narrate import __version__


class Ruby(StrEnum):
    reading = "reading"
    base = "base"


class Footnotes(StrEnum):
    skip = "skip"
    end = "end"


class Split(StrEnum):
    chapter = "chapter"


class Subtitles(StrEnum):
    srt = "srt"
    vtt = "vtt"
    lrc = "lrc"
    json = "json"


def _option(*names: str, **facts: Any) -> Any:
    return typer.Option(*names, show_default=facts.pop("show_default", False), **facts)


Source = Annotated[str, typer.Argument(metavar="INPUT", help="The book; - is standard input.")]
Language = Annotated[str | None, _option("-l", "--lang", help="ja en zh ko de fr ru pt es it; else by the script.")]
Encoding = Annotated[str | None, _option("--encoding", help="Of a text file, if it is found out wrongly.")]
RubyChoice = Annotated[Ruby, _option("--ruby", help="Say a word's reading, or the word as it is written.")]
RubyMemory = Annotated[bool, _option("--ruby-memory/--no-ruby-memory", help="A name keeps the reading it had once.")]
FootnoteChoice = Annotated[Footnotes, _option("--footnotes", help="Leave footnotes out, or say them at the end.")]
Chapters = Annotated[str | None, _option("--chapters", metavar="3-5,9", help="Only these chapters.")]
Dictionary = Annotated[Path | None, _option("--dict", metavar="FILE", help="Words and how to say them.")]
SpellOut = Annotated[bool, _option("--normalize", help="Spell out numbers, dates and units (needs wetext).")]
Mixed = Annotated[bool, _option("--mixed", help="Another language's voice for what is quoted in it.")]
MaxChars = Annotated[int | None, _option("--max-chars", min=10, max=2000, help="Longest chunk, in characters.")]
EngineName = Annotated[str, _option("-e", "--engine", help="auto qwen openjtalk espeak tone.", show_default="auto")]
Quiet = Annotated[bool, _option("-q", "--quiet", help="Say only what went wrong.")]


@dataclass(slots=True)
class ErrorDetail:
    """How much is shown of an error; the object of a command's context."""

    traceback: bool = False


def _show_traceback(context: typer.Context, wanted: bool) -> None:
    if wanted:
        context.ensure_object(ErrorDetail).traceback = True


Debug = Annotated[
    bool, _option("--debug", callback=_show_traceback, is_eager=True, help="Show the traceback of an error.")
]
AsJson = Annotated[bool, _option("--json", help="One JSON object per line.")]
StoreFolder = Annotated[Path | None, _option("--store", metavar="DIR", help="Where takes are kept.")]
Output = Annotated[
    list[str] | None,
    _option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write .m4b .wav .flac .mp3 .opus .ogg .mka .m4a; - is WAV on stdout. May be given again.",
    ),
]
Title = Annotated[str | None, _option("--title", help="With -o: the book's title; else what the book says.")]
Author = Annotated[str | None, _option("--author", help="With -o: who wrote it.")]
NarratorName = Annotated[str | None, _option("--narrator", help="With -o: who reads; else the voice.")]
Series = Annotated[str | None, _option("--series", metavar="'NAME #3'", help="With -o: the series, and which book.")]
Description = Annotated[str | None, _option("--description", help="With -o: what the book is about.")]
Cover = Annotated[str | None, _option("--cover", metavar="FILE", help="With -o: a JPEG or PNG; or none.")]
SubtitleFormats = Annotated[
    list[Subtitles] | None, _option("--subtitles", help="With -o: the text beside it, with its times.")
]
SplitBy = Annotated[
    Split | None, _option("--split", help="With -o book.mp3: the folder book/, with a file for each chapter.")
]
Loudness = Annotated[
    float | None, _option("--loudness", min=-40, max=-5, metavar="LUFS", help="With -o: bring all of it to -19, say.")
]
SoundFile = Annotated[Path, typer.Argument(metavar="FILE", help="An audiobook.", show_default=False)]
BitRate = Annotated[
    int | None, _option("--bitrate", min=16, max=320, metavar="KBIT", help="With -o: kbit/s; 64 for .m4b.")
]
Play = Annotated[bool, _option("--play", help="With -o: also listen.")]
Force = Annotated[bool, _option("--force", help="Replace an existing file.")]
VoiceName = Annotated[str | None, _option("-v", "--voice", help="See `narrate voices`.")]
Speed = Annotated[float, _option("-s", "--speed", min=0.5, max=2.0, help="0.5 to 2.0; the pitch stays.")]
Seed = Annotated[int, _option("--seed", help="Another seed, another take.")]
Start = Annotated[
    str | None, _option("--from", metavar="PLACE", help="Begin at a chapter (number, title), mark or time (12:30).")
]
FromStart = Annotated[bool, _option("--from-start", help="Begin anew, not where the ear stopped.")]
ListChapters = Annotated[bool, _option("--list-chapters", help="Say what chapters there are, and end.")]
BatchSize = Annotated[
    str | None, _option("--batch-size", metavar="N", help="Chunks at once: 10, or auto for what suits.")
]
SoundDevice = Annotated[str | None, _option("--sound-device", help="Number or name; see `narrate devices`.")]
NoStore = Annotated[bool, _option("--no-store", help="Keep no takes.")]
FreshTakes = Annotated[bool, _option("--fresh-takes", help="Equal sentences get takes of their own.")]
Model = Annotated[str | None, _option("--model", help="qwen: a model's name or folder.")]
Instruct = Annotated[str | None, _option("--instruct", help="qwen: how to speak, in words.")]
Describe = Annotated[str | None, _option("--describe", help="qwen: a voice, in words.")]
Reference = Annotated[
    Path | None, _option("--ref-audio", metavar="FILE", help="qwen: a recording of the voice to clone.")
]
ReferenceText = Annotated[str | None, _option("--ref-text", help="qwen: what is said in it.")]
ComputeDevice = Annotated[str | None, _option("--device", help="qwen: cuda, mps or cpu.")]
Dtype = Annotated[str | None, _option("--dtype", help="qwen: bfloat16, float32 …")]
Runtime = Annotated[str | None, _option("--runtime", help="qwen: fast, compiled or stock.")]
Temperature = Annotated[float | None, _option("--temperature", help="qwen: of the sampling.")]
TopK = Annotated[int | None, _option("--top-k", help="qwen: of the sampling.")]
TopP = Annotated[float | None, _option("--top-p", help="qwen: of the sampling.")]
RepetitionPenalty = Annotated[float | None, _option("--repetition-penalty", help="qwen: of the sampling.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"narrate {__version__}")
        raise typer.Exit


Version = Annotated[bool, _option("--version", callback=_show_version, is_eager=True, help="Print the version.")]
OnlyEngine = Annotated[str | None, _option("-e", "--engine", help="Only this engine's.")]
Stats = Annotated[bool, _option("--stats", help="Counts and lengths instead of the chunks.")]
Excluded = Annotated[bool, _option("--excluded", help="What is left out of the book, by kind, instead of the chunks.")]
Clear = Annotated[bool, _option("--clear", help="Remove all takes.")]
Verify = Annotated[bool, _option("--verify", help="Read every take, remove the damaged ones.")]
BenchSource = Annotated[
    str | None, typer.Argument(metavar="INPUT", help="A text; else the samples.", show_default=False)
]
Repeat = Annotated[int, _option("--repeat", min=1, max=100, help="Measure so many times; tells the spread.")]
BatchSizes = Annotated[
    str | None, _option("--batch-sizes", metavar="1,2,5,10,20", help="Compare them; the best is kept for auto.")
]
Strategies = Annotated[bool, _option("--strategies", help="Compare ways to make batches.")]
Interrupt = Annotated[bool, _option("--interrupt", help="Measure how soon a jump is heard.")]
Jumps = Annotated[int, _option("--jumps", min=1, max=1000, help="With --interrupt: how many.", show_default="20")]
Fit = Annotated[bool, _option("--fit", help="Find out what a batch costs: a + b × longest + c × rows.")]
Quality = Annotated[bool, _option("--quality", help="Judge the sound: pace, loudness, DNSMOS, errors.")]
RealTime = Annotated[bool, _option("--play", help="At the pace of a loudspeaker, and silent.")]
Simulate = Annotated[bool, _option("--simulate", help="tone: count its seconds instead of waiting.")]
JsonFile = Annotated[Path | None, _option("--json", metavar="FILE", help="Also write the line of JSON there.")]
Against = Annotated[Path | None, _option("--against", metavar="OLD.json", help="Compare with an earlier result.")]
BenchStore = Annotated[Path | None, _option("--store", metavar="DIR", help="Keep takes there; else none are kept.")]
