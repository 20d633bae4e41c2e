"""compose.yaml for real: orders, what containers may not do, several of each, and two of them killed under load."""

import asyncio
from collections.abc import Iterator

import pytest

from support import eventually
from support.composed import PROJECT, Composed, composed, why_not
from support.running import say

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

ORDER = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
KINDS = {"completed": ORDER, "compensated": {**ORDER, "customer_id": "broke"}}
OURS = ("orchestrator", "inventory", "payment", "orders")
LOAD, PER_S = 600, 20

WRITE = "open('{}', 'w').write('x'); print('written')"
STATUS = "print(*[line.strip() for line in open('/proc/self/status') if line[:6] in ('Uid:\\t1', 'CapEff', 'NoNewP')])"
MONGO = """
import pymongo
client = pymongo.MongoClient(open('/run/secrets/mongo_url').read().strip())
try:
    print({})
except pymongo.errors.OperationFailure as error:
    print(error.code, error.details['errmsg'][:60])
"""
REDIS = """
import redis
client = redis.Redis.from_url(open('/run/secrets/redis_url').read().strip(), driver_info=None)
try:
    print(client.execute_command(*{}))
except redis.exceptions.NoPermissionError as error:
    print('NOPERM', error)
"""
REACH = """
import socket
try:
    socket.create_connection(({!r}, {}), 3)
    print('reached')
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def project() -> Iterator[Composed]:
    with composed() as project:
        project.up("--build")
        yield project


async def test_an_order_of_each_kind_comes_to_its_end(project: Composed) -> None:
    async with project.client() as client:
        for status, order in KINDS.items():
            body = {"saga": "order", "data": order}
            answer = await client.post("/v1/sagas", json=body, headers={"Prefer": "wait=20"})
            assert answer.json()["status"] == status
        assert (await client.get("/v1/sagas", headers={"Authorization": ""})).status_code == 401
    shown = project.compose("run", "--rm", "-T", "saga", "ls", "--json").stdout
    assert shown.count('"completed"') >= 1


@pytest.mark.parametrize("service", OURS)
def test_a_container_writes_nothing_but_to_its_tmp_and_is_nobody(project: Composed, service: str) -> None:
    for path in ("/opt/saga/x", "/etc/x", "/x"):
        assert "Read-only file system" in project.python(service, WRITE.format(path))
    assert "written" in project.python(service, WRITE.format("/tmp/x"))  # noqa: S108
    assert "Read-only file system" in project.python(service, WRITE.format("/run/secrets/mongo_url"))
    status = project.python(service, STATUS)
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert project.python(service, "import os; print(os.getuid(), os.getgid())").split() == ["10001", "10001"]


@pytest.mark.parametrize("service", ["mongo", "redis", "balancer"])
def test_neither_does_one_that_is_not_ours(project: Composed, service: str) -> None:
    done = project.compose("exec", "-T", service, "sh", "-c", "id -u; touch /etc/x", check=False)
    assert "Read-only file system" in done.stderr
    assert done.stdout.strip() != "0"


def test_a_service_reads_and_writes_nothing_of_another(project: Composed) -> None:
    assert project.python("inventory", MONGO.format("client.saga_payment.accounts.find_one()")).startswith(
        "13 not auth"
    )
    assert project.python("inventory", MONGO.format("client.saga_inventory.ledger.delete_many({})")).startswith("13 ")
    assert (
        project.python("inventory", MONGO.format("client.saga_inventory.products.count_documents({})")).strip() == "3"
    )
    forged = ("XADD", "saga.commands.inventory", "*", "id", "forged")
    theirs = ("XREADGROUP", "GROUP", "payment", "thief", "STREAMS", "saga.commands.payment", ">")
    for command in (forged, theirs, ("FLUSHALL",), ("KEYS", "*")):
        assert project.python("inventory", REDIS.format(command)).startswith("NOPERM")
    assert project.python("inventory", REDIS.format(("XLEN", "saga.commands.inventory"))).strip().isdigit()


def test_a_participant_reaches_the_databases_and_nobody_else(project: Composed) -> None:
    for host, port in (("mongo", 27017), ("redis", 6379)):
        assert project.python("inventory", REACH.format(host, port)).strip() == "reached"
    for host, port in (("orchestrator", 8700), ("balancer", 8700), ("payment", 9464)):
        assert project.python("inventory", REACH.format(host, port)).strip() == "gaierror"
    # What an attempt at the world ends with differs between versions of Docker, and silence would prove nothing.
    assert project.docker("network", "inspect", "--format", "{{.Internal}}", f"{PROJECT}_inventory").strip() == "true"


async def test_two_of_five_are_killed_under_load_and_every_saga_ends(
    project: Composed, capsys: pytest.CaptureFixture[str]
) -> None:
    scaled = ("--scale", "orchestrator=2", "--scale", "inventory=3")
    await asyncio.to_thread(project.up, *scaled)
    placing = asyncio.create_task(project.place("load", LOAD, PER_S, ORDER))
    for service, share in (("orchestrator", 0.3), ("inventory", 0.6)):
        await eventually(lambda share=share: len(project.accepted) > LOAD * share, within_s=120)  # type: ignore[misc]
        killed = (await asyncio.to_thread(project.compose, "ps", "-q", service)).stdout.split()[0]
        await asyncio.to_thread(project.strike, killed)
    await placing

    async def all_ended() -> bool:
        found = await asyncio.to_thread(project.statuses)
        return not {"running", "compensating", "stuck"} & found.keys()

    await eventually(all_ended, within_s=120)
    found, wrong = project.statuses(), project.violations()
    say(capsys, f"{len(project.accepted)} accepted, {found}, {wrong}, longest pause {project.longest_pause_s:.1f} s")
    assert len(project.accepted) == LOAD
    assert wrong == []
    assert sum(found.values()) >= LOAD
