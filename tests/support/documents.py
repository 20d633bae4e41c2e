"""A document's code, run as its reader would run it: what it says must be what happens.

Blocks are taken in their order. What each means goes by its language:

    any        beginning with `# name.ext` or `// name.ext`: saved as that file
    console    `$ saga up …`, `$ python …` and `$ node …` stay, each in a terminal of its own (`saga up` takes the place
               of the one before); what is shown below a program is there when the document ends. `$ npm install …`
               runs to its end. Other commands are not run
    sh         lines of bash, which run to their end and succeed
    json       after `sh`: its output has at least these fields, with these values
    text       after `sh`: its output has these lines, in this order, maybe with others between

`…` in an expected text stands for anything. The addresses that a document shows are those of `saga up` on a machine of
its own; here they become those of the servers that were started.
"""

import json
import os
import re
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

from support.commandline import CommandLine, Running
from support.javascript import install_packages, nodejs
from support.source import ROOT
from support.waiting import eventually

SHELL_WITHIN_S = 120.0

#: How a document writes each server's address, and the word before it in what `saga up` prints.
SHOWN = {
    "http://127.0.0.1:8700": "saga",
    "redis://127.0.0.1:6379": "Redis",
    "mongodb://127.0.0.1:27017/?replicaSet=rs0": "MongoDB",
}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"(?:#|//) ([\w.-]+\.\w+)\n")
_UP = re.compile(r"^\$ (?:\w+=\S+ )*saga up\b", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of code."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is to be saved as: its first line says it."""
        found = None if self.language in ("sh", "console") else _NAMED.match(self.text)
        return found[1] if found else None


@dataclass(frozen=True)
class Document:
    """One document of the project."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the project's root."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def blocks(self) -> Sequence[Block]:
        return [Block(language, text) for language, text in _BLOCK.findall(self.text)]

    @property
    def runs(self) -> bool:
        """Whether it tells its reader to run the service, or shows what comes of a command."""
        up = any(block.language == "console" and _UP.search(block.text) for block in self.blocks)
        return up or any(shown is not None for _, shown in self.commands())

    def written_in(self, language: str) -> Sequence[Block]:
        """The blocks of one language."""
        return [block for block in self.blocks if block.language == language]

    def commands(self) -> Iterator[tuple[Block, Block | None]]:
        """Each block of `sh`, with the one after it where that shows its output."""
        for block, after in zip_longest(self.blocks, self.blocks[1:]):
            if block.language == "sh":
                yield block, after if after is not None and after.language in ("json", "text") else None


def documents() -> Sequence[Document]:
    """Every document that the project's users read."""
    return [Document(ROOT / "README.md"), *(Document(path) for path in sorted((ROOT / "docs").glob("*.md")))]


async def replay(document: Document, line: CommandLine) -> None:
    """Do all that the document tells its reader to do, in the directory of `line`."""
    _put_programs_on_path(line)
    expected = {id(block): after for block, after in document.commands()}
    with _Reader(line) as reader:
        for block in document.blocks:
            if block.file is not None:
                (line.directory / block.file).write_text(reader.here(block.text))
            elif block.language == "console":
                await reader.read(block.text)
            elif block.language == "sh":
                reader.run(block.text, expected[id(block)])
        await reader.check_terminals()


@dataclass
class _Reader:
    """Somebody who follows a document, and has as many terminals as it takes."""

    line: CommandLine
    up: Running | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    terminals: list[tuple[Running, str]] = field(default_factory=list)
    open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()

    async def read(self, text: str) -> None:
        """A block of `console`: start what stays."""
        for prompt in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = prompt.partition("\n")
            words = shlex.split(self.here(command), comments=True)
            environment = {}
            while words and re.match(r"\w+=", words[0]):
                name, _, value = words.pop(0).partition("=")
                environment[name] = value
            if words[:2] == ["saga", "up"]:
                await self._start(words[2:], environment)
            elif words[:1] == ["python"]:
                self._open([sys.executable, *words[1:]], shown)
            elif words[:1] == ["node"]:
                self._open([*nodejs(), *words[1:]], shown)
            elif words[:1] == ["npm"]:
                install_packages(words[1:], self.line.directory)

    async def _start(self, options: Sequence[str], environment: dict[str, str]) -> None:
        if self.up is not None:
            assert self.up.end() == 0, self.up.said
        line = replace(self.line, environment=self.line.environment | environment)
        self.up = self.open.enter_context(line.running("up", "--port", "0", *options))
        await self.up.is_up()
        for shown, word in SHOWN.items():
            (self.addresses[shown],) = re.findall(rf"^  {word} +(\S+://\S+)", self.up.said, re.MULTILINE)

    def _open(self, program: Sequence[str], shown: str) -> None:
        log = f"terminal-{len(self.terminals)}"
        running = self.open.enter_context(self.line.running_program(log, program))
        self.terminals.append((running, shown))

    def run(self, script: str, expected: Block | None) -> None:
        """A block of `sh`."""
        run = self.line.shell(self.here(script), within_s=SHELL_WITHIN_S)
        assert run.returncode == 0, f"{script}\n{run.stdout}{run.stderr}"
        if expected is not None and expected.language == "json":
            assert is_shown(json.loads(run.stdout), json.loads(expected.text)), f"{script}\n{run.stdout}"
        elif expected is not None:
            # Data comes first where it is shown: what a terminal has in between is on standard error.
            assert lines_shown(run.stdout + run.stderr, expected.text), f"{script}\n{run.stdout}{run.stderr}"

    async def check_terminals(self) -> None:
        """What each of them was said to show, it shows."""
        for running, shown in self.terminals:

            def has_shown(running: Running = running, shown: str = shown) -> bool:
                assert lines_shown(running.said, shown), running.said
                return True

            await eventually(has_shown)

    def here(self, text: str) -> str:
        """The text with the addresses of the servers that run here."""
        for shown, address in self.addresses.items():
            text = text.replace(shown, address)
        return text


def is_shown(found: Any, expected: Any) -> bool:
    """Whether a JSON value has at least what was expected of it; `…` stands for anything."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(name in found and is_shown(found[name], value) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(is_shown, found, expected))
    if isinstance(expected, str):
        return expected == "…" or (isinstance(found, str) and _pattern(expected).fullmatch(found) is not None)
    return bool(found == expected) and isinstance(found, bool) is isinstance(expected, bool)


def lines_shown(found: str, expected: str) -> bool:
    """Whether the expected lines are there, in this order; `…` stands for anything."""
    printed = iter(found.splitlines())
    wanted = [_pattern(line.strip()) for line in expected.splitlines() if line.strip()]
    return all(any(pattern.fullmatch(line.strip()) for line in printed) for pattern in wanted)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("…"))), re.DOTALL)


def _put_programs_on_path(line: CommandLine) -> None:
    """`saga` and `python`, as in the virtual environment that the reader has activated."""
    programs = line.directory / "bin"
    programs.mkdir()
    for name, arguments in (("saga", "-m cli.main "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    line.environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
