"""A MongoDB server of our own: a replica set of one member, because transactions and change streams need one.

The one place beside `adapters/mongo.py` that names the driver, and only to bring a server up: never for services.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from adapters.servers.binaries import find_mongod
from adapters.servers.process import LocalServer, ServerFailed

REPLICA_SET = "rs0"
#: How each server of ours is run, wherever it comes from.
OPTIONS = (
    *("--replSet", REPLICA_SET),
    *("--wiredTigerCacheSizeGB", "0.25"),
    *("--oplogSize", "256"),  # Megabytes.
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    # Seconds for which a transaction keeps its locks when its process was killed; by default a minute.
    *("--setParameter", "transactionLifetimeLimitSeconds=2"),
    # Seconds back to which anybody may read; by default five minutes, in which every version of a saga is kept.
    *("--setParameter", "minSnapshotHistoryWindowInSeconds=0"),
)
_PRIMARY_TIMEOUT_S = 30.0
_POLL_S = 0.02


class MongoServer(LocalServer):
    """mongod on 127.0.0.1."""

    program = "mongod"

    def __init__(self, directory: Path) -> None:
        """Keep data, log and state in `directory`."""
        super().__init__(directory, find_mongod)
        self._standalone = False

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"

    def _arguments(self, port: int) -> Sequence[str]:
        return [
            *("--dbpath", str(self.data_directory)),
            *("--port", str(port)),
            *("--bind_ip", "127.0.0.1"),
            "--nounixsocket",
            *(() if self._standalone else OPTIONS),
            *("--logpath", str(self.log_file)),
            "--logappend",
        ]

    def _pid_that_answers(self, port: int) -> int | None:
        with suppress(PyMongoError), _direct(f"127.0.0.1:{port}") as client:
            return int(client.admin.command("serverStatus", repl=0, metrics=0, wiredTiger=0)["pid"])
        return None

    def _prepare(self) -> None:
        member = f"127.0.0.1:{self.port}"
        with _direct(member) as client:
            moved = _member(client) not in (None, member)
        if moved:
            self._rename_member()
        initiate_replica_set(f"127.0.0.1:{self.port}", f"127.0.0.1:{self.port}")

    def _rename_member(self) -> None:
        """Write the new port into the stored configuration, as a standalone server.

        A forced replSetReconfig would do too, but only after mongod has asked whoever has its old port whether that is
        itself: half a minute where the answer is silence.
        """
        self.kill()  # It would finish asking before it obeyed SIGTERM.
        self._launch_as(standalone=True)
        with _direct(f"127.0.0.1:{self.port}") as client:
            members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
            client.local["system.replset"].update_one({}, {"$set": {"members": members}})
        self.stop()
        self._launch_as(standalone=False)

    def _launch_as(self, *, standalone: bool) -> None:
        self._standalone = standalone
        self._launch()


def initiate_replica_set(address: str, *members: str) -> None:
    """Make the server at `address` one of a replica set; wait until that has a primary.

    `members` are the addresses by which the servers know each other. Raises `ServerFailed`.
    """
    with _direct(address) as client:
        try:
            if not _member(client):
                config = {
                    "_id": REPLICA_SET,
                    "members": [{"_id": number, "host": member} for number, member in enumerate(members)],
                    "settings": {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500},
                }
                client.admin.command("replSetInitiate", config)
            _await_primary(client)
        except PyMongoError as error:
            raise ServerFailed(f"MongoDB at {address} does not become a replica set: {error}") from error


def _member(client: MongoClient[dict[str, Any]]) -> str | None:
    stored = client.local["system.replset"].find_one()
    return str(stored["members"][0]["host"]) if stored else None


def _await_primary(client: MongoClient[dict[str, Any]]) -> None:
    end = time.monotonic() + _PRIMARY_TIMEOUT_S
    while not _knows_primary(client.admin.command("hello")):
        if time.monotonic() > end:
            raise ServerFailed(f"MongoDB did not become primary within {_PRIMARY_TIMEOUT_S:.0f} s")
        time.sleep(_POLL_S)


def _knows_primary(hello: Mapping[str, Any]) -> bool:
    """Whether it is the primary, and says so only once it takes writes; or another member is."""
    return bool(hello["isWritablePrimary"]) or hello.get("primary", hello.get("me")) != hello.get("me")


def _direct(address: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        f"mongodb://{address}", directConnection=True, serverSelectionTimeoutMS=500, socketTimeoutMS=10_000
    )
