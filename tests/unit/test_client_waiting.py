"""Waiting for a saga while its service is away."""

import httpx
import pytest

from client import NotEnded, SagaClient, Status, SyncSagaClient, Unavailable
from support.clients import Either, Network, shown
from support.scripted import saga_json

AWAY = httpx.ConnectError("connection refused")


@pytest.fixture
def network() -> Network:
    return Network([shown(saga_json("running"))])


@pytest.fixture(params=[SagaClient, SyncSagaClient])
def client(request: pytest.FixtureRequest, network: Network) -> Either:
    return Either(request.param, network)


async def test_waiting_outlasts_a_restart_of_the_service(client: Either, network: Network) -> None:
    network.on(*[AWAY] * 7, shown(saga_json("completed")))

    assert (await client.ask("wait", "one", timeout_s=60)).status is Status.COMPLETED


async def test_waiting_ends_in_time_also_while_the_service_is_away(client: Either, network: Network) -> None:
    network.on(AWAY)

    with pytest.raises(NotEnded) as raised:
        await client.ask("wait", "one", timeout_s=30)

    assert raised.value.saga.status is Status.RUNNING


async def test_waiting_gives_up_on_a_service_that_does_not_come_back(client: Either, network: Network) -> None:
    begun_s = network.time_s
    network.on(AWAY)

    with pytest.raises(Unavailable):
        await client.ask("wait", "one", timeout_s=3_600)

    assert 300 <= network.time_s - begun_s < 330
