"""MongoDB and Redis of a run, and what is done to them. Never any other: a run takes no URL of a server."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapters.errors import Unavailable
from adapters.mongo import Mongo, translating
from adapters.servers import MongoServer, RedisServer, SentinelRedis, initiate_replica_set
from adapters.servers.both import OF_SEVERAL

APP_NAME = "saga-chaos"  #: whom no fault of MongoDB's strikes


class ChaosMongo(MongoServer):
    """A mongod that fails on demand. Alone it is a replica set of one; else somebody makes it a member."""

    def __init__(self, directory: Path, *, alone: bool) -> None:
        """Keep data, log and state in `directory`."""
        super().__init__(directory)
        self._alone_in_set = alone

    def _arguments(self, port: int) -> Sequence[str]:
        return [*super()._arguments(port), "--setParameter", "enableTestCommands=1"]

    def _prepare(self) -> None:
        if self._alone_in_set:
            super()._prepare()


class RealServers:
    """All servers of a run, in one directory. Calls block; what talks to MongoDB is a coroutine."""

    def __init__(self, directory: Path, members: int, redis: str = "one") -> None:
        self.redis = RedisServer(directory / "redis")
        self.several = OF_SEVERAL[redis](directory) if redis in OF_SEVERAL else None  #: in the place of that one
        self.members = [ChaosMongo(directory / f"mongo-{n}", alone=members == 1) for n in range(1, members + 1)]
        self._struck = 0

    def start(self) -> None:
        """Start them all. Raises as `LocalServer.start`."""
        (self.several or self.redis).start()
        for member in self.members:
            member.start()
        if len(self.members) > 1:
            addresses = [f"127.0.0.1:{member.port}" for member in self.members]
            initiate_replica_set(addresses[0], *addresses)

    def kill(self) -> None:
        """Nothing of their data is wanted any more."""
        for server in (*self._redis_servers, *self.members):
            if server.is_running():
                server.kill()

    def heal(self) -> None:
        """Whatever was done to their processes, they run."""
        for server in (*self._redis_servers, *self.members):
            if server.is_running():
                server.resume()
            else:
                server.start()
        if self.several is not None:
            self.several.heal()
            return
        self.redis.execute("CONFIG", "SET", "maxmemory", "0")
        self.redis.execute("CLIENT", "UNPAUSE")

    @property
    def mongo_url(self) -> str:
        """Where MongoDB is, for those that no wire is to lead there."""
        addresses = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"mongodb://{addresses}/?replicaSet=rs0"

    @property
    def redis_url(self) -> str:
        """Where Redis is, likewise."""
        return (self.several or self.redis).url

    @property
    def _redis_servers(self) -> Sequence[RedisServer]:
        return [self.redis] if self.several is None else self.several.servers

    # -- Redis ---------------------------------------------------------------------------------------------------------

    def serving(self, key: str) -> RedisServer:
        """The server that has the key now. Raises `ServerFailed` where there is none."""
        if isinstance(self.several, SentinelRedis):
            return self.several.master()
        return self.redis if self.several is None else self.several.master_of(key)

    def hand_over(self, key: str) -> None:
        """Let another server have the key. Raises `ServerFailed` where none wants to."""
        if isinstance(self.several, SentinelRedis):
            self.several.fail_over()
        elif self.several is not None:
            self.several.fail_over(key)

    def lose_file(self) -> None:
        """Redis starts again without what it had written. It must not run."""
        shutil.rmtree(self.redis.data_directory)

    def truncate_file(self) -> None:
        """The second half of what Redis wrote last is gone. It must not run."""
        newest = max(self.redis.data_directory.glob("appendonlydir/*.incr.aof"), key=lambda file: file.stat().st_mtime)
        with newest.open("r+b") as file:
            file.truncate(newest.stat().st_size // 2)

    def newest(self, stream: str, count: int) -> list[dict[str, str]]:
        """The fields of the newest entries, the oldest of them first."""
        entries = self.redis.execute("XREVRANGE", stream, "+", "-", "COUNT", count)
        return [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in reversed(entries)]

    def add(self, stream: str, fields: Mapping[str, str]) -> None:
        """Append an entry, as anybody with access could."""
        self.redis.execute("XADD", stream, "*", *(part for field in fields.items() for part in field))

    def groups(self, stream: str) -> list[dict[str, Any]]:
        """What XINFO says of the stream's groups; none where there is no stream."""
        server = self.serving(stream)
        if not server.execute("EXISTS", stream):
            return []
        rows = server.execute("XINFO", "GROUPS", stream)
        return [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True)) for row in rows]

    # -- MongoDB -------------------------------------------------------------------------------------------------------

    async def fail(self, commands: Sequence[str], app_name: str, how: Mapping[str, Any], times: int) -> None:
        """Let the next so many of these commands of that program fail."""
        data = {"failCommands": list(commands), "appName": app_name, **how}
        self._struck = await self._configure({"mode": {"times": times}, "data": data})

    async def stop_failing(self) -> int:
        """Let all commands succeed again; how many were struck."""
        return await self._configure({"mode": "off"}) - self._struck

    async def _configure(self, how: Mapping[str, Any]) -> int:
        """Set the fail point; how many commands it has ever struck."""
        answers = await self._each({"configureFailPoint": "failCommand", **how})
        return sum(int(answer.get("count", 0)) for answer in answers)

    async def primary(self) -> ChaosMongo:
        """The member that is primary now. Raises `LookupError` during an election."""
        for member in self.members:
            with suppress(Unavailable):
                if member.is_running() and (await self._direct(member, {"hello": 1})).get("isWritablePrimary"):
                    return member
        raise LookupError("there is no primary at the moment")

    async def step_down(self, member: ChaosMongo, for_s: int) -> None:
        """It is no primary for that long; the others elect one."""
        with suppress(Unavailable):  # It may close the connection before it has answered.
            await self._direct(member, {"replSetStepDown": for_s, "secondaryCatchUpPeriodSecs": 2, "force": True})

    async def _each(self, command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [await self._direct(member, command) for member in self.members if member.is_running()]

    async def _direct(self, member: ChaosMongo, command: Mapping[str, Any]) -> Mapping[str, Any]:
        mongo = Mongo.connect(f"mongodb://127.0.0.1:{member.port}/?directConnection=true", app_name=APP_NAME)
        try:
            with translating():
                answer: Mapping[str, Any] = await mongo.database("admin").command(dict(command))
            return answer
        finally:
            await mongo.close()
