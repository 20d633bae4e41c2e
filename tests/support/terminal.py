"""A command on a terminal, as a person runs it: what they see, and what they type."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from support.commandline import END_WITHIN_S, CommandLine, command
from support.waiting import eventually

ROWS, COLUMNS = 40, 120

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]")


@dataclass
class Terminal:
    """One command on a terminal of its own."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    raw: str = ""

    @property
    def seen(self) -> str:
        """Everything that was on the screen so far, without colours and movements."""
        with suppress(BlockingIOError, OSError):  # Nothing new; on Linux also: the command has ended.
            while piece := os.read(self.descriptor, 65_536):
                self.raw += piece.decode(errors="replace")
        return _CONTROL.sub("", self.raw).replace("\r", "")

    async def sees(self, words: str, within_s: float = 20.0) -> None:
        """Wait until these words were on the screen."""
        await self.shows(lambda: words in self.seen, within_s)

    async def shows(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until what was on the screen is so."""

        def is_shown() -> bool:
            assert condition() or self.process.poll() is not None, self.seen[-3_000:]
            return True

        await eventually(is_shown, within_s=within_s)
        assert condition(), self.seen

    def type(self, text: str) -> None:
        """Type it; the character 3 is Ctrl-C."""
        os.write(self.descriptor, text.encode())

    async def ends(self) -> int:
        """Wait for its exit code."""
        await eventually(self._has_ended, within_s=END_WITHIN_S)
        return self.process.wait()

    def _has_ended(self) -> bool:
        assert self.seen is not None  # Read on: who writes to a terminal that nobody reads waits.
        return self.process.poll() is not None


@contextmanager
def terminal(line: CommandLine, *arguments: str) -> Iterator[Terminal]:
    """`saga …` with a terminal for all three streams; colours are on."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    os.set_blocking(ours, False)
    environment = line.variables | {"TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        command(arguments),
        cwd=line.directory,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - no threads matter here; Ctrl-C needs a controlling terminal
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(ours)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
