"""The commands' help: every example can be typed, and docs/cli.md says what the commands are."""

import shlex
from itertools import pairwise
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app
from cli.reference import as_markdown, commands, examples_of
from support.commandline import CommandLine
from support.saga_command import saga
from support.scripted import saga_json, scripted_service
from support.source import ROOT

ALL = dict(commands())
EXAMPLES = [(name, example) for name, command in ALL.items() for example in examples_of(command)]


def words(example: str) -> list[str]:
    """The words of `saga …` in a line of shell: without what is before, piped or redirected."""
    line = example.removeprefix('eval "$(').removesuffix(')"')
    found = shlex.split(line)
    end = next((place for place, word in enumerate(found) if word in ("|", ">", "<")), len(found))
    return found[found.index("saga") + 1 : end]


def parse(command: Any, name: str, arguments: list[str]) -> None:
    """Have the command read them as it would before it runs."""
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, list(arguments))


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=lambda text: text)
def test_every_example_is_a_valid_command_line(name: str, example: str) -> None:
    parse(get_command(app), "saga", words(example))


def test_an_example_that_is_wrong_would_be_noticed() -> None:
    with pytest.raises(Exception, match="--folow"):
        parse(get_command(app), "saga", ["show", "ID", "--folow"])


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_a_help_with_examples_of_its_own(name: str) -> None:
    result = saga(*name.split()[1:], "--help")

    assert result.exit_code == 0
    assert "Examples:" in result.stdout
    assert any(f"$ {name}" in f"$ {example}" or f"$({name}" in example for example in examples_of(ALL[name]))
    assert saga(*name.split()[1:], "-h").stdout == result.stdout


@pytest.mark.parametrize("name", ["", "dead-letters", "definitions", "key"])
def test_a_group_without_a_command_says_which_there_are(name: str) -> None:
    result = saga(*name.split())
    below = [whole.split()[len(name.split()) + 1] for whole in ALL if whole.startswith(f"saga {name}".rstrip())]
    assert all(part in result.output for part in below)
    assert "Examples:" in result.output


def test_the_page_says_what_the_commands_are() -> None:
    # Made anew by: python -m cli.reference > docs/cli.md
    assert (ROOT / "docs" / "cli.md").read_text() == as_markdown()


@pytest.mark.parametrize("command", [("up",), ("chaos", "run")])
def test_help_fills_the_terminal_whatever_its_source_looks_like(command: tuple[str, ...]) -> None:
    said = saga(*command, "--help", COLUMNS="120", TERMINAL_WIDTH="120").stdout
    about = [line.strip() for line in said.partition("╭")[0].splitlines()]
    broken = [(line, following.split()[0]) for line, following in pairwise(about) if line and following]
    assert broken, said
    assert all(len(f"{line} {word}") > 110 for line, word in broken), said


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("saga canc", "cancel"),
        ("saga show o", "one"),
        ("saga start o", "order"),
        ("saga ls --status st", "stuck"),
        ("saga dead-letters redrive a", "a" * 32),
    ],
)
def test_the_shell_completes_commands_names_and_ids(typed: str, offered: str, tmp_path: Any) -> None:
    letter = {"id": "a" * 32, "stream": "saga.replies", "entry_id": "1-1", "at": "2030-01-01T12:00:00Z"}
    rest = {"saga_id": None, "type": None, "truncated": False, "redrives": 0, "redriven_at": None, "redriven_by": None}
    summary = {"name": "order", "version": 1, "fingerprint": "f", "steps": [], "pivot": None}
    with scripted_service() as service:
        service.on("GET /v1/sagas", {"items": [saga_json()], "next": None})
        service.on("GET /v1/definitions", {"items": [summary]})
        service.on("GET /v1/dead-letters", {"items": [letter | rest | {"reason": "unreadable"}], "next": None})
        asking = {"_SAGA_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        result = CommandLine(tmp_path, {"SAGA_URL": service.url, **asking}).run()

    assert offered in result.stdout.split(), result.stderr


def test_a_search_that_takes_long_offers_nothing(tmp_path: Any) -> None:
    with scripted_service() as service:
        service.on("GET /v1/sagas", {"items": [], "next": "for-ever"})
        asking = {"_SAGA_COMPLETE": "complete_bash", "COMP_WORDS": "saga show o", "COMP_CWORD": "2"}
        result = CommandLine(tmp_path, {"SAGA_URL": service.url, **asking}).run()

    assert (result.stdout.strip(), result.stderr) == ("", "")


def test_without_a_service_nothing_is_completed_and_nothing_said(tmp_path: Any) -> None:
    asking = {"_SAGA_COMPLETE": "complete_bash", "COMP_WORDS": "saga show ", "COMP_CWORD": "2"}
    for url in ({"SAGA_URL": "http://127.0.0.1:9"}, {"SAGA_URL": "nonsense"}, {}):
        result = CommandLine(tmp_path, url | asking).run()
        assert (result.stdout.strip(), result.stderr) == ("", "")
