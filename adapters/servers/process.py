"""One server process on one data directory: start, adopt, stop, kill, start again on the same port.

The directory remembers port and pid in `state.json`, so that a server which outlived its starter is adopted instead of
being started twice, and a restart keeps its port (clients hold it, a replica set's configuration names it).
Calls block; in an event loop use `asyncio.to_thread`.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from adapters.servers.binaries import Binary

_START_TIMEOUT_S = 60.0  #: a replay of a long journal is slow; a server that has exited is noticed at once
_POLL_S = 0.02
_PORT_TRIES = 3


class ServerFailed(Exception):
    """A server did not start or does not answer; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class State:
    """What `state.json` remembers."""

    port: int
    pid: int
    owner: int  #: pid of the process that stops this server when it ends

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The remembered state, or `None` if there is none that can be read."""
        try:
            kept = json.loads(file.read_text())
            return cls(int(kept["port"]), int(kept["pid"]), int(kept["owner"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, file: Path) -> None:
        """Store it in one step: a crash half-way leaves the old file."""
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(file)


class LocalServer(ABC):
    """A server on 127.0.0.1 that keeps its data, log and state in one directory."""

    program: str  #: what it is called in messages

    def __init__(self, directory: Path, find: Callable[[], Binary]) -> None:
        """Prepare; nothing is started, and no program is looked for, before `start`."""
        self._directory = directory.expanduser().resolve()
        self.find = find  #: looks the program up; raises `ServerMissing`
        self._state_file = self._directory / "state.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._state: State | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def _arguments(self, port: int) -> Sequence[str]:
        """The command line after the program's name; holds the data directory as an argument of its own."""

    @abstractmethod
    def _pid_that_answers(self, port: int) -> int | None:
        """The pid of the server that answers on the port, once it serves; `None` before."""

    @abstractmethod
    def _prepare(self) -> None:
        """Whatever must be done once the server answers and before clients come."""

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._known().port

    @property
    def pid(self) -> int:
        """The process id of the server, also after it died."""
        return self._known().pid

    @property
    def owned(self) -> bool:
        """Whether `stop` of this object stops it: no other living process has that duty."""
        return self._known().owner == os.getpid()

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self._directory / f"{self.program}.log"

    @property
    def data_directory(self) -> Path:
        """The server's files."""
        return self._directory / "data"

    def start(self) -> str:
        """Start it, or adopt the one that still runs on this directory; returns the URL once it serves.

        Raises `ServerMissing` where no program is installed and `ServerFailed` where it does not come up.
        """
        self.data_directory.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not self._adopt():
                self._launch()
            self._known().write(self._state_file)
            self._prepare()
        return self.url

    def stop(self, within_s: float = 15.0) -> None:
        """End it cleanly; killed if it takes longer. One that another living process started is left alone."""
        if not self._state or not self.owned:
            return
        self._signal(signal.SIGTERM)
        if not self._gone(within_s):
            self.kill()

    def kill(self) -> None:
        """SIGKILL: what a crash of the machine does to it."""
        self._signal(signal.SIGKILL)
        if not self._gone(10.0):
            raise ServerFailed(f"{self.program} with pid {self.pid} survived SIGKILL")

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def restart(self) -> str:
        """Start it again after `stop` or `kill`, on the same port and data."""
        self.stop()
        return self.start()

    def is_running(self) -> bool:
        """Whether the server's process lives."""
        if self._process:
            return self._process.poll() is None  # Also reaps it.
        return self._state is not None and self._runs_here(self._state.pid)

    def running_url(self) -> str | None:
        """Where the server that runs on this directory is, whoever started it; None where none does."""
        kept = State.read(self._state_file)
        if kept is None or not self._runs_here(kept.pid):
            return None
        self._state = kept
        return self.url

    def _known(self) -> State:
        if not self._state:
            raise ServerFailed(f"{self.program} has not been started: call start() first")
        return self._state

    def _adopt(self) -> bool:
        kept = State.read(self._state_file)
        if not kept or not self._runs_here(kept.pid):
            return False
        if not wait_until(lambda: self._pid_that_answers(kept.port) == kept.pid, _START_TIMEOUT_S):
            raise ServerFailed(
                f"{self.program} (pid {kept.pid}) runs on {self._directory} but does not answer on port {kept.port}. "
                f"Look into {self.log_file}, or end it (kill {kept.pid}) and start again."
            )
        owner = kept.owner if lives(kept.owner) else os.getpid()
        self._state = State(kept.port, kept.pid, owner)
        return True

    def _launch(self) -> None:
        binary = self.find()
        for port in self._ports():
            process = self._spawn(binary, port)
            self._process, self._state = process, State(port, process.pid, os.getpid())
            self._state.write(self._state_file)  # Before it answers: a starter that dies now leaves no unknown server.
            if self._comes_up(process, port):
                return
            self.kill()
            if _is_free(port):
                break  # It was not the port.
        raise ServerFailed(
            f"{self.program} did not start on {self._directory}. The end of its log:\n{self._log_tail()}"
        )

    def _ports(self) -> Iterator[int]:
        kept = State.read(self._state_file)
        if kept and _is_free(kept.port):
            yield kept.port
        for _ in range(_PORT_TRIES):
            yield free_port()

    def _spawn(self, binary: Binary, port: int) -> "subprocess.Popen[bytes]":
        with self.log_file.open("ab") as log:  # For what it says before it opens that itself.
            return subprocess.Popen(
                [binary.path, *self._arguments(port)],
                env={**os.environ, **binary.environment},
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for the services: they need the databases for their own ending.
                start_new_session=True,
            )

    def _comes_up(self, process: "subprocess.Popen[bytes]", port: int) -> bool:
        def settled() -> bool:
            return process.poll() is not None or self._pid_that_answers(port) == process.pid

        return wait_until(settled, _START_TIMEOUT_S) and process.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _gone(self, within_s: float) -> bool:
        return wait_until(lambda: not self.is_running(), within_s)

    def _runs_here(self, pid: int) -> bool:
        # A pid alone proves nothing: after a reboot it may be anybody's.
        return f" {self.data_directory} " in f"{_command_line(pid)} "

    def _log_tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(it has written none)"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two starters on one directory take turns: Redis itself would let both write the same files."""
        with (self._directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def lives(pid: int) -> bool:
    """Whether there is such a process, maybe somebody else's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_line(pid: int) -> str:
    """A process's arguments, joined by spaces; empty for one that is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    ps = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()


def wait_until(condition: Callable[[], bool], within_s: float) -> bool:
    """Look again and again, in this thread, until it holds or the time is over; whether it holds."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True
