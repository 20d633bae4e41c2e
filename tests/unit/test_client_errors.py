"""What goes wrong, as both clients tell it: who must react, and what to do."""

import asyncio

import httpx
import pytest

from client import (
    AccessDenied,
    AnswerLost,
    Conflict,
    InvalidRequest,
    NotFound,
    Retries,
    SagaClient,
    SagaError,
    SyncSagaClient,
    Unavailable,
    UnexpectedAnswer,
)
from client.wire import finished
from support.clients import Either, Network, Step, refused, reply, shown
from support.scripted import saga_json

REFUSED = httpx.ConnectError("connection refused")


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(params=[SagaClient, SyncSagaClient])
def client(request: pytest.FixtureRequest, network: Network) -> Either:
    return Either(request.param, network)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refused("saga-not-found", 404, "No saga has this id."), NotFound, "No saga has this id"),
        (refused("id-taken", 409), Conflict, "Look at it again"),
        (refused("revision-changed", 412), Conflict, "Look at it again"),
        (refused("unauthenticated", 401), AccessDenied, "key="),
        (refused("scope-missing", 403), AccessDenied, "scope"),
        (refused("body-too-large", 413), InvalidRequest, "no"),
        (refused("unavailable", 503, retry_after="60"), Unavailable, "Try again later"),
        (refused("internal-error", 500), Unavailable, "no"),
        (reply(404, text="<html>nginx</html>"), NotFound, "nginx"),
        (reply(500), Unavailable, "status 500"),
        (reply(302, headers={"Location": "/"}), UnexpectedAnswer, "302"),
        (reply(200, text="<html>hello</html>"), UnexpectedAnswer, "not a saga service"),
        (shown([1]), UnexpectedAnswer, "not a saga service"),
        (shown(saga_json("sleeping")), UnexpectedAnswer, "different versions"),
        (REFUSED, Unavailable, "No service answers at http://saga"),
        (httpx.ReadTimeout("read timed out"), AnswerLost, "no answer"),
    ],
)
async def test_an_error_says_who_must_react(network: Network, answer: Step, error: type[SagaError], said: str) -> None:
    for kind in (SagaClient, SyncSagaClient):
        client = Either(kind, network.on(answer), retries=Retries(attempts=1))
        with pytest.raises(error, match=said) as raised:
            await client.ask("get", "one")
        assert type(raised.value) is error


async def test_a_call_that_waits_can_not_be_run_by_starting_it() -> None:
    with pytest.raises(RuntimeError, match="has waited"):
        finished(asyncio.Event().wait())


async def test_a_problem_is_there_for_programs(client: Either, network: Network) -> None:
    faults = [{"pointer": "/data/items", "detail": "is missing"}]
    network.on(refused("invalid-request", 422, "There is 1 fault.", errors=faults))

    with pytest.raises(InvalidRequest, match="/data/items: is missing") as raised:
        await client.ask("start", "order", {})

    error = raised.value
    assert (error.type, error.status, error.detail) == ("/problems/invalid-request", 422, "There is 1 fault.")
    assert [(one.pointer, one.detail) for one in error.errors] == [("/data/items", "is missing")]


async def test_a_refusal_tells_its_code_and_an_overload_when_to_come_back(client: Either, network: Network) -> None:
    network.on(refused("refused", 409, code="pivot-passed"), refused("overloaded", 503, retry_after="60"))

    with pytest.raises(Conflict) as conflict:
        await client.ask("cancel", "one")
    with pytest.raises(Unavailable) as overload:
        await client.ask("cancel", "one")

    assert conflict.value.code == "pivot-passed"
    assert overload.value.retry_after_s == 60.0
    assert network.pauses == []


@pytest.mark.parametrize("saga_id", ["", "events", "..", "a/b", "x" * 65, "a b"])
async def test_what_no_id_can_be_is_not_asked_for(client: Either, network: Network, saga_id: str) -> None:
    with pytest.raises(NotFound):
        await client.ask("get", saga_id)
    assert network.requests == []


@pytest.mark.parametrize("key", ["", "naïve", "a\nb"])
async def test_a_key_that_no_header_can_hold_is_refused(client: Either, network: Network, key: str) -> None:
    with pytest.raises(InvalidRequest, match="visible ASCII"):
        await client.ask("start", "order", {}, key=key)
    assert network.requests == []


@pytest.mark.parametrize("key", ["secret\n", "se cret", "sécret", "secret\x00"])
def test_what_no_api_key_can_be_is_refused_at_once_and_not_repeated(key: str) -> None:
    for kind in (SagaClient, SyncSagaClient):
        with pytest.raises(ValueError, match="API key") as refused:
            kind("http://saga", key=key)
        assert "cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "saga:8700", "ftp://saga", "http://", "http://saga:port", "http://[::1"])
def test_what_is_no_url_of_a_service_is_refused_at_once(url: str) -> None:
    for kind in (SagaClient, SyncSagaClient):
        with pytest.raises(ValueError, match="is not a service's URL"):
            kind(url)
