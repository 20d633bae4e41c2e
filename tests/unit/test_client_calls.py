"""What both clients send, and what they make of the answers."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from client import (
    AnswerLost,
    NotEnded,
    Problem,
    SagaClient,
    Start,
    Status,
    SyncSagaClient,
    Unavailable,
)
from sagas.order import Order, PlacedItem, PlaceOrder, order
from support.clients import Either, Network, Step, refused, reply, shown
from support.scripted import saga_json, scripted_service

BOOTS = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
PLACE = PlaceOrder(customer_id="alice", items=[PlacedItem(product_id="boots", quantity=1)])
BROKEN = httpx.ReadError("broke off")
REFUSED = httpx.ConnectError("connection refused")


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(params=[SagaClient, SyncSagaClient])
def client(request: pytest.FixtureRequest, network: Network) -> Either:
    return Either(request.param, network)


async def test_a_saga_is_started_by_its_definition_and_typed_by_it(client: Either, network: Network) -> None:
    network.on(shown(saga_json(data=BOOTS | {"amount": 1999}), 202))

    saga = await client.ask("start", order, PLACE, id="one")

    assert network.sent == [("POST", "/v1/sagas", {"saga": "order", "id": "one", "data": BOOTS})]
    assert isinstance(saga.data, Order)
    assert (saga.data.amount, saga.data.items[0].product_id, saga.completed) == (1999, "boots", True)


async def test_a_saga_is_started_by_its_name_and_a_dict(client: Either, network: Network) -> None:
    network.on(shown(saga_json(), 202))

    saga = await client.ask("start", "order", BOOTS, key='say "hi"')

    assert network.sent == [("POST", "/v1/sagas", {"saga": "order", "data": BOOTS})]
    assert network.requests[0].headers["Idempotency-Key"] == '"say \\"hi\\""'
    assert saga.data == {"customer_id": "alice"}
    assert saga.to_json() == saga_json()


async def test_a_start_whose_answer_was_lost_is_repeated_with_the_same_id(client: Either, network: Network) -> None:
    network.on(BROKEN, refused("overloaded", 503, retry_after="3"), shown(saga_json(), 202))

    await client.ask("start", "order", BOOTS)

    assert [body["id"] for _, _, body in network.sent] == ["id-1", "id-1", "id-1"]
    assert network.pauses == [0.5, 3.0]


async def test_retries_end(client: Either, network: Network) -> None:
    network.on(BROKEN)

    with pytest.raises(AnswerLost, match="started again with id='id-1', nothing starts twice") as raised:
        await client.ask("start", "order", BOOTS)

    assert raised.value.ids == ("id-1",)
    assert len(network.requests) == 5
    assert network.pauses == [0.5, 1.0, 2.0, 4.0]


async def test_a_start_waits_for_the_end_a_little_at_a_time(client: Either, network: Network) -> None:
    network.answer_takes_s = 5.0
    network.on(shown(saga_json("running"), 202), shown(saga_json("running")), shown(saga_json("completed")))

    saga = await client.ask("start", order.name, BOOTS, wait_s=12)

    assert saga.completed
    assert [(one.method, one.headers["Prefer"]) for one in network.requests] == [
        ("POST", "wait=5"),
        ("GET", "wait=5"),
        ("GET", "wait=2"),
    ]


async def test_a_saga_that_was_started_stays_so_where_nobody_tells_its_end(client: Either, network: Network) -> None:
    network.on(shown(saga_json("running"), 202), BROKEN)

    assert (await client.ask("start", "order", BOOTS, wait_s=60)).status is Status.RUNNING


async def test_starts_that_may_have_been_done_say_with_which_ids_to_ask_again(client: Either, network: Network) -> None:
    network.on(refused("unavailable", 503, "no primary", retry_after="60"))
    two = [Start(saga="order", data=BOOTS), Start(saga="order", data=BOOTS, id="mine")]

    with pytest.raises(Unavailable, match="the ids in `ids`") as raised:
        await client.ask("start_many", two)
    with pytest.raises(Unavailable) as keyed:
        await client.ask("start_many", two[:1], key="k")

    assert raised.value.ids == ("id-1", "mine")
    assert keyed.value.ids == ()


async def test_a_start_that_waits_returns_what_is_there_when_the_time_is_over(client: Either, network: Network) -> None:
    network.answer_takes_s = 5.0
    network.on(shown(saga_json("running"), 202))

    assert (await client.ask("start", "order", BOOTS, wait_s=9)).status is Status.RUNNING
    assert len(network.requests) == 2


async def test_waiting_ends_with_the_saga_or_where_a_person_is_needed(client: Either, network: Network) -> None:
    network.answer_takes_s = 5.0
    network.on(shown(saga_json("running")), shown(saga_json("stuck")))

    assert (await client.ask("wait", "one", timeout_s=60)).status is Status.STUCK


async def test_waiting_for_too_long_says_what_the_saga_waits_for(client: Either, network: Network) -> None:
    network.answer_takes_s = 5.0
    network.on(shown(saga_json("running", data=BOOTS, waiting_for="Waits since noon for payment.")))

    with pytest.raises(NotEnded, match="Waits since noon") as raised:
        await client.ask("wait", "one", order, timeout_s=20)

    assert raised.value.saga.id == "one"


async def test_a_service_that_does_not_wait_is_not_asked_without_a_pause(client: Either, network: Network) -> None:
    network.on(shown(saga_json("running")))

    with pytest.raises(NotEnded):
        await client.ask("wait", "one", timeout_s=3)

    assert network.pauses == [0.5] * 6


async def test_many_sagas_have_one_result_each(client: Either, network: Network) -> None:
    problem = {"type": "/problems/unknown-saga", "title": "?", "status": 422, "detail": "no saga of this name"}
    network.on(BROKEN, shown({"results": [saga_json(data=BOOTS), problem]}))

    found, wrong = await client.ask("start_many", [Start(saga=order, data=PLACE), Start(saga="odor", data={}, id="x")])

    assert isinstance(found.data, Order)
    assert wrong == Problem(422, "/problems/unknown-saga", "?", "no saga of this name")
    bodies = [body["sagas"] for _, _, body in network.sent]
    assert bodies[0] == bodies[1]
    assert [one["id"] for one in bodies[0]] == ["id-1", "x"]


async def test_many_sagas_with_a_key_need_no_ids(client: Either, network: Network) -> None:
    network.on(shown({"results": [saga_json()]}))
    await client.ask("start_many", [Start(saga="order", data=BOOTS)], key="k")
    assert network.sent == [("POST", "/v1/sagas:batch", {"sagas": [{"saga": "order", "data": BOOTS}]})]
    assert network.requests[0].headers["Idempotency-Key"] == '"k"'


async def test_a_list_is_read_page_by_page_as_it_is_wanted(client: Either, network: Network) -> None:
    page = [saga_json(id=f"s{number}", data=BOOTS) for number in range(100)]
    empty = shown({"items": [], "next": "c2"})
    network.on(shown({"items": page, "next": "c1"}), empty, shown({"items": page[:50], "next": None}))
    since = datetime(2030, 1, 1, 12, tzinfo=UTC)

    found = await client.items("find", saga=order, status="stuck", since=since, q="s")
    assert (len(found), isinstance(found[0].data, Order)) == (150, True)
    assert [path for _, path, _ in network.sent] == [
        "/v1/sagas?saga=order&status=stuck&since=2030-01-01T12%3A00%3A00%2B00%3A00&q=s&limit=100",
        "/v1/sagas?saga=order&status=stuck&since=2030-01-01T12%3A00%3A00%2B00%3A00&q=s&limit=100&cursor=c1",
        "/v1/sagas?saga=order&status=stuck&since=2030-01-01T12%3A00%3A00%2B00%3A00&q=s&limit=100&cursor=c2",
    ]


async def test_a_list_reads_no_more_than_is_wanted(client: Either, network: Network) -> None:
    network.on(shown({"items": [saga_json(id=f"s{number}") for number in range(100)], "next": "c1"}))

    assert len(await client.items("find", at_most=3)) == 3
    assert len(await client.items("find", limit=100)) == 100
    assert [path for _, path, _ in network.sent] == ["/v1/sagas?limit=100"] * 2


async def test_an_act_names_its_reason_and_revision_and_is_not_repeated(client: Either, network: Network) -> None:
    network.on(BROKEN)

    with pytest.raises(AnswerLost, match="Look before you ask again"):
        await client.ask("skip", "one", reason="by hand", data={"amount": 1}, revision=7)

    assert network.sent == [("POST", "/v1/sagas/one/skip", {"reason": "by hand", "data": {"amount": 1}})]
    assert network.requests[0].headers["If-Match"] == '"7"'


@pytest.mark.parametrize("action", ["cancel", "retry", "abort"])
async def test_an_act_that_did_not_arrive_is_repeated(client: Either, network: Network, action: str) -> None:
    network.on(REFUSED, refused("overloaded", 503), shown(saga_json("compensating"), 202))

    assert (await client.ask(action, "one", reason="why")).status is Status.COMPENSATING
    assert network.sent == [("POST", f"/v1/sagas/one/{action}", {"reason": "why"})] * 3


LETTER = {
    "id": "a" * 32,
    "stream": "saga.replies",
    "entry_id": "1-1",
    "at": "2030-01-01T12:00:00.000Z",
    "reason": "unreadable",
    "saga_id": None,
    "type": None,
    "truncated": False,
    "redrives": 0,
    "redriven_at": None,
    "redriven_by": None,
}


async def test_dead_letters_are_listed_looked_at_redriven_and_deleted(client: Either, network: Network) -> None:
    network.on(shown({"items": [LETTER], "next": None}), shown(LETTER | {"fields": {"a": "b"}}), shown(LETTER, 202))
    network.on(shown(LETTER, 202), reply(204))

    (letter,) = await client.items("dead_letters")
    assert (letter.fields, (await client.ask("dead_letter", letter.id)).fields) == (None, {"a": "b"})
    await client.ask("redrive", letter.id)
    await client.ask("redrive", letter.id, again=True)
    await client.ask("delete_dead_letter", letter.id)

    path = f"/v1/dead-letters/{'a' * 32}"
    assert [(method, at) for method, at, _ in network.sent[2:]] == [
        ("POST", f"{path}/redrive"),
        ("POST", f"{path}/redrive?again=true"),
        ("DELETE", path),
    ]


@pytest.mark.parametrize(
    ("then", "methods"),
    [
        ([refused("dead-letter-not-found", 404)], ["DELETE", "GET"]),
        ([shown(LETTER), reply(204)], ["DELETE", "GET", "DELETE"]),
    ],
)
async def test_whether_a_lost_delete_was_done_is_looked_at(
    client: Either, network: Network, then: list[Step], methods: list[str]
) -> None:
    network.on(BROKEN, *then)
    await client.ask("delete_dead_letter", LETTER["id"])
    assert [method for method, _, _ in network.sent] == methods


async def test_readiness_is_an_answer_also_where_nobody_answers(client: Either, network: Network) -> None:
    network.on(
        shown({"status": "ready", "checks": {"mongodb": "ok"}}),
        refused("not-ready", 503, checks={"mongodb": "has no primary that answers"}),
        REFUSED,
    )

    found = [await client.ask("readiness") for _ in range(3)]

    assert [one.ready for one in found] == [True, False, False]
    assert found[1].checks == {"mongodb": "has no primary that answers"}
    assert "no answer from http://saga" in found[2].checks["service"]


async def test_the_key_is_sent(network: Network) -> None:
    for kind in (SagaClient, SyncSagaClient):
        await Either(kind, network.on(shown(saga_json())), key="secret").ask("get", "one")
    assert [one.headers["Authorization"] for one in network.requests] == ["Bearer secret"] * 2


async def test_nothing_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # The service is on this machine, or in this network.
    with scripted_service() as service:
        service.on("GET /v1/sagas/one", saga_json())
        async with SagaClient(service.url) as sagas:
            assert (await sagas.get("one")).id == "one"
        with SyncSagaClient(service.url) as blocking:
            assert blocking.get("one").id == "one"


def test_both_clients_can_do_the_same() -> None:
    def calls(kind: type[Any]) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert calls(SagaClient) == calls(SyncSagaClient)
    assert all(getattr(SagaClient, name).__doc__ for name in calls(SagaClient))
