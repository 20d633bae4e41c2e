"""The databases for services: those that SAGA_MONGO_URL and SAGA_REDIS_URL name, else our own in the data directory."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import typer
from pydantic import ValidationError

from adapters.servers import MongoServer, RedisServer, Servers
from cli.data_directory import DataDirectory
from cli.failure import Exit, Failure
from cli.terminal import note
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings


@dataclass(frozen=True, slots=True)
class Databases:
    """Where the databases are, and whether they are our own."""

    mongo_url: str
    redis_url: str
    own_mongo: bool
    own_redis: bool

    @property
    def own(self) -> dict[str, str]:
        """The URLs of those that are our own; another's may hold a password."""
        told = (("mongo_url", self.mongo_url, self.own_mongo), ("redis_url", self.redis_url, self.own_redis))
        return {name: url for name, url, own in told if own}

    @property
    def mongo_shown(self) -> str:
        """MongoDB's URL; one from the environment may hold a password, and is not shown."""
        return self.mongo_url if self.own_mongo else "as SAGA_MONGO_URL says"

    @property
    def redis_shown(self) -> str:
        """Redis' URL, likewise."""
        return self.redis_url if self.own_redis else "as SAGA_REDIS_URL says"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which other processes find them."""
        return {"SAGA_MONGO_URL": self.mongo_url, "SAGA_REDIS_URL": self.redis_url}

    def settings(self, **given: Any) -> Settings:
        """The orchestrator's settings with these databases."""
        return Settings.load(mongo_url=self.mongo_url, redis_url=self.redis_url, **given)

    @property
    def participant_settings(self) -> ParticipantSettings:
        """The participants' settings with these databases."""
        return participant_settings(mongo_url=self.mongo_url, redis_url=self.redis_url)


def participant_settings(**given: str) -> ParticipantSettings:
    """The participants' settings from the environment; what is given here comes first. Raises `Failure`."""
    try:
        return ParticipantSettings(**given)  # type: ignore[arg-type]  # only strings are given
    except ValidationError as error:
        faults = (
            ": ".join([*(f"SAGA_{str(at).upper()}" for at in one["loc"][:1]), one["msg"].removeprefix("Value error, ")])
            for one in error.errors()
        )
        raise Failure("\n".join(faults), Exit.USAGE) from None


def running_databases(data: DataDirectory) -> dict[str, str]:
    """The URLs (`mongo_url`, `redis_url`) of databases in use here, as far as the data directory knows any.

    What the running service says, else servers that run on this directory by themselves.
    """
    servers = {"mongo_url": MongoServer(data.path / "mongo"), "redis_url": RedisServer(data.path / "redis")}
    found = {name: url for name, server in servers.items() if (url := server.running_url())}
    told = {name: url for name, url in (data.service() or {}).items() if name in servers and isinstance(url, str)}
    return found | told


@contextmanager
def databases(directory: DataDirectory, *, leave: bool = False, redis: str = "one") -> Iterator[Databases]:
    """Start or adopt what no URL is given for; stop it afterwards, unless it is to be left running.

    `redis`: what a Redis of our own is made of.

    Raises `ServerMissing`, `ServerFailed`, and `Failure` where another process uses them.
    """
    given = participant_settings()
    mongo_url = given.mongo_url if "mongo_url" in given.model_fields_set else None
    redis_url = given.redis_url if "redis_url" in given.model_fields_set else None
    own_mongo, own_redis = not mongo_url, not redis_url
    servers = Servers(directory.path, mongo_url=mongo_url, redis_url=redis_url, redis=redis)
    with directory.locked("databases") if own_mongo or own_redis else nullcontext():
        _start(servers)
        try:
            yield Databases(servers.mongo_url, servers.redis_url, own_mongo, own_redis)
        finally:
            if not leave:
                servers.stop()


def _start(servers: Servers) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        servers.start()
    except KeyboardInterrupt:  # Whatever had been started is stopped by now.
        note("Ended before the databases were up.")
        raise typer.Exit(Exit.OK) from None
