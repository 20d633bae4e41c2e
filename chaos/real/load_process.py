"""The load generator, as a process of a run."""

import asyncio
import sys
from pathlib import Path
from typing import Self

from chaos.real.load import Load
from chaos.real.services import python_path


class GaveUp(Exception):
    """The clients ended with an error: what they ask for is refused for good."""


class LoadProcess:
    """One process; it ends once every client has been told that its saga is accepted."""

    def __init__(self, process: asyncio.subprocess.Process, said: Path) -> None:
        self._process = process
        self._said = said

    @classmethod
    async def begin(cls, load: Load, directory: Path) -> Self:
        """Start it."""
        load.write(directory / "load.json")
        with (directory / "load.err").open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "chaos.real.load", "load.json"),
                stdin=asyncio.subprocess.PIPE,  # As with the services.
                stdout=said,
                stderr=said,
                cwd=directory,
                env={"PYTHONPATH": python_path()},
                start_new_session=True,
            )
        return cls(process, directory / "load.err")

    async def ended(self, within_s: float) -> bool:
        """Whether it ends within the time. Raises `GaveUp`."""
        try:
            async with asyncio.timeout(within_s):
                code = await self._process.wait()
        except TimeoutError:
            return False
        if code:
            words = self._said.read_text().strip().splitlines()
            raise GaveUp(f"the clients gave up: {words[-1] if words else 'they said nothing'}")
        return True

    def kill(self) -> None:
        """Nothing more is asked for."""
        if self._process.returncode is None:
            self._process.kill()
