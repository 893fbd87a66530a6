"""All settings: flags, settings files, the environment, help and a server are made from these lines."""

from __future__ import annotations

from dataclasses import replace

from narrate.settings.kinds import Choice, File, HoursOr, Many, Number, NumberOr, Switch, Text, WholeOr
from narrate.settings.option import ANYWHERE, FILES, OF_BOOK, OF_MACHINE, ONCE, SECRET, Option

GROUPS = ("Listening", "Writing", "Text", "Voice", "Qwen", "Advanced")

LISTENING = (
    Option(
        "from",
        Text("PLACE"),
        "Start at a chapter (its number or title), a mark that you set with b, or a time such as 12:30. 0 is the text "
        "before chapter 1.",
        places=ONCE,
    ),
    Option(
        "from-start",
        Switch(),
        "Start from the beginning instead of resuming.",
        places=ONCE,
        default=False,
    ),
    Option(
        "sleep",
        Text("MINUTES", "a number of minutes, or chapter"),
        "Stop after this many minutes of listening, or at the end of the chapter: --sleep chapter.",
        places=ONCE,
    ),
    Option(
        "speed",
        Number(0.5, 2.0),
        "Speak this many times as fast, from 0.5 to 2; the pitch stays the same.",
        short="s",
        default=1.0,
        late=True,
    ),
    Option(
        "sound-device",
        Text("NAME", "the number or name of a sound device"),
        "Play on this device, by number or name; `narrate devices` lists them.",
        places=OF_MACHINE,
    ),
    Option(
        "plan",
        Switch(),
        "Say how long the book and its chapters are, how large the file will be and how long it takes to make, and "
        "stop.",
        places=ONCE,
        default=False,
    ),
    Option("list-chapters", Switch(), "List the chapters of the book and stop.", places=ONCE, default=False),
)

WRITING = (
    Option(
        "output",
        # As it was typed: a slash at its end means a folder.
        Many(Text("FILE", "the name of a file or a folder"), commas=False),
        "Write an audiobook instead of playing: .m4b .m4a .mp3 .opus .ogg .mka .flac or .wav; .epub is a book to read "
        "and hear. May be given several times; - writes WAV to standard output. For several books name a folder, as in "
        "-o books/, or a pattern, as in -o '{author} - {title}.m4b'.",
        short="o",
        places=ONCE,
        default=(),
    ),
    Option("play", Switch(), "Listen while the file is written.", places=ONCE, default=False),
    Option("force", Switch(), "Replace files that exist already.", places=ONCE, default=False),
    Option(
        "split",
        HoursOr(("chapter",), 0.1, 100),
        "Write a file for each chapter, or files of at most so many hours (2h): -o book.mp3 makes a folder book with "
        "MP3 files and a playlist.",
    ),
    Option(
        "subtitles",
        Many(Choice(("srt", "vtt", "lrc", "json"))),
        "Write the text with its times beside the sound, in one format or several, such as srt,vtt.",
        default=(),
    ),
    Option(
        "report",
        File("FILE.html"),
        "Write a page about the sound, too: how loudness, pitch and pace go over the book, what is odd, and the ten "
        "worst sentences to hear. With --check also what a recogniser heard.",
        places=ONCE,
    ),
    Option("title", Text(), "Title of the book in the file, if the book's own is wrong.", places=OF_BOOK),
    Option("author", Text("NAME"), "Author of the book in the file.", places=OF_BOOK),
    Option("narrator", Text("NAME"), "Narrator in the file; the voice, if you name nobody."),
    Option("series", Text("'NAME #3'"), "Series that the book belongs to, and its number in it.", places=OF_BOOK),
    Option("description", Text(), "Description of the book in the file.", places=OF_BOOK),
    Option(
        "cover",
        File("FILE", words_allowed=("none",)),
        "Cover picture (JPEG or PNG), or none. Otherwise the book's own, or cover.jpg beside it.",
        places=OF_BOOK & FILES,
    ),
    Option(
        "bitrate",
        Number(16, 320, metavar="KBIT", whole=True),
        "Kilobits per second of a compressed file, from 16 to 320. M4B has 64, MP3 80 and Opus 40 otherwise.",
    ),
    Option(
        "loudness",
        NumberOr(Number(-40, -5, metavar="LUFS"), ("acx", "off")),
        "Bring the whole book to this loudness, from -40 to -5 LUFS. Audiobooks often have -19. With acx it makes "
        "the MP3 files that Audible's ACX takes, one for each chapter, and checks them; with off the sound stays as it "
        "comes.",
    ),
)

TEXT = (
    Option(
        "text",
        Text(what="a text to read"),
        "Read this text instead of a book.",
        short="t",
        places=ONCE,
    ),
    Option(
        "lang",
        Text("CODE", "the code of a language, such as en"),
        "Language of the book: ja en zh ko de fr ru pt es it. Without this option, narrate finds it out.",
        short="l",
        places=OF_BOOK,
    ),
    Option(
        "chapters",
        Text("3-5,9", "numbers of chapters, such as 3-5,9"),
        "Read these chapters only; `--list-chapters` lists them.",
        places=OF_BOOK,
    ),
    Option(
        "dict",
        File(),
        "A file of words and how to say them, one in a line: word = reading. The notes below say more.",
        places=ANYWHERE & FILES,
    ),
    Option(
        "footnotes",
        Choice(("skip", "end", "inline")),
        "Leave footnotes out (skip), read them at the end, or where their mark stands (inline).",
        default="skip",
    ),
    Option(
        "code",
        Choice(("skip", "read", "announce")),
        "Leave blocks of code out (skip), read them, or say only that there is code (announce).",
        default="skip",
    ),
    Option("alt", Switch(), "Read the descriptions of pictures.", default=False),
    Option(
        "tables",
        Choice(("plain", "headed")),
        "Read the cells of a table, row by row (plain), each with the head of its column (headed).",
        default="plain",
    ),
    Option("announce", Switch(), "Say “Chapter 4” where the heading is only a number.", default=False),
    Option(
        "ruby",
        Choice(("reading", "base")),
        "Japanese: say the reading that is printed beside a word, or the word itself (base).",
        default="reading",
    ),
    Option(
        "ruby-memory",
        Switch(),
        "Japanese: a name keeps the reading that was printed beside it once. On unless switched off.",
        default=True,
    ),
    Option("mixed", Switch(), "Read quotations in another language with a voice of that language.", default=False),
    Option("normalize", Switch(), "Spell out numbers, dates and units (needs the package wetext).", default=False),
    Option(
        "encoding",
        Text("NAME", "the name of an encoding, such as shift_jis"),
        "Encoding of a text file, such as shift_jis, if narrate guesses it wrong.",
        places=OF_BOOK,
    ),
)

VOICE = (
    Option(
        "engine",
        Text("NAME", "the name of an engine, such as espeak"),
        "Voice engine: qwen (neural), openjtalk (Japanese) or espeak; auto takes the best one for the language.",
        short="e",
        default="auto",
        late=True,
    ),
    Option(
        "voice",
        Text("NAME", "the name of a voice"),
        "Voice of the engine; `narrate voices` lists them.",
        short="v",
        late=True,
    ),
    Option(
        "seed",
        Number(metavar="N", whole=True),
        "Another number makes another rendition of the same voice (qwen only).",
        default=0,
        late=True,
    ),
)

QWEN = (
    Option("instruct", Text(), 'How to speak, in your own words, such as "calm and slow".', late=True),
    Option("describe", Text(), 'Make up a voice from a description, such as "an old man, hoarse".', late=True),
    Option("ref-audio", File(), "Clone the voice of this recording.", places=ANYWHERE & FILES, late=True),
    Option("ref-text", Text(), "The words that are spoken in that recording.", late=True),
    Option(
        "model",
        Text("NAME", "a model's name or folder"),
        "Model to use, by name or folder; otherwise the largest that fits into the memory.",
        places=OF_MACHINE,
        late=True,
    ),
    Option(
        "device",
        Text("NAME", "cuda, mps or cpu"),
        "Where to compute: cuda, mps (Apple) or cpu.",
        places=OF_MACHINE,
        late=True,
    ),
    Option(
        "dtype",
        Text("TYPE", "a number type of PyTorch, such as bfloat16"),
        "Number type to compute with, such as bfloat16 or float32; on a CPU also int8.",
        places=OF_MACHINE,
        late=True,
    ),
    Option(
        "runtime",
        Text("NAME", "fast, compiled or stock"),
        "Program that runs the model: fast (narrate's own), compiled, or stock (the qwen-tts package's).",
        places=OF_MACHINE,
        late=True,
    ),
    Option("temperature", Number(0), "Sampling: higher is livelier, lower is steadier.", late=True),
    Option(
        "top-k",
        Number(0, metavar="N", whole=True),
        "Sampling: choose among this many of the likeliest sounds.",
        late=True,
    ),
    Option(
        "top-p", Number(0, 1), "Sampling: choose among the likeliest sounds that share this probability.", late=True
    ),
    Option("repetition-penalty", Number(0), "Sampling: above 1 makes repeated sounds less likely.", late=True),
)

ADVANCED = (
    Option(
        "batch-size",
        WholeOr("auto", Number(1, 1024, whole=True)),
        "Sentences that the engine takes at once; auto is what `narrate bench --batch-sizes` found best.",
        places=OF_MACHINE,
        late=True,
    ),
    Option(
        "api-key",
        Text("KEY", "text"),
        "Key that a speech server wants (-e http, -e openai). A table such as [engine.http] keeps it from the others.",
        places=SECRET,
        secret=True,
        late=True,
    ),
    Option(
        "max-chars",
        Number(10, 2000, metavar="N", whole=True),
        "Most characters that are spoken in one go, from 10 to 2000.",
    ),
    Option(
        "max-bytes",
        Number(1, metavar="BYTES", whole=True),
        "Longest text that is read, in bytes; otherwise 200 MB.",
        places=OF_MACHINE,
    ),
    Option(
        "store",
        File("FOLDER"),
        "Folder that keeps the finished sound of every sentence, so that it is made only once.",
        places=OF_MACHINE,
    ),
    Option("no-store", Switch(), "Keep no finished sound on the disk.", places=OF_MACHINE, default=False),
    Option(
        "fresh-takes",
        Switch(),
        "Record a sentence that occurs several times anew each time, instead of repeating one recording.",
        default=False,
    ),
    Option(
        "check",
        Switch(),
        "Have a recogniser of speech hear every sentence while the book is made, and make those again that do not say "
        "what is written (needs the package faster-whisper).",
        places=OF_MACHINE,
        default=False,
    ),
    Option(
        "recogniser",
        Text("NAME", "faster-whisper, qwen-asr, a command or an address"),
        "What hears the sound that is checked: faster-whisper or qwen-asr, with :MODEL behind it for another model; "
        "the address of a server that has /v1/audio/transcriptions; or a command. See narrate help check.",
        places=OF_MACHINE,
    ),
    Option(
        "takes",
        Number(1, 20, metavar="N", whole=True),
        "Make so many recordings of every sentence, where there is time, and keep the one in which the recogniser "
        "hears what is written best.",
        places=OF_MACHINE,
        default=1,
    ),
    Option(
        "verbose",
        Switch(),
        "Also say how quickly the sound was made, and how much of it had been made before.",
        places=OF_MACHINE,
        default=False,
    ),
    Option("quiet", Switch(), "Print errors only.", short="q", places=OF_MACHINE, default=False),
)


OPTIONS = tuple(
    replace(option, group=group)
    for group, options in zip(GROUPS, (LISTENING, WRITING, TEXT, VOICE, QWEN, ADVANCED), strict=True)
    for option in options
)
"""All of them, in the order of the help."""


SERVING = tuple(
    replace(option, group="Server", places=OF_MACHINE)
    for option in (
        Option("host", Text("ADDRESS"), "Address to serve; 0.0.0.0 is all of this machine.", default="127.0.0.1"),
        Option("port", Number(1, 65535, metavar="N", whole=True), "Port to serve.", default=8040),
        Option("token", Text(), "Password that browsers and programs must give.", secret=True),
        Option("library", File("FOLDER"), "Folder of books that listeners may choose from."),
        Option(
            "cors",
            Many(Text("ORIGIN", "the origin of a page, such as https://example.org")),
            "Let pages of this origin use the server; may be given several times.",
            default=(),
        ),
        Option(
            "wyoming",
            Text("PORT", "a port or HOST:PORT"),
            "Serve Home Assistant on this port too, or on HOST:PORT. That protocol has no password.",
        ),
    )
)
"""What only a server needs."""
SETTINGS = (*OPTIONS, *SERVING)
"""All that a settings file and the environment may hold."""


def named(*names: str) -> tuple[Option, ...]:
    """The options of these names, in that order."""
    by_name = {option.name: option for option in SETTINGS}
    return tuple(by_name[name] for name in names)
