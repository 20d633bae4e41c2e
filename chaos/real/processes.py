"""The services of a run as child processes: started, struck, started again, ended. It signals no process but these."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.clock import Clock

DOWN_S = 0.2  #: how long a process stays dead unless a fault says otherwise: as with any supervisor
END_WITHIN_S = 30.0
AT_WORK = b"reader-started"  #: what a service logs once it reads its stream


@dataclass(slots=True)
class Child:
    """One process, and whoever comes in its place."""

    name: str
    role: str  #: `orchestrator`, or a participant's name
    arguments: Callable[[], Sequence[str]]  #: asked at each start
    log: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    down_s: float = DOWN_S
    told_to_end: bool = False

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return self.process is not None and self.process.returncode is None

    def has_said(self, words: bytes, after: int) -> bool:
        """Whether its log has them behind that place."""
        with self.log.open("rb") as log:
            log.seek(after)
            return words in log.read()

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it is alive."""
        if self.process is not None and self.alive:
            self.process.send_signal(number)


@dataclass
class Processes:
    """All children of a run. `unexpected` is what ended and nobody had struck."""

    clock: Clock
    directory: Path  #: for logs; also where the children run
    environment: Callable[[str, str], Mapping[str, str]]  #: by name and role
    children: dict[str, Child] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    _keepers: list["asyncio.Task[None]"] = field(default_factory=list)
    _ending: bool = False

    async def begin(self, name: str, role: str, arguments: Callable[[], Sequence[str]]) -> None:
        """Start a process, and start it again whenever it has ended."""
        child = Child(name, role, arguments, self.directory / f"{name}.log")
        self.children[name] = child
        await self._start(child)
        self._keepers.append(asyncio.create_task(self._keep(child)))

    def of(self, *, orchestrators: bool) -> list[Child]:
        """Those that are alive, of one kind."""
        return [
            each for each in self.children.values() if each.alive and (each.role == "orchestrator") == orchestrators
        ]

    async def pause(self, child: Child, for_s: float) -> None:
        """SIGSTOP, and SIGCONT later, to whatever process it is now."""
        process = child.process
        child.send(signal.SIGSTOP)
        try:
            await self.clock.sleep(for_s)
        finally:
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGCONT)

    def kill(self, child: Child, down_s: float = DOWN_S) -> None:
        """SIGKILL; it comes back after that time."""
        child.down_s = down_s
        child.send(signal.SIGKILL)

    async def restart(self, child: Child, within_s: float = END_WITHIN_S) -> None:
        """SIGTERM, and wait until another process is at work in its place. Raises `TimeoutError`."""
        before, said = child.starts, child.log.stat().st_size
        child.told_to_end = True
        child.send(signal.SIGCONT)  # A stopped one would not hear it.
        child.send(signal.SIGTERM)
        async with asyncio.timeout(within_s):
            while child.starts == before or not child.has_said(AT_WORK, said):
                await self.clock.sleep(0.05)

    def resume(self) -> None:
        """SIGCONT to all, whoever stopped them."""
        for child in self.children.values():
            child.send(signal.SIGCONT)

    async def end(self) -> None:
        """End all of them in order; kill what takes too long."""
        self._ending = True
        self.resume()
        alive = [child for child in self.children.values() if child.alive]
        for child in alive:
            child.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_WITHIN_S):
                await asyncio.gather(*self._keepers)
        except TimeoutError:
            self.unexpected += [f"{child.name} did not end within {END_WITHIN_S:g} s" for child in alive if child.alive]
        finally:
            await self.kill_all()

    async def kill_all(self) -> None:
        """Nothing of them is left."""
        self._ending = True
        for keeper in self._keepers:
            keeper.cancel()
        for child in self.children.values():
            child.send(signal.SIGKILL)
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(child.process.wait() for child in self.children.values() if child.process is not None))

    async def _keep(self, child: Child) -> None:
        while True:
            assert child.process is not None
            code = await child.process.wait()
            self._ended(child, code)
            if self._ending:
                return
            await self.clock.sleep(child.down_s)
            child.down_s = DOWN_S
            if not self._ending:
                await self._start(child)

    async def _start(self, child: Child) -> None:
        with child.log.open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "chaos.real.launch", child.name, child.role, *child.arguments()),
                cwd=self.directory,
                env={**os.environ, **self.environment(child.name, child.role)},
                stdin=asyncio.subprocess.PIPE,  # Never written to: its end tells the child that we are gone.
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us.
            )
        child.starts += 1
        child.told_to_end = False

    def _ended(self, child: Child, code: int) -> None:
        """What ends well was told to; what was killed was struck. Anything else is worth a look."""
        told = child.told_to_end or self._ending
        # One that has only just been started doesn't know yet how to end in order.
        if code == -signal.SIGKILL or (told and code in (0, -signal.SIGTERM)):
            return
        self.unexpected.append(f"{child.name} ended with {code}; its log ends with: {_tail(child.log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1][:500] if lines else "nothing"
