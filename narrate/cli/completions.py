"""`narrate completions`: a script that completes commands, options and their values in a shell.

The scripts are whole words from the table of options; no key press starts Python. Names of voices are asked of narrate
when they are wanted, because an engine may be added later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from string import Template

from narrate.cli.command import Argument, Command
from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.help import COMMON
from narrate.errors import InputError
from narrate.settings.kinds import Choice, HoursOr, Kind, Many, NumberOr, Switch, WholeOr
from narrate.settings.option import Option
from narrate.settings.values import Values
from narrate.text.language import LANGUAGES

ENGINES = ("auto", "qwen", "openjtalk", "espeak")
NAMED = {
    "lang": tuple(LANGUAGES), "engine": ENGINES, "device": ("cuda", "mps", "cpu"), "cover": ("none",),
    "runtime": ("fast", "compiled", "stock"), "dtype": ("bfloat16", "float16", "float32"),
}  # fmt: skip
"""Values of options whose kind does not name them."""
VOICES = "narrate voices 2>/dev/null | cut -d' ' -f1"

BASH = Template("""\
# narrate in bash: eval "$$(narrate completions bash)"
_narrate() {
    local word=$${COMP_WORDS[COMP_CWORD]} before=$${COMP_WORDS[COMP_CWORD-1]} name=read values= files=
    local commands="$commands"
    case " $$commands " in *" $${COMP_WORDS[1]} "*) [ "$$COMP_CWORD" -gt 1 ] && name=$${COMP_WORDS[1]} ;; esac
    case "$$before" in =) before=$${COMP_WORDS[COMP_CWORD-2]} ;; esac
    [ "$$word" = = ] && { before=$${COMP_WORDS[COMP_CWORD-1]}; word=; }
    case "$$name $$before" in
$values
    *)
        case "$$word" in
        -*)
            case "$$name" in
$flags
            esac ;;
        *)
            case "$$name" in
$words
            *) files=yes ;;
            esac
            [ "$$COMP_CWORD" -eq 1 ] && values="$$values $$commands" files=yes ;;
        esac ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$$values" -- "$$word"; [ -n "$$files" ] && compgen -f -- "$$word")
    [ -n "$$files" ] && compopt -o filenames 2>/dev/null
    return 0
}
complete -F _narrate narrate
""")
ZSH = Template("""\
#compdef narrate
# narrate in zsh: narrate completions zsh > a folder of $$fpath, under the name _narrate
_narrate_voices() {
    compadd -- $${(f)"$$($voices)"}
}
_narrate() {
    local -a commands
    commands=(
$commands
    )
    if (( CURRENT == 2 )) && [[ $$words[2] != -* ]]; then
        _describe -t commands command commands
        _files
        return
    fi
    case $$words[2] in
$cases
    esac
}
if [[ $$funcstack[1] == _narrate ]]; then _narrate "$$@"; else compdef _narrate narrate; fi
""")
FISH_HEAD = """\
# narrate in fish: narrate completions fish > ~/.config/fish/completions/narrate.fish
complete -c narrate -e
function __narrate_named
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end
"""


def bash() -> str:
    flags, values, words = [], [], []
    for name, command in _all():
        every = [*command.flags, *_common(name)]
        spelled = [f"-{option.short}" for option in every if option.short]
        spelled += [flag for option in every for flag in (option.flag, option.negative) if flag]
        flags.append(f'            {name}) values="{" ".join(spelled)}" ;;')
        words += [
            f"            {name}) values={_quoted(COMMANDS)} ;;" for each in command.arguments if _is_command(each)
        ]
        for option in every:
            if not isinstance(option.kind, Switch):
                patterns = "|".join(f'"{name} {flag}"' for flag in _spellings(option))
                values.append(f"    {patterns}) {_bash_value(option)} ;;")
    return BASH.substitute(
        commands=" ".join(COMMANDS), flags="\n".join(flags), values="\n".join(values), words="\n".join(words)
    )


def _bash_value(option: Option) -> str:
    known, files = _choices(option), _names_files(option.kind)
    if option.name == "voice":
        return f'values="$({VOICES})"'
    parts = [f"values={_quoted(known)}"] * bool(known) + ["files=yes"] * files
    return "; ".join(parts) or ":"


def zsh() -> str:
    cases = []
    for name, command in _all():
        lines = [f"        {'*' if name == READ else name})", "            _arguments -s -S \\"]
        for option in [*command.flags, *_common(name)]:
            lines += [f"                {spec} \\" for spec in _zsh_option(option)]
        lines += ["                '*: :_files' ;;" if not any(map(_is_command, command.arguments)) else
                  f"                '*: :({' '.join(COMMANDS)})' ;;"]  # fmt: skip
        cases.append("\n".join(lines))
    cases.append(cases.pop(0))  # reading is what is left
    commands = "\n".join(f"        '{name}:{_plain(summary)}'" for name, summary in COMMANDS.items())
    return ZSH.substitute(commands=commands, voices=VOICES, cases="\n".join(cases))


def _zsh_option(option: Option) -> Iterator[str]:
    many = "*" * isinstance(option.kind, Many)
    for flag in (*_spellings(option), option.negative):
        if not flag:
            continue
        text = f"{many}{flag}[{_plain(option.help)}]"
        if isinstance(option.kind, Switch):
            yield f"'{text}'"
            continue
        known = f"({' '.join(_choices(option))})" if _choices(option) else ""
        action = "_narrate_voices" if option.name == "voice" else known
        action = action or ("_files" if _names_files(option.kind) else " ")
        yield f"'{text}:{_plain(option.kind.metavar)}:{action}'"


def fish() -> str:
    lines = [FISH_HEAD]
    named = " ".join(COMMANDS)
    for name, summary in COMMANDS.items():
        lines.append(f"complete -c narrate -n 'test (count (commandline -opc)) -eq 1' -a {name} -d '{_plain(summary)}'")
    for name, command in _all():
        where = f"not __narrate_named {named}" if name == READ else f"__narrate_named {name}"
        for option in [*command.flags, *_common(name)]:
            short = f" -s {option.short}" if option.short else ""
            text = f"complete -c narrate -n '{where}'{short} -l {option.name} -d '{_plain(option.help)}'"
            if not isinstance(option.kind, Switch):
                text += " -r"
                if option.name == "voice":
                    text += f' -f -a "({VOICES})"'
                elif known := _choices(option):
                    text += f"{'' if _names_files(option.kind) else ' -f'} -a '{' '.join(known)}'"
                elif not _names_files(option.kind):
                    text += " -f"
            lines.append(text)
            if option.negative:
                lines.append(f"complete -c narrate -n '{where}' -l {option.negative[2:]} -d '{_plain(option.help)}'")
    return "\n".join(lines) + "\n"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def _all() -> Iterator[tuple[str, Command]]:
    yield from ((name, find_command(name)) for name in (READ, *COMMANDS))


def _common(name: str) -> list[Option]:
    return [option for option in COMMON if name == READ or option.name in ("debug", "help")]


def _spellings(option: Option) -> list[str]:
    return [*([f"-{option.short}"] if option.short else []), option.flag]


def _choices(option: Option) -> tuple[str, ...]:
    if option.name in NAMED:
        return NAMED[option.name]
    kind = option.kind.one if isinstance(option.kind, Many) else option.kind
    return (
        kind.names
        if isinstance(kind, Choice | HoursOr | NumberOr)
        else (kind.word,)
        if isinstance(kind, WholeOr)
        else ()
    )


def _names_files(kind: Kind) -> bool:
    return kind.metavar.startswith(("FILE", "FOLDER", "OLD"))


def _is_command(argument: Argument) -> bool:
    return argument.metavar == "COMMAND"


def _quoted(words: Iterable[str]) -> str:
    return f'"{" ".join(words)}"'


def _plain(text: str) -> str:
    """A help text without the marks that shells read in quotes."""
    for mark in "'`\"$\\[]:":
        text = text.replace(mark, {"`": "", ":": " -", "[": "(", "]": ")"}.get(mark, ""))
    return text


def completions(values: Values) -> None:
    shell = values["shell"]
    if shell not in SHELLS:
        raise InputError(f"narrate completes words in {', '.join(SHELLS)}, not in {shell}.")
    print(SHELLS[shell](), end="")


COMMAND = Command(
    run=completions,
    arguments=(Argument("shell", "SHELL", "bash, zsh or fish."),),
    details='bash: write eval "$(narrate completions bash)" into ~/.bashrc.\n'
    "zsh: narrate completions zsh > a folder of $fpath, under the name _narrate.\n"
    "fish: narrate completions fish > ~/.config/fish/completions/narrate.fish",
)
