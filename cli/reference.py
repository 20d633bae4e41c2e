"""The page docs/cli.md, made from the commands.

python -m cli.reference > docs/cli.md
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from cli.main import app

_OPENING = """\
# Command line

This page is made from the commands (`python -m cli.reference > docs/cli.md`); a test holds the two together, and
another runs every example through the commands' own parsers. `saga COMMAND --help` says the same.

- Commands find the service by `--url`, else by `SAGA_URL`, else by what `.saga/` says of the one that runs here. An API
  key is taken from `SAGA_API_KEY`, never from an argument, which others on the machine could see.
- Data goes to standard output, everything else to standard error. `--json` prints what the service said, for programs.
- Colours, progress bars and what moves are for terminals only; `NO_COLOR` turns the colours off.
- `saga --install-completion` makes the shell complete commands, options, and the names and ids that the service knows.

| exit code | means |
|---|---|
| 0 | it is done; of a saga that was waited for: it is completed |
| 1 | any other error; the message says what to do |
| 2 | the command line, or the data given with it, is wrong |
| 3 | the saga has ended, but not as completed |
| 4 | the saga is stuck: it waits for a person |
| 5 | there is no such saga, definition or dead letter |
| 6 | it did not end in time |
"""


def as_markdown() -> str:
    """The whole page."""
    sections = [_section(name, command) for name, command in commands()]
    return "\n".join([_OPENING, *sections])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name."""
    yield from _below("saga", get_command(app))


def examples_of(command: Any) -> list[str]:
    """The command lines that its help shows."""
    return re.findall(r"^\s*\$ (.+)$", command.epilog or "", re.MULTILINE)


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for part, one in command.commands.items():
        yield from _below(f"{name} {part}", one)


def _section(name: str, command: Any) -> str:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join([name, *(_metavar(param) for param in arguments), *(["[OPTIONS]"] if options else [])])
    rows = [f"| {_spelling(param)} | {_says(param)} |" for param in [*arguments, *options]]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    examples = ["```bash", *examples_of(command), "```", ""]
    return "\n".join([f"## {name}", "", f"`{usage}`", "", _paragraphs(command.help), "", *table, *examples])


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _spelling(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_metavar(param)}`"
    value = "" if param.is_flag else f" {_metavar(param)}"
    return ", ".join(f"`{name}{value}`" for name in param.opts)


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper().replace("_", "-"))


def _says(param: Any) -> str:
    needed = " Needed." if param.required and param.param_type_name == "option" else ""
    default = f" Default: `{param.default}`." if _has_default(param) else ""
    variable = f" Or `{param.envvar}`." if param.envvar else ""
    return f"{param.help}{needed}{default}{variable}".replace("|", "\\|")


def _has_default(param: Any) -> bool:
    return param.default not in (None, "", False) and not callable(param.default)


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
