"""The README tells the truth: its commands run, its answers come, its code builds, its links and settings exist."""

import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sagas
import sagas.order
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings
from support.commandline import CommandLine
from support.source import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
CLIENTS_VARIABLES = {"SAGA_URL", "SAGA_API_KEY"}


def named(code: str) -> str | None:
    """The file that a block is to be saved as: its first line says it."""
    found = re.match(r"# (\w+\.py)\n", code)
    return found[1] if found else None


def shell() -> Iterator[tuple[str, dict[str, object] | None]]:
    """Each block of commands, with the answer that the README shows after it."""
    for position, (language, code) in enumerate(BLOCKS):
        if language == "sh":
            following = BLOCKS[position + 1] if position + 1 < len(BLOCKS) else ("", "")
            yield code, json.loads(following[1]) if following[0] == "json" else None


@pytest.mark.timeout(240)
@pytest.mark.skipif(not shutil.which("curl"), reason="the README's examples use curl")
async def test_every_command_runs_and_gets_the_answer_that_is_shown(server_directory: Path) -> None:
    line = CommandLine(server_directory, {"SAGA_DEFINITIONS": "sagas.order,gift"})
    for code in PYTHON:
        if name := named(code):
            (server_directory / name).write_text(code)
    _put_saga_on_path(line)
    with line.running("up", "--port", "0", "--participant", "points:points") as up:
        await up.is_up()
        url = line.service()["url"]
        for code, expected in shell():
            run = line.shell(code.replace("http://127.0.0.1:8700", url))
            assert run.returncode == 0, f"{code}\n{run.stdout}{run.stderr}"
            if expected is not None:
                answer = json.loads(run.stdout)
                assert {key: answer[key] for key in expected} == expected


def _put_saga_on_path(line: CommandLine) -> None:
    command = line.directory / "bin" / "saga"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli.main "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    line.environment["PATH"] = f"{command.parent}{os.pathsep}{os.environ['PATH']}"


def test_the_commands_include_an_order_of_each_kind() -> None:
    curls = [code for code, answer in shell() if code.startswith("curl ") and answer]

    assert len(curls) == 3
    for name in ("alice", "boots", "sold-out", "broke"):
        assert any(f'"{name}"' in code for code in curls)


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: named(code) or "first screen")
def test_python_code_compiles(code: str) -> None:
    compile(code, "README.md", "exec")


def test_the_saga_on_the_first_screen_is_the_one_that_runs() -> None:
    shown = {**vars(sagas), **vars(sagas.order)}
    shown.pop("order")

    exec(PYTHON[0], shown)  # noqa: S102 - our own text

    assert shown["order"].fingerprint == sagas.order.order.fingerprint
    assert [step.timeout_s for step in shown["order"].steps] == [step.timeout_s for step in sagas.order.order.steps]


def test_every_setting_that_is_named_exists_with_the_default_that_is_shown() -> None:
    known = {**ParticipantSettings.model_fields, **Settings.model_fields}
    table = dict(re.findall(r"^\| `(SAGA_\w+)` \| (?:`([^`]*)`)? ?\|", README, re.MULTILINE))

    assert len(table) > 5
    for variable in set(re.findall(r"SAGA_[A-Z_]+", README)) - CLIENTS_VARIABLES:
        assert variable.removeprefix("SAGA_").lower() in known, variable
    for variable, default in table.items():
        if default:
            assert str(known[variable.removeprefix("SAGA_").lower()].default) == default


def test_every_file_that_is_linked_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
