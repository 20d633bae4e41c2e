"""A Redis or Valkey server of our own: append-only file, no eviction.

Speaks to it over a bare socket, so that the Redis client stays where it belongs (`adapters/streams/`).
"""

import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hiredis

from adapters.servers.binaries import find_redis_server
from adapters.servers.process import LocalServer

_ANSWER_TIMEOUT_S = 2.0
_ANSWER_LIMIT = 64 * 1024


#: How each server of ours is run, wherever it comes from.
OPTIONS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # Redis writes the file anew when it has doubled, and meanwhile everything else waits longer. From its default of
    # 64 MB on that is each 8,000 sagas at first.
    "auto-aof-rewrite-min-size": "256mb",
    # Evicting a stream would lose commands silently; a full Redis must say so.
    "maxmemory-policy": "noeviction",
}


class Refused(Exception):
    """The server answered a command with an error."""


class RedisServer(LocalServer):
    """Redis (or Valkey) on 127.0.0.1."""

    program = "redis-server"

    def __init__(self, directory: Path) -> None:
        """Keep data, log and state in `directory`."""
        super().__init__(directory, find_redis_server)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def execute(self, *command: str | int) -> Any:
        """One command's answer, bytes as text. Raises `Refused`, and `OSError` where nobody answers."""
        reader = hiredis.Reader(encoding="utf-8", errors="replace")
        with socket.create_connection(("127.0.0.1", self.port), _ANSWER_TIMEOUT_S) as connection:
            connection.sendall(_packed(command))
            while (answer := reader.gets()) is False:
                piece = connection.recv(_ANSWER_LIMIT)
                if not piece:
                    raise ConnectionResetError("Redis closed the connection")
                reader.feed(piece)
        if isinstance(answer, hiredis.ReplyError):
            raise Refused(str(answer))
        return answer

    def _arguments(self, port: int) -> Sequence[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(self.data_directory),
            "logfile": str(self.log_file),
            **OPTIONS,
            # The arguments must stay readable: they prove that a process is ours.
            "set-proc-title": "no",
            "daemonize": "no",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _pid_that_answers(self, port: int) -> int | None:
        info = _ask(port, b"INFO\r\n")
        pid = re.search(r"^process_id:(\d+)", info, re.MULTILINE)
        return int(pid[1]) if pid and self._serves(info) else None

    def _serves(self, info: str) -> bool:
        """Whether what INFO says means that clients may come."""
        return "loading:0" in info

    def _prepare(self) -> None:
        """Nothing: what a Redis needs is in its arguments."""


def _packed(command: Sequence[str | int]) -> bytes:
    parts = [str(part).encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _ask(port: int, command: bytes) -> str:
    """One inline command's bulk answer; empty where nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), _ANSWER_TIMEOUT_S) as connection:
            connection.sendall(command)
            with connection.makefile("rb") as answer:
                head = answer.readline(_ANSWER_LIMIT)
                size = int(head[1:]) if head.startswith(b"$") else 0
                return answer.read(min(size, _ANSWER_LIMIT)).decode(errors="replace")
    except (OSError, ValueError):
        return ""
