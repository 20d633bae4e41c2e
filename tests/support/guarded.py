"""MongoDB and Redis that let nobody in without a password, set up by `saga secrets` and `saga init` themselves."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from adapters.servers import MongoServer, RedisServer
from support.source import ROOT


class GuardedMongo(MongoServer):
    """mongod with a key file, and so with users; in no replica set yet."""

    def __init__(self, directory: Path, key_file: Path) -> None:
        super().__init__(directory)
        self._made, self._own = key_file, directory / "keyfile"

    def _arguments(self, port: int) -> Sequence[str]:
        self._own.unlink(missing_ok=True)
        self._own.touch(mode=0o600)  # It takes none that others may read.
        self._own.write_text(self._made.read_text())
        return [*super()._arguments(port), "--keyFile", str(self._own), "--noscripting"]

    def _pid_that_answers(self, port: int) -> int | None:
        with suppress(PyMongoError), MongoClient[Any](port=port, directConnection=True, timeoutMS=500) as client:
            client.admin.command("hello")
            return self.pid
        return None

    def _prepare(self) -> None:
        """Nothing: `saga init` is what is tried."""


class GuardedRedis(RedisServer):
    """Redis with a file of users."""

    def __init__(self, directory: Path, users: Path) -> None:
        super().__init__(directory)
        self._users = users

    def _arguments(self, port: int) -> Sequence[str]:
        return [*super()._arguments(port), "--aclfile", str(self._users)]

    def _pid_that_answers(self, port: int) -> int | None:
        """Whoever asks without a password is told that one is needed, once the server serves."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.sendall(b"PING\r\n")
            return self.pid if connection.recv(100).startswith(b"-NOAUTH") else None
        return None


@dataclass(frozen=True)
class Guarded:
    """Both, and the files of `saga secrets`."""

    mongo: MongoServer
    redis: RedisServer
    secrets: Path

    def url(self, service: str, of: str) -> str:
        """What the service's file `mongo_url` or `redis_url` says."""
        return (self.secrets / service / of).read_text().strip()

    def environment(self, service: str) -> dict[str, str]:
        """The variables with which the service is started."""
        return {f"SAGA_{name.upper()}_FILE": str(self.secrets / service / name) for name in ("mongo_url", "redis_url")}

    def renew(self) -> None:
        """Start both again: each reads its new file then."""
        for server in (self.redis, self.mongo):
            server.restart()

    def init(self, *options: str, **environment: str) -> str:
        """`saga init`, as its container does it; what it says."""
        return command(
            "init", "--secrets", str(self.secrets / "init/master"), *options, **self.environment("init"), **environment
        )


def arguments(line: str) -> list[str]:
    """The words of a line of the file; what is in parentheses is one."""
    words: list[str] = []
    for word in line.removeprefix("user ").split():
        if words and words[-1].startswith("(") and not words[-1].endswith(")"):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def command(*words: str, **environment: str) -> str:
    """A `saga` command in a process of its own; what it says to people."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("SAGA_")}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=ROOT,
        env={**given, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@contextmanager
def guarded(directory: Path) -> Iterator[Guarded]:
    """Both servers with their users, and nothing else yet in MongoDB."""
    secrets = directory / "secrets"
    command("secrets", str(secrets))  # The servers want their files before it is known where they will be.
    redis = GuardedRedis(directory / "redis", secrets / "redis/users.acl")
    mongo = GuardedMongo(directory / "mongo", secrets / "mongo/keyfile")
    try:
        redis.start()
        mongo.start()
        where = ("--mongo", f"127.0.0.1:{mongo.port}", "--redis", f"127.0.0.1:{redis.port}")
        command("secrets", str(secrets), *where)
        yield Guarded(mongo, redis, secrets)
    finally:
        for server in (mongo, redis):
            with suppress(Exception):
                server.kill()
