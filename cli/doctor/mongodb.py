"""Judgements about MongoDB. Pure: facts in, checks out."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.facts import Unknown
from adapters.mongo_errors import TO_MAKE_A_SET
from adapters.mongo_health import MongoFacts
from cli.doctor.check import Check, failed, judged, listed, not_answering, ok, unknown, warning

Document = Mapping[str, Any]

TESTED_SINCE = (6, 0)
NEEDED = (4, 4)  #: makes collections inside transactions
SLOW_WRITE_S = 0.1
LONG_TRANSACTION_S = 10
FULL, NEARLY_FULL = 0.95, 0.85
FEW_CONNECTIONS = 100
REPLICATION_LAG_S = 10
_HEALTHY_STATES = {"PRIMARY", "SECONDARY", "ARBITER"}

_TO_MAKE_A_SET = f"{TO_MAKE_A_SET}. `saga up` starts one that is ready."


def judge_mongo(facts: MongoFacts) -> list[Check]:
    """Everything about the server."""
    return [
        _reachable(facts),
        _replica_set(facts),
        judged("mongodb-members", facts.members, _members),
        judged("mongodb-version", facts.build, _version),
        _transactions(facts),
        judged("mongodb-transaction-lifetime", facts.parameters, _lifetime),
        judged("mongodb-history", facts.parameters, _history),
        judged("mongodb-test-commands", facts.parameters, _test_commands),
        judged("mongodb-journal", facts.status, _journal),
        judged("mongodb-connections", facts.status, _connections),
        judged("mongodb-disk", facts.storage, _disk),
    ]


def judge_indexes(name: str, missing: Mapping[str, Sequence[str] | None]) -> Check:
    """By collection: the indexes that are missing, None where the collection is not there yet."""
    gone = [f"{index} of {collection}" for collection, indexes in missing.items() for index in indexes or ()]
    there = [collection for collection, indexes in missing.items() if indexes is not None]
    if gone:
        return failed(
            name,
            f"missing or changed: {listed(gone)}",
            "Run `saga init`, or restart the orchestrator and the participants, where their users may make indexes.",
        )
    return ok(
        name, f"as they must be in {len(there)} collections" if there else "not made yet: no service has run here"
    )


def _reachable(facts: MongoFacts) -> Check:
    name = "mongodb"
    if not isinstance(facts.hello, Unknown):
        return ok(name, "a primary answers" if facts.hello.get("isWritablePrimary") else "answers")
    answering = [server for server in facts.servers if not isinstance(server, Unknown)]
    if answering:
        return ok(name, f"{len(answering)} of {len(facts.servers)} servers answer")
    reasons = [server.reason for server in facts.servers if isinstance(server, Unknown)]
    said = listed(sorted({*reasons, facts.hello.reason}))
    if "code 18" in said:
        return failed(name, "does not accept the user or the password", "Correct them in SAGA_MONGO_URL.")
    return not_answering(name, said, "SAGA_MONGO_URL", "tlsCAFile")


def _replica_set(facts: MongoFacts) -> Check:
    name = "mongodb-replica-set"
    if not isinstance(facts.hello, Unknown):
        return _set_of(name, facts.hello)
    for server in facts.servers:
        if not isinstance(server, Unknown):
            return _why_no_primary(name, server)
    return unknown(name, facts.hello.reason)


def _set_of(name: str, hello: Document) -> Check:
    if hello.get("msg") == "isdbgrid":
        return warning(name, "a sharded cluster", "Nobody has tried that. A replica set is what is tested.")
    if "setName" not in hello:
        return _why_no_primary(name, hello)
    if not hello.get("isWritablePrimary"):
        return failed(name, "the URL leads to a member that is not the primary", _name_the_set(hello))
    return ok(name, f"{hello['setName']}, with a primary")


def _why_no_primary(name: str, hello: Document) -> Check:
    if hello.get("isreplicaset"):
        return failed(name, "started as a member of a set that was never initiated", "Run `rs.initiate()` in mongosh.")
    if "setName" not in hello:
        return failed(name, "a standalone server, not a replica set: it has no transactions", _TO_MAKE_A_SET)
    if hello.get("isWritablePrimary"):
        said = f"the server's set is {hello['setName']!r}, and the URL asks for another one or for an unknown address"
        return failed(name, said, _name_the_set(hello))
    return failed(
        name, f"{hello['setName']} has no primary", "Start the other members: a majority of them chooses a primary."
    )


def _name_the_set(hello: Document) -> str:
    hosts = ",".join(hello.get("hosts", ()))
    return f"Let SAGA_MONGO_URL name {hosts or 'its members'} and `replicaSet={hello['setName']}`."


def _members(name: str, status: Document) -> Check:
    members = status.get("members", [])
    ill = [f"{one['name']} is {one['stateStr']}" for one in members if one["stateStr"] not in _HEALTHY_STATES]
    if ill:
        return warning(name, listed(ill), "Start them, or look into their logs: with too few left there is no primary.")
    lags = {one["name"]: _behind(one, members) for one in members}
    behind = [f"{member} by {lag_s:.0f} s" for member, lag_s in lags.items() if lag_s > REPLICATION_LAG_S]
    if behind:
        return warning(name, f"behind the primary: {listed(behind)}", "Look at their disks and at the network.")
    if len(members) == 1:
        return ok(name, "one: enough to try; a second copy of the data takes three")
    return ok(name, f"{len(members)}, all well")


def _behind(one: Document, members: Sequence[Document]) -> float:
    newest = max((member["optimeDate"] for member in members if "optimeDate" in member), default=None)
    if newest is None or one["stateStr"] != "SECONDARY":
        return 0.0
    return float((newest - one["optimeDate"]).total_seconds())


def _version(name: str, build: Document) -> Check:
    version = tuple(build["versionArray"][:2])
    wanted = ".".join(map(str, TESTED_SINCE))
    if version < NEEDED:
        return failed(name, build["version"], f"Take MongoDB {wanted} or newer.")
    if version < TESTED_SINCE:
        return warning(name, f"{build['version']}, which nobody has tried", f"Take MongoDB {wanted} or newer.")
    return ok(name, build["version"])


def _transactions(facts: MongoFacts) -> Check:
    name = "mongodb-transactions"
    took = facts.write_s
    if isinstance(took, Unknown):
        if isinstance(facts.hello, Unknown):
            return unknown(name, facts.hello.reason)
        if "code 13" in took.reason:
            return unknown(name, "this user may not write to the collection `doctor`, with which it is tried")
        return failed(
            name,
            f"none can be committed by a majority, journaled: {took.reason}",
            "Transactions need a replica set, a majority of its members up, and journaling.",
        )
    said = f"committed by a majority, journaled, in {took * 1_000:.0f} ms"
    if took >= SLOW_WRITE_S:
        return warning(
            name, said, "Every step waits for such writes: look at the disks, and at the network of the set."
        )
    return ok(name, said)


def _lifetime(name: str, parameters: Document) -> Check:
    parameter = "transactionLifetimeLimitSeconds"
    why = "so long a killed process keeps others from what it had locked"
    return _at_most(name, parameters, parameter, LONG_TRANSACTION_S, why, _to_set(parameter, 2))


def _history(name: str, parameters: Document) -> Check:
    parameter = "minSnapshotHistoryWindowInSeconds"
    why = "so long MongoDB keeps every version of a saga, twice as much to write, and nothing of ours reads it"
    remedy = f"Unless other programs read the past there: {_to_set(parameter, 0)}"
    return _at_most(name, parameters, parameter, 0, why, remedy)


def _at_most(name: str, parameters: Document, parameter: str, most: int, why: str, remedy: str) -> Check:
    value = parameters.get(parameter)
    if value is None:
        return ok(name, "this server has no such parameter")  # It is too old, or a mongos.
    said = f"{parameter} is {value}"
    return ok(name, said) if value <= most else warning(name, f"{said}: {why}", remedy)


def _to_set(parameter: str, value: int) -> str:
    return (
        f"On each member, start mongod with `--setParameter {parameter}={value}`; until then, in mongosh: "
        f"`db.adminCommand({{setParameter: 1, {parameter}: {value}}})`."
    )


def _test_commands(name: str, parameters: Document) -> Check:
    if parameters.get("enableTestCommands"):
        return failed(
            name,
            "enableTestCommands is on: whoever reaches the server may make it fail, or stop",
            "Start mongod without `--setParameter enableTestCommands=1`.",
        )
    return ok(name, "off")


def _journal(name: str, status: Document) -> Check:
    engine = status.get("storageEngine", {})
    if engine.get("persistent", True):
        return ok(name, f"{engine.get('name', 'the storage engine')} keeps data on disk")
    return failed(
        name,
        f"the storage engine {engine.get('name')} keeps nothing on disk: a restart loses every saga",
        "Start mongod with the storage engine wiredTiger.",
    )


def _connections(name: str, status: Document) -> Check:
    connections = status.get("connections", {})
    said = f"{connections.get('current', '?')} in use, {connections.get('available', '?')} left"
    if connections.get("available", FEW_CONNECTIONS) < FEW_CONNECTIONS:
        return warning(name, said, "Allow more (`--maxConns`, and open files of mongod), or find out who has so many.")
    return ok(name, said)


def _disk(name: str, storage: Document) -> Check:
    total = storage.get("fsTotalSize")
    if not total:
        return unknown(name, "MongoDB does not tell")
    used = storage["fsUsedSize"] / total
    remedy = "Make room, or give MongoDB a larger disk: a full one stops every write."
    judge = failed if used >= FULL else warning if used >= NEARLY_FULL else None
    return judge(name, f"{used:.0%} full", remedy) if judge else ok(name, f"{used:.0%} full")
