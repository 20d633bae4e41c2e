"""Facts as a service that is well gives them, and what `saga doctor` makes of them when some are others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.facts import Fact, Skew, Unknown
from adapters.mongo_health import MongoFacts
from adapters.streams.figures import GroupFigures, StreamFigures
from adapters.streams.health import RedisFacts
from adapters.streams.readers import Readers
from cli.doctor.check import Check, Status
from cli.doctor.environment import Served, ServiceFacts, judge_here
from cli.doctor.here import DataFacts, Here
from cli.doctor.mongodb import judge_indexes, judge_mongo
from cli.doctor.redis import judge_redis
from cli.doctor.sagas import judge_sagas, judge_skew
from orchestrator.core.state import Status as SagaStatus
from orchestrator.health import SagaFacts
from orchestrator.metrics.census import Row
from orchestrator.settings import Settings
from orchestrator.store import InFlight
from participants.settings import ParticipantSettings
from sagas import Definitions
from sagas.order import order

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AWAY = Unknown("nobody answers")
NO_SKEW = Skew(timedelta(), timedelta(milliseconds=1))

MONGO = MongoFacts(
    hello={"isWritablePrimary": True, "setName": "rs0", "hosts": ["a:1"]},
    build={"version": "6.0.5", "versionArray": [6, 0, 5, 0]},
    parameters={
        "transactionLifetimeLimitSeconds": 2,
        "minSnapshotHistoryWindowInSeconds": 0,
        "enableTestCommands": False,
    },
    status={
        "storageEngine": {"name": "wiredTiger", "persistent": True},
        "connections": {"current": 9, "available": 900},
    },
    members={"members": [{"name": "a:1", "stateStr": "PRIMARY", "optimeDate": NOW}]},
    storage={"fsUsedSize": 10, "fsTotalSize": 100},
    skew=NO_SKEW,
    write_s=0.01,
)
STANDALONE = {"isWritablePrimary": True}

INFO = {
    "redis_version": "7.2.4",
    "role": "master",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 0,
    "used_memory": 5,
}
COMMANDS = "saga.commands.payment"
REDIS = RedisFacts(
    info=INFO,
    skew=NO_SKEW,
    types={COMMANDS: "stream"},
    figures=[StreamFigures(COMMANDS, 5, 0, [GroupFigures("payment", lag=0, consumers=1)])],
    readers=[Readers(COMMANDS, "payment", there=True, living=1)],
)

SAGAS = SagaFacts(
    census=[Row("order", SagaStatus.RUNNING, 2, NOW - timedelta(seconds=1))],
    definitions=[InFlight("order", 1, order.fingerprint, 2)],
    attention=[],
    next_wake_up=NOW + timedelta(seconds=3),
    dead_letters=0,
)

URLS = {"mongo_url": "mongodb://a/?replicaSet=rs0", "redis_url": "redis://a"}
HERE = Here(
    settings=Settings.load(**URLS),
    participants=ParticipantSettings(),
    problems=[],
    strange=[],
    mongo_url=URLS["mongo_url"],
    redis_url=URLS["redis_url"],
    definitions=Definitions([order]),
    keys=[],
    client_key_known=None,
    data=DataFacts(path=".saga", writable=True, free_bytes=1 << 40, service=None, service_alive=False, port_free=True),
    versions={"python": "3.11"},
)
SERVICE = ServiceFacts("http://127.0.0.1:8700", (200, {}), 200, AWAY)


def of_mongo(**facts: Any) -> list[Check]:
    """The checks of a MongoDB of which this is different."""
    return judge_mongo(replace(MONGO, **facts))


def of_redis(serving: bool = True, **facts: Any) -> list[Check]:
    """The checks of a Redis of which this is different."""
    return judge_redis(replace(REDIS, **facts), serving=serving)


def of_info(**told: Any) -> list[Check]:
    """The checks of a Redis that says this of itself."""
    return of_redis(info={**INFO, **told})


def of_cluster(b: Any = None) -> list[Check]:
    """The checks of a cluster with two masters, the second of which says this of itself, or does not answer."""
    well = {**INFO, "cluster_enabled": 1, "connected_slaves": 1}
    return of_redis(info=well, masters={"a:1": well, "b:1": b if isinstance(b, Unknown) else {**well, **(b or {})}})


def of_group(**figures: Any) -> list[Check]:
    """The checks of a stream whose group is like this."""
    group = GroupFigures("payment", **{"lag": 0, "consumers": 1, **figures})
    return of_redis(figures=[StreamFigures(COMMANDS, 5, 0, [group])])


def of_sagas(max_active: int = 100, served: Fact[Served] = AWAY, **facts: Any) -> list[Check]:
    """The checks of sagas of which this is different; `served`: what the service knows."""
    return judge_sagas(replace(SAGAS, **facts), Definitions([order]), served, max_active, NOW)


def of_here(served: ServiceFacts = SERVICE, /, **facts: Any) -> list[Check]:
    """The checks of an environment of which this is different."""
    return judge_here(replace(HERE, **facts), served, NOW)


def of_data(served: ServiceFacts = SERVICE, /, **facts: Any) -> list[Check]:
    """The checks of a data directory of which this is different."""
    return of_here(served, data=replace(HERE.data, **facts))


def of_skew(seconds: float, uncertainty_s: float = 0.001) -> list[Check]:
    """The check of a clock that is so far ahead."""
    return [judge_skew("clock-redis", Skew(timedelta(seconds=seconds), timedelta(seconds=uncertainty_s)))]


def of_indexes(missing: Mapping[str, Sequence[str] | None]) -> list[Check]:
    """The check of these missing indexes."""
    return [judge_indexes("indexes", missing)]


def wrong(checks: Sequence[Check]) -> dict[str, Check]:
    """Those that are not ok, by name."""
    return {check.name: check for check in checks if check.status is not Status.OK}
