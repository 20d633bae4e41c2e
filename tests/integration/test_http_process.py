"""The orchestrator as a process: how it starts, how it ends, and when it refuses to start."""

import asyncio
import random
import signal
import socket
from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from adapters.mongo import Mongo
from orchestrator.core.state import Status
from orchestrator.in_flight import ChangedDefinition, check_in_flight
from orchestrator.store import InFlight, MongoSagaStore, SagaStore
from sagas import Definitions
from sagas.order import order
from support import eventually
from support.clock import ManualClock
from support.listening import Hearing, listening
from support.orchestrator_process import answers, own_environment, process
from support.orders import started
from support.services import ordering, serving, settings_for
from support.store_fixtures import store

__all__ = ["store"]  # fixture

NOW = ManualClock().now()
WITHIN_S = 60.0  #: however slow the machine is


@pytest.fixture
def environment(mongo_url: str, redis_url: str) -> Mapping[str, str]:
    return own_environment(mongo_url, redis_url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_order_when_told_to(environment: Mapping[str, str], number: signal.Signals) -> None:
    async with process(environment) as child, httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as client:
        url = f"http://127.0.0.1:{environment['SAGA_HTTP_PORT']}"
        client.base_url = httpx.URL(url)
        await eventually(lambda: answers(client), within_s=WITHIN_S)
        waiting = asyncio.create_task(client.post("/v1/sagas", json=ordering(), headers={"Prefer": "wait=25"}))
        await eventually(lambda: _lists_one(client))
        child.send_signal(number)
        assert (await waiting).status_code == 202  # Nobody participates; the answer comes all the same.
        _, errors = await asyncio.wait_for(child.communicate(), WITHIN_S)
        assert child.returncode == 0, errors.decode()
        assert b"Traceback" not in errors
        assert b"orchestrator-stopped" in errors


async def test_open_streams_of_events_do_not_keep_it_from_ending(environment: Mapping[str, str]) -> None:
    async with process(environment) as child, httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as client:
        client.base_url = httpx.URL(f"http://127.0.0.1:{environment['SAGA_HTTP_PORT']}")
        await eventually(lambda: answers(client), within_s=WITHIN_S)
        saga_id = (await client.post("/v1/sagas", json=ordering())).json()["id"]
        hearings = [Hearing(), Hearing()]
        every = listening(client, "/v1/sagas/events", hearings[0])
        async with every, listening(client, f"/v1/sagas/{saga_id}/events", hearings[1]):
            await eventually(lambda: all(hearing.retry for hearing in hearings))
            child.terminate()
            _, errors = await asyncio.wait_for(child.communicate(), WITHIN_S)
        assert child.returncode == 0, errors.decode()
        assert b"orchestrator-stopped" in errors
        assert b"without completing" not in errors


async def _lists_one(client: httpx.AsyncClient) -> bool:
    return len((await client.get("/v1/sagas")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"SAGA_MONGO_URL": ""}, 2, "SAGA_MONGO_URL"),
        ({"SAGA_HTTP_HOST": "0.0.0.0"}, 2, "loopback"),
        ({"SAGA_DEFINITIONS": "sagas.nothing"}, 1, "there is no module 'sagas.nothing'"),
    ],
)
async def test_it_refuses_settings_that_cannot_work(
    environment: Mapping[str, str], change: dict[str, str], code: int, said: str
) -> None:
    async with process({**environment, **change}) as child:
        _, errors = await asyncio.wait_for(child.communicate(), WITHIN_S)
        assert (child.returncode, said in errors.decode()) == (code, True), errors.decode()
        assert b"Traceback" not in errors


async def test_a_port_that_is_taken_is_said_so(environment: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["SAGA_HTTP_PORT"]))):
        async with process(environment) as child:
            _, errors = await asyncio.wait_for(child.communicate(), WITHIN_S)
            assert child.returncode == 1
            assert b"Address already in use" in errors
            assert b"Traceback" not in errors


async def test_a_definition_changed_while_its_sagas_are_in_flight_is_refused(mongo_url: str, redis_url: str) -> None:
    settings = settings_for(mongo_url, redis_url)
    mongo = Mongo.connect(mongo_url)
    store = MongoSagaStore(mongo, settings.database, random.Random(1))
    await store.insert([replace(started("a", NOW).state, fingerprint="another")])
    with pytest.raises(
        ChangedDefinition, match="'order' version 1 is not the one with which 1 saga in flight began"
    ) as raised:
        async with serving(settings):
            pass
    assert "its input, data and messages too" in str(raised.value)
    assert "name= for endpoints" in str(raised.value)
    await mongo.close()


async def test_a_store_knows_the_definitions_in_flight(store: SagaStore) -> None:
    assert await store.in_flight() == []
    a, b, c = (started(saga_id, NOW).state for saga_id in "abc")
    await store.insert([a, b, replace(c, version=2, fingerprint="new")])
    found = sorted(await store.in_flight(), key=lambda one: one.version)
    assert found == [InFlight("order", 1, order.fingerprint, 2), InFlight("order", 2, "new", 1)]


async def test_an_unknown_version_is_only_reported(store: SagaStore) -> None:
    await store.insert([replace(started("a", NOW).state, version=7)])
    await check_in_flight(store, Definitions([order]))


async def test_ended_sagas_hold_no_definition_back(store: SagaStore) -> None:
    ended = replace(started("a", NOW).state, status=Status.COMPLETED, pending=(), wake_at=None, fingerprint="old")
    await store.insert([ended])
    await check_in_flight(store, Definitions([order]))
