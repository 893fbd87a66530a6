"""Settings: one table, four places and a server's request; the nearest place to the listener wins."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from narrate.cli.config import _pattern
from narrate.errors import InputError
from narrate.settings.kinds import Switch
from narrate.settings.layers import of_book, of_environment, of_request, of_user, read_settings
from narrate.settings.option import ANYWHERE, OF_BOOK, ONCE, Place
from narrate.settings.table import GROUPS, OPTIONS, named
from narrate.settings.values import Layer, Setting, Values
from tests.recorded import alsa_recorder

STORY = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"
# What each setting that may be set anywhere is set to: in TOML, as a word, and as the value that comes of both.
SET = {
    "speed": ("1.25", "1.25", 1.25),
    "split": ('"chapter"', "chapter", "chapter"),
    "subtitles": ('["srt", "lrc"]', "srt,lrc", ("srt", "lrc")),
    "narrator": ('"Ann"', "Ann", "Ann"),
    "bitrate": ("96", "96", 96),
    "loudness": ("-19", "-19", -19.0),
    "footnotes": ('"inline"', "inline", "inline"),
    "code": ('"announce"', "announce", "announce"),
    "alt": ("true", "yes", True),
    "tables": ('"headed"', "headed", "headed"),
    "announce": ("true", "on", True),
    "ruby": ('"base"', "base", "base"),
    "ruby-memory": ("false", "off", False),
    "mixed": ("true", "yes", True),
    "normalize": ("true", "1", True),
    "engine": ('"tone"', "tone", "tone"),
    "voice": ('"high"', "high", "high"),
    "seed": ("7", "7", 7),
    "instruct": ('"calmly"', "calmly", "calmly"),
    "describe": ('"an old man"', "an old man", "an old man"),
    "ref-text": ('"hello"', "hello", "hello"),
    "temperature": ("0.8", "0.8", 0.8),
    "top-k": ("20", "20", 20),
    "top-p": ("0.9", "0.9", 0.9),
    "repetition-penalty": ("1.1", "1.1", 1.1),
    "max-chars": ("100", "100", 100),
    "fresh-takes": ("true", "on", True),
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings file, empty."""
    path = tmp_path / "user" / "config.toml"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setenv("NARRATE_CONFIG", str(path))
    return path


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book in a folder of its own."""
    path = tmp_path / "shelf" / "book.txt"
    path.parent.mkdir()
    path.write_text(STORY.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def narrate(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=os.environ | more, check=False
    )


def refusal(path: Path, text: str, place: Place = Place.USER) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_settings(path, place)
    said = str(refused.value)
    assert str(path) in said
    assert "\n" not in said
    return said


# --- the same setting from every place -----------------------------------------------------------------------------


def test_the_table_of_this_test_is_whole() -> None:
    assert {option.name for option in OPTIONS if option.places == ANYWHERE} == SET.keys()


@pytest.mark.parametrize("name", SET)
def test_the_same_setting_from_flag_environment_book_user_and_request(
    name: str, user: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml, word, value = SET[name]
    (option,) = named(name)
    assert option.read(word, option.flag) == value
    monkeypatch.setenv(option.variable, word)
    user.write_text(f"{name} = {toml}\n" if name not in ("engine", "voice") else f"[{name}]\ndefault = {toml}\n")
    (book.parent / "narrate.toml").write_text(f"{name} = {toml}\n")
    asked = list(value) if isinstance(value, tuple) else value
    for layer in (of_environment(), of_book(str(book)), of_user(), of_request({name: asked})):
        assert Values(OPTIONS, [layer])[name] == value
        assert layer.settings.keys() == {name}


def test_the_nearest_place_wins_and_is_named(user: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text("speed = 0.6\nseed = 1\nmixed = true\nmax-chars = 50\n")
    (book.parent / "narrate.toml").write_text("speed = 0.7\nseed = 2\nmixed = false\n")
    monkeypatch.setenv("NARRATE_SPEED", "0.8")
    monkeypatch.setenv("NARRATE_SEED", "3")
    flags = Layer({"speed": Setting(0.9, Place.COMMAND, "--speed")})
    values = Values(OPTIONS, [flags, of_environment(), of_user()]).beside(str(book))
    assert [values[name] for name in ("speed", "seed", "mixed", "max-chars", "quiet")] == [0.9, 3, False, 50, False]
    where = [values.setting(name).where for name in ("speed", "seed", "mixed", "max-chars", "quiet")]
    assert where == ["--speed", "NARRATE_SEED", str(book.parent / "narrate.toml"), str(user), ""]
    assert values.commanded("speed")
    assert not values.commanded("seed")


def test_a_server_has_the_same_table(user: Path) -> None:
    """A request before the user's settings; what is wrong in it is said as everywhere else."""
    user.write_text('speed = 0.6\nstore = "takes"\n[voice.ja]\nvoice = "high"\n')
    asked = of_request({"engine": "tone", "speed": 1.5, "lang": "ja", "chapters": "2-3", "subtitles": ["srt"]})
    values = Values(OPTIONS, [asked, of_environment(), of_user()])
    spoken = values.speaking(values["lang"], choose=lambda language: "espeak")
    found = {name: spoken[name] for name in ("engine", "voice", "speed", "chapters", "subtitles")}
    assert found == {"engine": "tone", "voice": "high", "speed": 1.5, "chapters": "2-3", "subtitles": ("srt",)}
    assert values["store"] == user.parent / "takes"
    for wishes, words in [
        ({"speed": "1.5"}, 'the request: speed must be a number from 0.5 to 2, not "1.5".'),
        ({"sped": 1.5}, "Did you mean speed?"),
        ({"store": "/"}, "store cannot be set here"),
        ({"ref-audio": "/etc/passwd"}, "ref-audio cannot be set here"),
        ({"dict": "/etc/passwd"}, "dict cannot be set here"),
        ({"cover": "/etc/passwd"}, "cover cannot be set here"),
        ({"output": ["x.wav"]}, "output cannot be set here"),
    ]:
        with pytest.raises(InputError, match=re.escape(words)):
            of_request(wishes)


def test_a_request_names_no_file_and_nothing_of_the_machine() -> None:
    for option in OPTIONS:
        if option.kind.metavar in ("FILE", "FOLDER") or option.name in ("model", "device", "runtime", "sound-device"):
            assert Place.REQUEST not in option.places, option.name


def test_a_file_beside_a_book_decides_nothing_about_the_machine() -> None:
    for name in ("store", "no-store", "model", "device", "runtime", "batch-size", "sound-device", "output", "force"):
        (option,) = named(name)
        assert Place.BOOK not in option.places, name


# --- tables for an engine, a language, a voice ------------------------------------------------------------------------


def spoken(language: str, *layers: Layer, auto: str = "espeak") -> Values:
    return Values(OPTIONS, layers).speaking(language, lambda _: auto)


def test_the_more_particular_table_wins(user: Path) -> None:
    user.write_text(
        "speed = 0.6\nseed = 1\ntemperature = 0.1\ntop-k = 1\n"
        "[engine.qwen]\nspeed = 0.7\nseed = 2\ntemperature = 0.2\n"
        "[voice.ja]\nspeed = 0.8\nseed = 3\n"
        "[voice.ono_anna]\nspeed = 0.9\n"
        "[voice.en]\nspeed = 2.0\n[voice.ryan]\nspeed = 2.0\n[engine.espeak]\nspeed = 2.0\n"
    )
    flags = Layer({name: Setting(value, Place.COMMAND) for name, value in (("voice", "ono_anna"), ("engine", "qwen"))})
    values = spoken("ja", flags, of_user())
    assert [values[name] for name in ("speed", "seed", "temperature", "top-k")] == [0.9, 3, 0.2, 1]


def test_a_nearer_place_wins_over_a_table(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text("[voice.ja]\nspeed = 0.8\nseed = 3\n")
    monkeypatch.setenv("NARRATE_SPEED", "1.5")
    values = spoken("ja", of_environment(), of_user())
    assert (values["speed"], values["seed"]) == (1.5, 3)
    assert (spoken("en", of_environment(), of_user())["seed"]) == 0


def test_a_language_chooses_the_engine_whose_table_then_holds(user: Path) -> None:
    user.write_text(
        '[voice.ja]\nengine = "tone:rtf=1"\n[engine.tone]\nvoice = "high"\nseed = 4\n[engine.espeak]\nseed = 5\n'
        "[voice.high]\nspeed = 1.5\n"
    )
    values = spoken("ja", of_user())
    assert [values[name] for name in ("engine", "voice", "seed", "speed")] == ["tone:rtf=1", "high", 4, 1.5]
    assert spoken("en", of_user())["seed"] == 5  # what "auto" means
    assert spoken("en", of_user(), auto="qwen")["seed"] == 0


def test_a_default_stands_beside_tables(user: Path) -> None:
    user.write_text('[voice]\ndefault = "ryan"\n[voice.ja]\nvoice = "mei"\n[engine]\ndefault = "qwen"\n')
    assert (spoken("ja", of_user())["voice"], spoken("en", of_user())["voice"]) == ("mei", "ryan")
    assert spoken("en", of_user())["engine"] == "qwen"


def test_the_table_of_a_voice_holds_though_nobody_asked_for_it(user: Path, tmp_path: Path) -> None:
    """The usual voice of the engine has a name, too."""
    import soundfile

    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "plain.wav").returncode == 0
    user.write_text("[voice.low]\nspeed = 2.0\n[voice.high]\nspeed = 0.5\n")
    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "fast.wav").returncode == 0
    plain, fast = (soundfile.info(tmp_path / f"{name}.wav").duration for name in ("plain", "fast"))
    assert fast == pytest.approx(plain / 2, rel=0.01)


# --- what is wrong is said, with the file and the nearest name --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sped = 1", "there is no setting 'sped'. Did you mean speed?"),
        ("batch_size = 3", "Did you mean batch-size?"),
        ("xyzzy = 3", "There are: "),
        ('speed = "fast"', 'speed must be a number from 0.5 to 2, not "fast".'),
        ("speed = true", "speed must be a number from 0.5 to 2, not true."),
        ("seed = 1.5", "seed must be a whole number, not 1.5."),
        ('mixed = "yes"', 'mixed must be true or false, not "yes".'),
        ('voice = ""', 'voice must be the name of a voice, not "".'),
        ('subtitles = ["srt", "doc"]', 'must be srt, vtt, lrc or json, or a list of such, not ["srt", "doc"].'),
        ('output = "x.wav"', "output cannot be set here. Use --output on the command line."),
        ('title = "x"', "title cannot be set here. Write it into narrate.toml beside the book, or use --title."),
        ("[voice.jp]", "'jp' is not a language that narrate speaks. Choose one of ja, en,"),
        ("[voice.ono_ana]", "there is no voice 'ono_ana'. Did you mean ono_anna?"),
        ("[engine.quen]", "there is no engine 'quen'. Did you mean qwen?"),
        ('[engine.qwen]\nengine = "tone"', "[engine.qwen]"),
        ('[voice.ja]\nmixed = true', "mixed cannot be set in this table. Write it at the top of the file."),
        ('[voice.mei]\nvoice = "low"', "voice cannot be set in this table"),
        ('[voice.ja]\nsped = 1', "[voice.ja]"),
        ('voice.ja = "mei"', "voice.ja must be a table."),
        ("[speed]\nja = 1", "speed must be a number from 0.5 to 2, not"),
        ("speed = ", "is not a valid settings file"),
        ('voice = "ryan"\n[voice.ja]\nspeed = 1', "the voice for all else is `default` in a table [voice]."),
        ('engine = "qwen"\n[voice.ja]\nvoice = "x"\n[engine.qwen]', "`default` in a table [engine]."),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file(text: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(tmp_path / "config.toml", text)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for data, words in ((b"voice = '\xff'", "not UTF-8"), (b"# " + b"x" * (1 << 20), "too large")):
        path.write_bytes(data)
        with pytest.raises(InputError, match=words):
            read_settings(path, Place.USER)
    path.write_bytes(b"\xef\xbb\xbfspeed = 1.5\r\n")  # as Windows' Notepad writes it
    assert read_settings(path, Place.USER).settings["speed"].value == 1.5


def test_what_is_about_the_machine_has_its_place_in_the_users_file(tmp_path: Path, user: Path) -> None:
    said = refusal(tmp_path / "narrate.toml", 'store = "/"', Place.BOOK)
    assert f"Write it into your own settings file, {user}, or use --store." in said


def test_a_variable_that_is_nearly_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARRATE_SERVICE_HOST", "10.0.0.1")  # as Kubernetes sets them
    assert of_environment() == Layer()
    monkeypatch.setenv("NARRATE_SPED", "1.5")
    with pytest.raises(InputError, match=r"no variable NARRATE_SPED\. Did you mean NARRATE_SPEED\?"):
        of_environment()
    monkeypatch.delenv("NARRATE_SPED")
    monkeypatch.setenv("NARRATE_SPEED", "fast")
    with pytest.raises(InputError, match=r"NARRATE_SPEED must be a number from 0\.5 to 2, not fast\."):
        of_environment()


def test_what_is_for_one_command_only_is_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARRATE_FORCE", "1")
    assert of_environment() == Layer()


def test_a_settings_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARRATE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="does not exist"):
        of_user()


def test_files_are_named_from_where_the_settings_stand(user: Path, book: Path) -> None:
    (book.parent / "narrate.toml").write_text('dict = "names.txt"\ncover = "none"\n')
    values = Values(OPTIONS, [of_user()]).beside(str(book))
    assert values["dict"] == book.parent / "names.txt"
    assert values["cover"] == "none"


def test_standard_input_has_no_book_s_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("narrate.toml").write_text("speed = 2.0\n")
    assert of_book("-") == Layer()
    assert of_book("book.txt").settings["speed"].value == 2.0


# --- the command ------------------------------------------------------------------------------------------------------


def test_an_exported_book_follows_the_files(user: Path, book: Path, tmp_path: Path) -> None:
    """Real files, real sound: twice the speed halves the length, and the book's title is what its folder says."""
    import soundfile

    def seconds(name: str, *arguments: object, **more: str) -> float:
        done = narrate(book, "-o", tmp_path / name, *arguments, **more)
        assert done.returncode == 0, done.stderr
        return float(soundfile.info(tmp_path / name).duration)

    user.write_text('[voice.en]\nengine = "tone"\n')
    plain = seconds("plain.flac")
    user.write_text('[voice.en]\nengine = "tone"\nspeed = 2.0\n[voice.ja]\nspeed = 0.5\n')
    assert seconds("user.flac") == pytest.approx(plain / 2, rel=0.01)
    (book.parent / "narrate.toml").write_text('title = "The Lamp"\nauthor = "A. Keeper"\nspeed = 1.5\n')
    assert seconds("book.flac") == pytest.approx(plain / 1.5, rel=0.01)
    assert seconds("environment.flac", NARRATE_SPEED="1.25") == pytest.approx(plain / 1.25, rel=0.01)
    assert seconds("flag.flac", "--speed", 1, NARRATE_SPEED="1.25") == pytest.approx(plain, rel=0.01)
    with soundfile.SoundFile(tmp_path / "flag.flac") as written:
        assert (written.title, written.artist) == ("The Lamp", "A. Keeper")


FILES = 'subtitles = ["srt"]\nloudness = -30\nsplit = "chapter"\n'


def test_what_is_set_for_files_keeps_nobody_from_listening_or_piping(user: Path, book: Path, tmp_path: Path) -> None:
    recorder = alsa_recorder(tmp_path, paced=False)
    user.write_text(FILES)
    heard = narrate(book, "-e", "tone", "--from", "2", **recorder.env)
    assert heard.returncode == 0, heard.stderr
    assert not list(book.parent.glob("*.srt"))
    target = tmp_path / "piped.wav"
    with target.open("wb") as out:
        command = [sys.executable, "-m", "narrate", str(book), "-e", "tone", "-q", "-o", "-"]
        assert subprocess.run(command, stdout=out, check=False).returncode == 0
    assert target.stat().st_size > 100_000
    written = narrate(book, "-e", "tone", "-q", "-o", tmp_path / "out.epub")
    assert written.returncode == 0, written.stderr
    written = narrate(book, "-e", "tone", "-q", "-o", tmp_path / "out.mp3")
    assert written.returncode == 0, written.stderr
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".mp3", ".m3u8", ".srt"}
    for asked in (("--subtitles", "srt"), ("--loudness", "-30"), ("--split", "chapter")):
        assert f"{asked[0]} needs" in narrate(book, "-e", "tone", *asked).stderr


def test_chunks_are_cut_for_the_engine_of_their_language(user: Path, book: Path) -> None:
    plain = narrate("chunks", book, "-e", "espeak").stdout
    for_another = narrate("chunks", book, "-e", "qwen").stdout
    assert plain != for_another
    for text, wanted in (
        ('[voice.en]\nengine = "qwen"\n', for_another),
        ('[voice.ja]\nengine = "qwen"\n[engine]\ndefault = "espeak"\n', plain),
    ):
        user.write_text(text)
        assert narrate("chunks", book).stdout == wanted
    user.write_text('[voice.en]\nengine = "espeak"\n')
    (book.parent / "narrate.toml").write_text('[voice.en]\nengine = "qwen"\n')
    assert narrate("chunks", book).stdout == for_another
    assert narrate("chunks", book, "-e", "espeak").stdout == plain


def test_a_wrong_file_is_one_line_and_code_2(user: Path, tmp_path: Path) -> None:
    user.write_text("sped = 1\n")
    for arguments in (STORY, "-o", tmp_path / "x.wav"), ("chunks", STORY), ("books",), ("config",):
        done = narrate(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"narrate: {user}: there is no setting 'sped'. Did you mean speed?\n"
    assert narrate("--help").returncode == 0
    assert narrate("devices", "--help").returncode == 0
    assert not list(tmp_path.glob("x.wav"))


def test_a_switch_of_the_file_is_switched_off_by_its_negative(user: Path) -> None:
    user.write_text("ruby-memory = false\nmixed = true\n")
    for option in OPTIONS:
        may = isinstance(option.kind, Switch) and option.places != ONCE and not option.name.startswith("no-")
        assert option.negative == (f"--no-{option.name}" if may else "")
    assert narrate("chunks", STORY, "--no-mixed", "--ruby-memory").returncode == 0


def test_config_shows_what_holds_and_from_where(user: Path, book: Path) -> None:
    user.write_text('speed = 1.2\ntop-k = 5\n[voice]\ndefault = "ryan"\n[voice.ja]\nvoice = "mei"\n')
    (book.parent / "narrate.toml").write_text('title = "The Lamp"\ntop-k = 6\n')
    done = narrate("config", book, NARRATE_MIXED="yes")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    for name, value, where in [
        ("speed", "1.2", user), ("top-k", "6", book.parent / "narrate.toml"), ("mixed", "true", "NARRATE_MIXED"),
        ("title", '"The Lamp"', book.parent / "narrate.toml"),
    ]:  # fmt: skip
        assert re.fullmatch(rf"{name} +{re.escape(value)} +{re.escape(str(where))}", rows[name])
    assert "[voice.ja]" in rows
    assert "seed" not in rows
    assert "seed" in narrate("config", "--all").stdout
    assert "there is no setting" not in done.stderr


def test_edit_opens_a_file_with_every_setting_in_it_and_checks_what_came_of_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    where: dict[str, Any] = {"NARRATE_CONFIG": str(path), "VISUAL": ""}
    done = narrate("config", "--edit", **where, EDITOR="sed -i 's/^# speed = 1.0$/speed = 1.5/'")
    assert done.returncode == 0, done.stderr
    assert read_settings(path, Place.USER).settings["speed"].value == 1.5
    done = narrate("config", "--edit", **where, EDITOR="sed -i s/^speed/sped/")
    assert done.returncode == 2
    assert "Did you mean speed?" in done.stderr
    assert narrate("config", "--edit", **where, EDITOR="false").returncode == 1
    assert narrate("config", "--edit", **where, EDITOR="no-such-editor").returncode == 1


def test_the_file_that_is_edited_names_every_setting_with_a_default_that_holds(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    names = []
    for line in _pattern().splitlines():
        if found := re.fullmatch(r"# ([a-z-]+) = (?!#)(.*)", line):
            names.append(found[1])
            if found[1] not in ("engine", "speed") or not names.count(found[1]) > 1:
                path.write_text(line.removeprefix("# "))
                read_settings(path, Place.USER)
    mine = [option for option in OPTIONS if Place.USER in option.places]
    assert set(names) >= {option.name for option in mine if option.default is not None}
    assert all(f"# {option.name} = " in _pattern() for option in mine)
    path.write_text(_pattern())
    assert read_settings(path, Place.USER) == Layer()


def test_every_option_has_a_group_and_a_sentence() -> None:
    assert {option.group for option in OPTIONS} == set(GROUPS)
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    shorts = [option.short for option in OPTIONS if option.short]
    assert len(set(shorts)) == len(shorts)
    for option in OPTIONS:
        assert re.fullmatch(r"[A-Z0-9].*\.", option.help), option.help
    assert any(option.places == OF_BOOK for option in OPTIONS)


# --- what was set for all books, and an engine that cannot follow it --------------------------------------------------


def test_what_is_set_for_one_engine_does_not_keep_another_from_speaking(user: Path, tmp_path: Path) -> None:
    user.write_text('temperature = 0.7\nmodel = "1.7B"\ninstruct = "calmly"\nref-text = "words"\n')
    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "a.wav").returncode == 0
    for flag, value in (("--temperature", "0.7"), ("--instruct", "calmly")):
        refused = narrate(STORY, "-e", "tone", "-o", tmp_path / "b.wav", flag, value)
        assert refused.returncode == 2
        assert flag in refused.stderr
        assert "qwen" in refused.stderr


def test_a_voice_that_is_set_for_all_books_and_that_an_engine_does_not_have(user: Path, tmp_path: Path) -> None:
    user.write_text('voice = "ryan"\n')
    refused = narrate(STORY, "-e", "tone", "-o", tmp_path / "a.wav")
    assert refused.returncode == 2
    assert f"{user}: the voice ryan is set, but tone, which reads this book, does not have it." in refused.stderr
    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "a.wav", "-v", "high").returncode == 0


def test_a_folder_for_takes_is_nearer_than_no_folder(user: Path, tmp_path: Path) -> None:
    user.write_text("no-store = true\n")
    kept = tmp_path / "kept"
    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "a.wav", NARRATE_STORE=str(kept)).returncode == 0
    assert any(kept.rglob("*.flac"))
    user.write_text(f'store = "{tmp_path / "unused"}"\n')
    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "b.wav", "--no-store").returncode == 0
    assert not (tmp_path / "unused").exists()
