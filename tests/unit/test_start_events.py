"""Sagas that other services' events start: which event starts what, once, and what is said of one that can't."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import field_validator

from adapters.bus import Ack, Dead, Delivery, Entry, Verdict
from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.memory_bus import MemoryBus
from adapters.streams.names import Streams
from orchestrator import start_events
from orchestrator.admission import Admission
from orchestrator.announcer import Announcer
from orchestrator.core.state import SagaState
from orchestrator.engine import Engine
from orchestrator.metrics.recorder import Recorder
from orchestrator.start_events import StartEvents, saga_id
from orchestrator.starting import Starter
from sagas import Definitions, Event, InvalidDefinition, Saga, step
from support.buses import RememberedPlaces
from support.engines import CountingStore
from support.metrics import read
from support.start_events import (
    SEND_MAIL,
    STREAM,
    Known,
    OrderCreated,
    event,
    mailing,
    order_created,
    survey,
    thanks,
)

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Shop:
    """The handler of the shop's stream, over stores in memory."""

    def __init__(self, *sagas: Saga, limit: int = 1_000) -> None:
        clock = SystemClock()
        self.bus = MemoryBus(clock)
        self.store = CountingStore()
        self.engine = Engine(Definitions(sagas or [thanks]), self.store, Announcer(self.bus, Streams(), clock), clock)
        self.recorder = Recorder()
        self.starter = Starter(self.engine)
        self.admission = Admission(self.store, clock, limit=limit)
        self.handler = StartEvents(STREAM, sagas or [thanks], self.starter, self.admission, self.recorder.start_events)

    async def read(self, *entries: Entry) -> Sequence[Verdict]:
        return await self.handler(
            [Delivery(entry.stream, f"{number}-0", entry.fields) for number, entry in enumerate(entries, 1)]
        )

    async def reason(self, entry: Entry) -> str:
        """Why the entry is dead."""
        (verdict,) = await self.read(entry)
        assert isinstance(verdict, Dead), verdict
        return verdict.reason

    @property
    def sagas(self) -> dict[str, SagaState]:
        return self.store.sagas


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_an_event_starts_a_saga_with_its_data(shop: Shop) -> None:
    assert await shop.read(order_created(1, traceparent=TRACEPARENT)) == [Ack()]

    (saga,) = shop.sagas.values()
    assert (saga.saga, saga.id) == ("thanks", saga_id("thanks", "o-1"))
    assert saga.data == {"order_id": "o-1", "customer_id": "alice", "note": None}
    assert saga.traceparent == TRACEPARENT
    await shop.starter.stop()
    assert len(shop.bus.server.entries("saga.commands.mail")) == 1


async def test_the_id_is_one_that_other_programs_can_make() -> None:
    # printf 'event\0thanks\0o-1' | sha256sum | cut -c-40
    assert saga_id("thanks", "o-1") == "4164a3bca09c22a19af2336230ae804a15e62d9a"


async def test_the_same_event_again_is_the_same_saga(shop: Shop) -> None:
    snake = event("ORDER_CREATED", {"customer_id": "alice", "order_id": "o-1", "orderId": "o-1"})
    reordered = event("ORDER_CREATED", {"customerId": "alice", "orderId": "o-1"}, timestamp="2027-01-01T00:00:00Z")

    assert await shop.read(order_created(1), order_created(1), reordered) == [Ack()] * 3
    assert await shop.read(order_created(1)) == [Ack()]
    assert len(shop.sagas) == 1
    assert "orderId" in await shop.reason(snake)


async def test_the_same_key_with_other_data_is_dead_and_says_which_saga_has_it(shop: Shop) -> None:
    first, second = await shop.read(order_created(1), order_created(1, customer="bob"))

    assert first == Ack()
    assert second == Dead(
        f"the saga {saga_id('thanks', 'o-1')} of thanks has this key, and was started with other data"
    )
    (saga,) = shop.sagas.values()
    assert saga.data["customer_id"] == "alice"


@pytest.mark.parametrize(
    "entry", [event("ORDER_CANCELLED", {"orderId": "o-1"}), event("ORDER_SHIPPED", [1]), Entry(STREAM, {"type": "X"})]
)
async def test_an_event_of_another_type_is_nobodys_business_here(shop: Shop, entry: Entry) -> None:
    assert await shop.read(entry) == [Ack()]
    assert not shop.sagas


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry(STREAM, {"data": "{}"}), "field 'type' is missing"),
        (Entry(STREAM, {"type": "ORDER_CREATED"}), "field 'data' is missing"),
        (Entry(STREAM, {"type": "ORDER_CREATED", "data": "{"}), "field 'data' is no JSON"),
        (event("ORDER_CREATED", ["o-1"]), "field 'data' must be a JSON object"),
        (event("ORDER_CREATED", {"customerId": "alice"}), "no key for thanks: key= raised KeyError: 'orderId'"),
        (event("ORDER_CREATED", {"orderId": ""}), "no key for thanks: key= gave an empty string"),
        (event("ORDER_CREATED", {"orderId": None}), "no key for thanks: key= gave NoneType"),
        (event("ORDER_CREATED", {"orderId": "x" * 513}), "no key for thanks: key= gave 513 characters"),
        (event("ORDER_CREATED", {"orderId": "o-1"}), "no input for thanks: OrderCreated.customer_id: Field required"),
        (
            event("ORDER_CREATED", {"orderId": "o-1", "customerId": 7}),
            "no input for thanks: OrderCreated.customerId: Input should be a valid string",
        ),
        (
            event("ORDER_CREATED", {"orderId": "o-1", "customerId": "a", "price": 1}),
            "no input for thanks: OrderCreated.price: Extra inputs are not permitted",
        ),
        (
            event("ORDER_CREATED", {"orderId": "o-1", "$where": 1}),
            "no input for thanks: /$where: a key must not start with",
        ),
    ],
)
async def test_what_can_never_start_a_saga_is_dead_and_says_why(shop: Shop, entry: Entry, reason: str) -> None:
    assert reason in await shop.reason(entry)
    assert not shop.sagas


async def test_a_bad_event_does_not_hold_up_its_batch(shop: Shop) -> None:
    verdicts = await shop.read(order_created(1), event("ORDER_CREATED", {}), order_created(2))

    assert [type(verdict) for verdict in verdicts] == [Ack, Dead, Ack]
    assert len(shop.sagas) == 2


async def test_a_validator_that_breaks_is_said_and_holds_up_nothing() -> None:
    class Odd(OrderCreated):
        @field_validator("customer_id")
        @classmethod
        def look_up(cls, value: str) -> str:
            return {"bob": "bob"}[value]

    event_of = Event("ORDER_CREATED", stream=STREAM, key=lambda data: data["orderId"])
    odd = Saga("odd", version=1, input=Odd, data=Known, steps=[step("send-mail", SEND_MAIL)], starts_on=event_of)
    dead, fine = await Shop(odd).read(order_created(1), order_created(2, customer="bob"))
    assert dead == Dead("no input for odd: KeyError: 'alice'")
    assert fine == Ack()


async def test_a_batch_of_events_is_one_write(shop: Shop) -> None:
    await shop.read(*map(order_created, range(200)))
    assert shop.store.inserted == [200]


async def test_sagas_that_start_on_one_stream_each_get_their_events() -> None:
    shop = Shop(
        thanks, survey, mailing("audit", Event("ORDER_CREATED", stream=STREAM, key=lambda data: data["orderId"]))
    )
    delivered = event("ORDER_DELIVERED", {"order": {"id": "o-1"}, "customer": "alice", "van": 7})

    assert await shop.read(order_created(1), delivered) == [Ack(), Ack()]
    assert sorted(saga.saga for saga in shop.sagas.values()) == ["audit", "survey", "thanks"]


async def test_an_event_that_one_saga_cannot_use_still_starts_the_others() -> None:
    picky = mailing("picky", Event("ORDER_CREATED", stream=STREAM, key=lambda data: data["number"]))

    assert await Shop(picky, thanks).reason(order_created(1)) == "no key for picky: key= raised KeyError: 'number'"
    shop = Shop(picky, thanks)
    await shop.read(order_created(1))
    assert [saga.saga for saga in shop.sagas.values()] == ["thanks"]


@pytest.mark.parametrize(
    "bad", ["", "nonsense", TRACEPARENT.upper(), TRACEPARENT + "0", "00-" + "0" * 32 + "-b7ad6b7169203331-01"]
)
async def test_a_traceparent_that_is_none_is_dropped(shop: Shop, bad: str) -> None:
    await shop.read(order_created(1, traceparent=bad))
    (saga,) = shop.sagas.values()
    assert saga.traceparent is None


@pytest.mark.parametrize("timestamp", ["", "yesterday", "1767225600"])
async def test_the_timestamp_is_advisory(shop: Shop, timestamp: str) -> None:
    assert await shop.read(order_created(1, timestamp=timestamp)) == [Ack()]


async def test_what_came_of_each_event_is_counted(shop: Shop) -> None:
    await shop.read(order_created(1), order_created(2), order_created(1), order_created(1, customer="bob"))
    await shop.read(order_created(2), event("ORDER_SHIPPED", {}))
    found = read(shop.recorder.registry).all("saga_start_events_total")
    assert found == {("dead", STREAM): 1, ("ignored", STREAM): 1, ("repeated", STREAM): 2, ("started", STREAM): 2}


async def test_while_the_store_is_away_the_batch_comes_again(shop: Shop) -> None:
    shop.store.away = True
    with pytest.raises(Unavailable):
        await shop.read(order_created(1))
    shop.store.away = False
    assert await shop.read(order_created(1)) == [Ack()]


async def test_an_orchestrator_that_stops_leaves_them_pending(shop: Shop) -> None:
    await shop.starter.stop()
    with pytest.raises(Unavailable, match="stopping"):
        await shop.read(order_created(1))


async def test_there_is_room_for_as_many_as_may_be_in_flight() -> None:
    shop = Shop(limit=3)
    assert shop.handler.room() == 3
    await shop.read(order_created(1), order_created(2))
    assert shop.handler.room() == 1
    await shop.read(order_created(3), order_created(4))
    assert shop.handler.room() == 0
    await shop.admission.sample()
    assert shop.handler.room() == 0


@pytest.mark.parametrize("stream", ["saga.replies", "saga.events", "saga.commands.mail", "saga.commands.mail.dead"])
def test_a_stream_of_our_own_starts_nothing(stream: str) -> None:
    shop = Shop()
    odd = Definitions([mailing("odd", Event("X", stream=stream, key=lambda data: data["id"]))])
    with pytest.raises(InvalidDefinition, match=f"odd: starts_on= names '{stream}'"):
        start_events.subscribe(shop.bus, Streams(), odd, shop.starter, shop.admission, RememberedPlaces())


async def test_one_stream_is_read_once_for_all_its_sagas() -> None:
    shop = Shop()
    definitions = Definitions([thanks, survey])
    handlers = start_events.subscribe(
        shop.bus, Streams(), definitions, shop.starter, shop.admission, RememberedPlaces()
    )
    assert list(handlers) == [STREAM]
    await shop.bus.run_until_idle()
    await shop.bus.publish([order_created(1), order_created(1, customer="bob")])
    await shop.bus.run_until_idle()
    assert [key for key in shop.bus.server.groups if key[0] == STREAM] == [(STREAM, "saga.orchestrator")]
    assert len(shop.sagas) == 1
    (letter,) = shop.bus.server.entries(f"{STREAM}.dead")
    assert json.loads(letter["data"])["customerId"] == "bob"


@pytest.mark.parametrize(("start", "sagas"), [("$", 0), ("beginning", 1)])
async def test_the_past_of_a_stream_is_read_only_where_that_is_wanted(start: Any, sagas: int) -> None:
    shop = Shop()
    early = mailing("early", Event("ORDER_CREATED", stream=STREAM, key=lambda data: data["orderId"], start=start))
    definitions = Definitions([early])
    engine = Engine(definitions, shop.store, Announcer(shop.bus, Streams(), SystemClock()), SystemClock())
    await shop.bus.publish([order_created(1)])
    start_events.subscribe(shop.bus, Streams(), definitions, Starter(engine), shop.admission, RememberedPlaces())
    await shop.bus.run_until_idle()
    assert len(shop.sagas) == sagas
