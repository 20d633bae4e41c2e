"""What `saga doctor` makes of facts: each thing that can be wrong, and what it is called."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.facts import Fact, Unknown
from adapters.streams.readers import Readers
from cli.data_directory import DataDirectory
from cli.doctor.check import Check, Status, ok, unknown, warning
from cli.doctor.environment import ServiceFacts
from cli.doctor.here import look_here
from cli.doctor.report import as_json, as_text, has_failed
from cli.doctor.sagas import judge_skew
from orchestrator.core.state import Status as SagaStatus
from orchestrator.keys import api_key
from orchestrator.metrics.census import Row
from orchestrator.store import InFlight
from support.diagnoses import (
    AWAY,
    COMMANDS,
    NOW,
    STANDALONE,
    of_cluster,
    of_data,
    of_group,
    of_here,
    of_indexes,
    of_info,
    of_mongo,
    of_redis,
    of_sagas,
    of_skew,
    wrong,
)

KEY = "1f0c9e6a51b24cd2"


def test_a_server_without_a_parameter_is_not_judged_by_it() -> None:
    assert wrong(of_mongo(parameters={"enableTestCommands": False})) == {}


def test_a_definition_that_the_service_knows_need_not_be_known_here() -> None:
    assert wrong(of_sagas(definitions=[InFlight("trip", 2, "x", 3)], served=frozenset({("trip", 2)}))) == {}


@pytest.mark.parametrize("judge", [of_mongo, of_redis, of_cluster, of_sagas, of_here])
def test_where_nothing_is_wrong_everything_is_ok(judge: Callable[[], list[Check]]) -> None:
    assert wrong(judge()) == {}


@pytest.mark.parametrize(
    ("checks", "name", "status", "said"),
    [
        (of_mongo(hello=AWAY, servers=[AWAY]), "mongodb", "failed", "nobody answers"),
        (of_mongo(hello=AWAY, servers=[Unknown("MongoDB refuses for now: code 18")]), "mongodb", "failed", "password"),
        (of_mongo(hello=AWAY, servers=[STANDALONE]), "mongodb-replica-set", "failed", "standalone"),
        (of_mongo(hello=STANDALONE), "mongodb-replica-set", "failed", "standalone"),
        (of_mongo(hello=AWAY, servers=[{"isreplicaset": True}]), "mongodb-replica-set", "failed", "never initiated"),
        (of_mongo(hello=AWAY, servers=[{"setName": "rs1"}]), "mongodb-replica-set", "failed", "no primary"),
        (
            of_mongo(hello=AWAY, servers=[{"setName": "rs1", "isWritablePrimary": True, "hosts": ["a:1", "b:1"]}]),
            "mongodb-replica-set",
            "failed",
            "'rs1'",
        ),
        (of_mongo(hello={"setName": "rs0"}), "mongodb-replica-set", "failed", "not the primary"),
        (of_mongo(hello={"msg": "isdbgrid"}), "mongodb-replica-set", "warning", "sharded"),
        (of_mongo(members={"members": [{"name": "b:1", "stateStr": "(not reachable/healthy)"}]}), "mongodb-members",
         "warning", "b:1"),
        (
            of_mongo(
                members={
                    "members": [
                        {"name": "a:1", "stateStr": "PRIMARY", "optimeDate": NOW},
                        {"name": "b:1", "stateStr": "SECONDARY", "optimeDate": NOW - timedelta(minutes=5)},
                    ]
                }
            ),
            "mongodb-members",
            "warning",
            "b:1 by 300 s",
        ),
        (of_mongo(build={"version": "4.2.1", "versionArray": [4, 2, 1]}), "mongodb-version", "failed", "4.2.1"),
        (of_mongo(build={"version": "5.0.9", "versionArray": [5, 0, 9]}), "mongodb-version", "warning", "5.0.9"),
        (of_mongo(write_s=Unknown("no answer within 5 s")), "mongodb-transactions", "failed", "no answer"),
        (of_mongo(write_s=Unknown("MongoDB refuses for now: code 13")), "mongodb-transactions", "unknown", "may not"),
        (of_mongo(write_s=0.4), "mongodb-transactions", "warning", "400 ms"),
        (of_mongo(parameters={"transactionLifetimeLimitSeconds": 60}), "mongodb-transaction-lifetime", "warning", "60"),
        (
            of_mongo(
                parameters={"transactionLifetimeLimitSeconds": 2, "minSnapshotHistoryWindowInSeconds": 5},
            ),
            "mongodb-history",
            "warning",
            " 5:",
        ),
        (
            of_mongo(parameters={"transactionLifetimeLimitSeconds": 2, "enableTestCommands": True}),
            "mongodb-test-commands",
            "failed",
            "enableTestCommands",
        ),
        (
            of_mongo(status={"storageEngine": {"name": "ephemeralForTest", "persistent": False}}),
            "mongodb-journal",
            "failed",
            "ephemeralForTest",
        ),
        (of_mongo(status={"connections": {"current": 990, "available": 10}}), "mongodb-connections", "warning", "990"),
        (of_mongo(storage={"fsUsedSize": 90, "fsTotalSize": 100}), "mongodb-disk", "warning", "90%"),
        (of_mongo(storage={"fsUsedSize": 97, "fsTotalSize": 100}), "mongodb-disk", "failed", "97%"),
        (of_indexes({"saga_orchestrator.sagas": ["newest"]}), "indexes", "failed", "newest of saga_orchestrator.sagas"),
        (of_redis(info=AWAY), "redis", "failed", "nobody answers"),
        (of_info(loading=1), "redis", "warning", "loading"),
        (of_info(redis_version="6.2.14"), "redis-version", "failed", "6.2.14"),
        (of_info(role="slave"), "redis-role", "failed", "replica"),
        (of_info(cluster_enabled=1), "redis-role", "failed", "cluster"),
        (of_info(maxmemory_policy="allkeys-lru"), "redis-eviction", "failed", "allkeys-lru"),
        (of_info(maxmemory_policy="volatile-ttl"), "redis-eviction", "warning", "heartbeats"),
        (of_info(evicted_keys=7), "redis-eviction", "warning", "7 keys"),
        (of_info(aof_enabled=0), "redis-persistence", "failed", "append-only file is off"),
        (of_info(aof_last_write_status="err"), "redis-persistence", "failed", "aof_last_write_status"),
        (of_info(maxmemory=100, used_memory=85), "redis-memory", "warning", "85%"),
        (of_info(maxmemory=100, used_memory=99), "redis-memory", "failed", "99%"),
        (of_cluster(b=AWAY), "redis", "failed", "b:1: nobody answers"),
        (of_cluster(b={"maxmemory_policy": "allkeys-lru"}), "redis-eviction", "failed", "b:1: maxmemory-policy"),
        (of_cluster(b={"maxmemory": 100, "used_memory": 99}), "redis-memory", "failed", "b:1: 99%"),
        (of_cluster(b={"connected_slaves": 0}), "redis-role", "warning", "b:1: no replica"),
        (of_redis(types={COMMANDS: "list"}), "streams", "failed", "is a list"),
        (of_redis(readers=[Readers(COMMANDS, "payment", there=False)]), "consumer-groups", "failed", "payment"),
        (
            of_redis(serving=False, types={COMMANDS: "none"}, readers=[Readers(COMMANDS, "payment", there=False)]),
            "consumer-groups",
            "warning",
            "nothing has run here yet",
        ),
        (of_redis(readers=[Readers(COMMANDS, "payment", there=True)]), "consumers", "failed", "nobody reads"),
        (of_group(lag=20_000), "backlog", "warning", "20000 for payment"),
        (of_group(lag=None), "backlog", "warning", "can't tell"),
        (of_group(pending=1, oldest_pending_idle_s=500.0), "pending-entries", "warning", "500 s"),
        (of_skew(0.8), "clock-redis", "warning", "0.800 s ahead"),
        (of_skew(-3600), "clock-redis", "failed", "3600.000 s behind"),
        (
            of_sagas(definitions=[InFlight("order", 7, "x", 3)]),
            "definitions-in-flight",
            "failed",
            "not known here: order version 7: 3 in flight",
        ),
        (
            of_sagas(definitions=[InFlight("order", 7, "x", 3)], served=frozenset({("order", 1)})),
            "definitions-in-flight",
            "failed",
            "not known here: order version 7: 3 in flight",
        ),
        (of_sagas(definitions=[InFlight("order", 1, "x", 3)]), "definitions-in-flight", "failed", "changed under"),
        (of_sagas(census=[Row("order", SagaStatus.STUCK, 4, NOW)]), "sagas-stuck", "warning", "4 of order"),
        (of_sagas(attention=["one", "two"]), "sagas-needing-attention", "warning", "one, two"),
        (
            of_sagas(census=[Row("order", SagaStatus.RUNNING, 1, NOW - timedelta(hours=2))]),
            "sagas-in-flight",
            "warning",
            "the oldest for 2h",
        ),
        (of_sagas(next_wake_up=NOW - timedelta(minutes=5)), "timers", "failed", "no orchestrator looks after"),
        (
            of_sagas(next_wake_up=NOW - timedelta(minutes=5), served=frozenset({("order", 1)})),
            "timers",
            "failed",
            "overdue for 5m, though a service answers",
        ),
        (of_sagas(census=[Row("order", SagaStatus.RUNNING, 85, NOW)]), "capacity", "warning", "85 of 100"),
        (of_sagas(census=[Row("order", SagaStatus.RUNNING, 100, NOW)]), "capacity", "failed", "refused"),
        (of_sagas(dead_letters=3), "dead-letters", "warning", "3 messages"),
        (of_here(problems=["SAGA_HTTP_PORT: no", "SAGA_MAX_ACTIVE: no"]), "settings", "failed", "SAGA_MAX_ACTIVE"),
        (of_here(strange=["SAGA_STREM_PREFIX"]), "environment", "warning", "SAGA_STREM_PREFIX"),
        (of_here(definitions=Unknown("no module 'gift'")), "definitions", "failed", "no module 'gift'"),
        (of_here(keys=[api_key("shop", "secret", ["read"])]), "api-keys", "failed", "shop"),
        (of_here(keys=[api_key("shop", KEY, ["read"], NOW)]), "api-keys", "warning", "expired: shop"),
        (of_here(keys=[api_key("shop", KEY, ["read"], NOW + timedelta(days=3))]), "api-keys", "warning", "14 days"),
        (of_here(keys=[api_key("shop", KEY, ["read"])], client_key_known=False), "api-keys", "warning", "SAGA_API_KEY"),
        (of_data(writable=False), "data-directory", "failed", "can't write"),
        (of_data(free_bytes=1 << 20), "data-directory", "warning", "1 MiB"),
        (of_data(service={"url": "http://x", "pid": 7}), "data-directory", "warning", "was killed"),
        (of_data(ServiceFacts(None, AWAY, AWAY, AWAY), port_free=False), "port", "warning", "taken"),
        (of_here(ServiceFacts(None, AWAY, AWAY, AWAY)), "service", "unknown", "none is known"),
        (of_here(ServiceFacts("http://x", AWAY, AWAY, AWAY)), "service", "failed", "nobody answers"),
        (of_here(ServiceFacts("http://x", (503, {"detail": "bus gone"}), 200, AWAY)), "service", "failed", "bus gone"),
        (of_here(ServiceFacts("http://x", (200, {}), 401, AWAY)), "access", "warning", "401"),
        (of_here(ServiceFacts("http://x", (200, {}), 500, AWAY)), "access", "warning", "500"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_a_remedy(checks: list[Check], name: str, status: str, said: str) -> None:
    found = wrong(checks)[name]

    assert found.status.value == status
    assert said in found.detail
    assert found.remedy or status == "unknown"


def test_whoever_does_not_trust_a_certificate_is_told_where_to_name_its_authority() -> None:
    untrusted = Unknown("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    checks = [*of_mongo(hello=AWAY, servers=[untrusted]), *of_redis(info=untrusted)]
    remedies = {check.name: check.remedy for check in checks}
    assert "`tlsCAFile=` in SAGA_MONGO_URL" in remedies["mongodb"]
    assert "`ssl_ca_certs=` in SAGA_REDIS_URL" in remedies["redis"]


def test_one_thing_that_is_wrong_does_not_make_the_others_wrong() -> None:
    assert wrong(of_info(maxmemory_policy="allkeys-lru")).keys() == {"redis-eviction"}
    assert wrong(of_sagas(dead_letters=1)).keys() == {"dead-letters"}
    assert wrong(of_cluster(b={"aof_enabled": 0})).keys() == {"redis-persistence"}


def test_what_can_not_be_looked_at_is_unknown_and_not_wrong() -> None:
    gone: dict[str, Fact[Any]] = dict.fromkeys(("hello", "build", "parameters", "status", "members", "storage"), AWAY)
    found = wrong(of_mongo(**gone, write_s=AWAY, servers=[AWAY]))

    assert [check.name for check in found.values() if check.status is Status.FAILED] == ["mongodb"]
    assert {check.status for name, check in found.items() if name != "mongodb"} == {Status.UNKNOWN}


def test_the_servers_port_is_not_taken_by_another_program() -> None:
    assert wrong(of_data(port_free=False)) == {}


def test_a_difference_that_the_network_may_have_made_is_none() -> None:
    assert wrong(of_skew(0.8, uncertainty_s=0.6)) == {}


def test_an_unknown_clock_is_unknown() -> None:
    assert judge_skew("clock-mongodb", AWAY).status is Status.UNKNOWN


def test_indexes_are_not_missed_where_no_service_has_run() -> None:
    assert wrong(of_indexes({"saga_orchestrator.sagas": None})) == {}


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in (*of_mongo(), *of_redis(), *of_sagas(), *of_here())]

    assert len(names) == len(set(names))


def test_warnings_and_unknowns_are_no_failures() -> None:
    assert not has_failed([ok("a", "x"), warning("b", "x", "do"), unknown("c", "x")])
    assert has_failed(of_info(aof_enabled=0))


def test_json_has_what_programs_rely_on_and_no_password() -> None:
    shown = as_json("mongodb://joe:s3cret@a/", "redis://127.0.0.1:6379/0", None, of_info(aof_enabled=0))

    assert shown["mongo_url"] == "mongodb://joe:***@a/"
    assert shown["redis_url"] == "redis://127.0.0.1:6379/0"
    assert shown["ok"] is False
    assert {"name", "status", "detail", "remedy"} == shown["checks"][0].keys()


def test_people_see_each_problem_with_what_to_do_and_one_line_for_all_that_is_unknown() -> None:
    console = Console(width=120, record=True, file=None, no_color=True)
    checks = [*of_info(aof_enabled=0), unknown("x", "MongoDB is away"), unknown("y", "MongoDB is away")]
    with console.capture() as captured:
        console.print(as_text(None, "redis://:s3cret@a", "http://a", checks))
    lines = captured.get().splitlines()

    problem = next(number for number, line in enumerate(lines) if line.startswith("✘  redis-persistence"))
    assert any("→ `CONFIG SET appendonly yes`" in line for line in lines[problem + 1 : problem + 3])
    assert "? MongoDB is away, so not looked at: x, y" in lines
    assert lines[-1] == "10 ok, 1 failed, 2 unknown"
    assert "s3cret" not in "".join(lines)


def test_planned_faults_with_which_no_service_starts_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAGA_CHAOS_PLAN", "{}")
    here = look_here(DataDirectory(tmp_path), 5)
    assert any("Unset SAGA_CHAOS_PLAN" in problem for problem in here.problems)
    assert here.strange == []


def test_every_check_is_in_the_documentation() -> None:
    written = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    checks = [*of_mongo(), *of_redis(), *of_sagas(), *of_here(), *of_indexes({}), *of_skew(0)]

    assert [check.name for check in checks if f"`{check.name}`" not in written] == []
