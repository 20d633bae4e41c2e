"""The `saga` command as its users run it: processes of its own, in a directory of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.waiting import eventually

UP_WITHIN_S = 60.0
END_WITHIN_S = 60.0

BOOTS = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}


@dataclass
class CommandLine:
    """A directory in which commands are run; nothing of the tests' own environment reaches them."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / ".saga"

    def run(self, *arguments: str, within_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """One command to its end."""
        return self._run(command(arguments), within_s)

    def shell(self, script: str, within_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Lines of bash; the first that fails ends it."""
        return self._run(["bash", "-e", "-o", "pipefail", "-c", script], within_s)

    def _run(self, arguments: Sequence[str], within_s: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            arguments,
            cwd=self.directory,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    @contextmanager
    def running(self, *arguments: str) -> Iterator["Running"]:
        """A command that stays; ended afterwards if it has not ended by then."""
        with self.running_program(arguments[0], command(arguments)) as running:
            yield running

    @contextmanager
    def running_program(self, name: str, arguments: Sequence[str]) -> Iterator["Running"]:
        """A program that stays, and writes to the file `{name}.log`; ended afterwards if it has not ended by then."""
        output = self.directory / f"{name}.log"
        with output.open("w") as file:
            process = subprocess.Popen(arguments, cwd=self.directory, env=self.variables, stdout=file, stderr=file)
        try:
            yield Running(process, output)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(END_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def service(self) -> dict[str, Any]:
        """What the service says of itself; nothing while none runs."""
        return self.told("service.json")

    def processes(self) -> dict[str, Any]:
        """The supervisor's children by name."""
        return self.told("processes.json")

    def told(self, name: str) -> dict[str, Any]:
        """One file of the data directory."""
        try:
            found = json.loads((self.data / name).read_text())
        except FileNotFoundError:
            return {}
        assert isinstance(found, dict)
        return found

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every command."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SAGA_")}
        return ours | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"} | self.environment


@dataclass
class Running:
    """A command that stays."""

    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    async def says(self, words: str) -> None:
        """Wait until it has printed these words."""
        await eventually(lambda: words in self.said or self.process.poll() is not None, within_s=UP_WITHIN_S)
        assert words in self.said, self.said

    async def is_up(self) -> None:
        """Wait until everything works."""
        await self.says("Ctrl-C ends everything")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal it, and wait for its exit code."""
        self.process.send_signal(number)
        return self.process.wait(END_WITHIN_S)


def command(arguments: Sequence[str]) -> list[str]:
    """The command line that runs `saga` with this interpreter."""
    return [sys.executable, "-m", "cli.main", *arguments]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _answers_signals(pid) if not Path("/proc/self").exists() else False
    return state.rpartition(")")[2].split()[0] != "Z"


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
