"""Services as child processes: started, watched, started again when they die, ended together.

It knows nothing of what its children do. A child that dies comes back after a pause that grows up to a bound while it
keeps dying; the pause is short again once it has lived for a while.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.data_directory import DataDirectory
from cli.failure import Failure
from cli.stopping import Stopping
from cli.terminal import note

#: How a child is started, less its arguments; `-P`, because a `cli` where the command is run is none of ours.
CHILD = (sys.executable, "-P", "-m", "cli.child")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
HEALTHY_AFTER_S = 10.0  #: a child that lived that long starts again with the first pause
END_TIMEOUT_S = 30.0  #: for all children to end in order; then they are killed
EARLY_DEATHS = 5  #: a child that dies that often before everything has come up once will never come up


@dataclass(slots=True)
class Child:
    """One child: how to start it, and what has become of it."""

    name: str
    arguments: Sequence[str]  #: of the `saga` command
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    pause_s: float = FIRST_PAUSE_S


class Supervisor:
    """Runs children until it is told to stop."""

    def __init__(
        self, directory: DataDirectory, environment: Mapping[str, str], children: Mapping[str, Sequence[str]]
    ) -> None:
        self._directory = directory
        self._environment = dict(environment)
        self._children = [Child(name, arguments) for name, arguments in children.items()]
        self._came_up = False

    def came_up(self) -> None:
        """Everything works: from now on no number of deaths makes the supervisor give up."""
        self._came_up = True

    async def run(self, stopping: Stopping) -> None:
        """Keep every child running until told to stop, then end them all.

        Raises `Failure` where a child can't even be brought up.
        """
        told = asyncio.create_task(stopping.wait())
        tasks: list[asyncio.Task[Any]] = [told, *(asyncio.create_task(self._keep(child)) for child in self._children)]
        try:
            # Only being told ends it well; a keeper ends with a failure, or not at all.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end()
            self._directory.remove_processes()

    async def _keep(self, child: Child) -> None:
        while True:
            process = await self._start(child)
            started = time.monotonic()
            code = await process.wait()
            self._died(child, code, time.monotonic() - started)
            await asyncio.sleep(child.pause_s)
            child.restarts += 1
            child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        child.process = await asyncio.create_subprocess_exec(
            *(*CHILD, *child.arguments),
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,  # Never written to: its end tells the child that we are gone.
            stdout=sys.stderr,  # Our own standard output is for data.
            start_new_session=True,  # Ctrl-C in the terminal is for us: the children end in order.
        )
        self._tell()
        if child.restarts:
            note(f"{child.name} was restarted (pid {child.process.pid}).")
        return child.process

    def _died(self, child: Child, code: int, lived_s: float) -> None:
        if lived_s >= HEALTHY_AFTER_S:
            child.pause_s = FIRST_PAUSE_S
        if not self._came_up and child.restarts + 1 >= EARLY_DEATHS:
            raise Failure(f"{child.name} does not come up; what it says is above.")
        note(f"{child.name} died ({_how(code)}); starting it again in {child.pause_s:g} s.")

    def _tell(self) -> None:
        self._directory.write_processes(
            {
                child.name: {"pid": child.process.pid, "restarts": child.restarts}
                for child in self._children
                if child.process
            }
        )

    async def _end(self) -> None:
        alive = [child.process for child in self._children if child.process and child.process.returncode is None]
        for process in alive:
            process.terminate()
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await asyncio.gather(*(process.wait() for process in alive))
        except TimeoutError:
            for process in alive:
                if process.returncode is None:
                    process.kill()
            await asyncio.gather(*(process.wait() for process in alive))


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
