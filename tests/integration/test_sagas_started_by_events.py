"""Sagas started by events on real servers: exactly the expected ones, whatever is killed, wiped, full or repeated."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from adapters.bus import Entry
from adapters.clock import SystemClock
from adapters.mongo import Mongo, find
from adapters.servers import RedisServer
from adapters.streams.settings import StreamSettings
from orchestrator.app import Orchestrator
from orchestrator.places import MongoPlaces
from orchestrator.settings import Settings
from orchestrator.start_events import saga_id
from support import eventually
from support.api import client_of
from support.buses import FAST
from support.metrics import Read
from support.services import settings_for
from support.source import ROOT
from support.start_events import STREAM, event, order_created

TESTS = Path(__file__).parents[1]
ALL = 10_000


class Shop:
    """The stream of a shop, and what became of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redis: Any = Redis.from_url(settings.redis_url, decode_responses=True)
        self.mongo = Mongo.connect(settings.mongo_url)
        self.database = self.mongo.database(settings.database)
        self.group = f"{settings.stream_prefix}orchestrator"

    async def publish(self, entries: Sequence[Entry]) -> None:
        """As another service does: one XADD each."""
        pipeline = self.redis.pipeline(transaction=False)
        for entry in entries:
            pipeline.xadd(entry.stream, entry.fields)
        await pipeline.execute()

    async def sagas(self) -> dict[str, Any]:
        return {found["_id"]: found for found in await find(self.database.sagas, {}, limit=ALL)}

    async def letters(self) -> list[Any]:
        return await find(self.database.dead_letters, {}, limit=ALL)

    async def settled(self) -> bool:
        """Whether our group has read everything and nothing of it is pending."""
        (row,) = [row for row in await self.redis.xinfo_groups(STREAM) if row["name"] == self.group]
        (newest,) = await self.redis.xrevrange(STREAM, count=1)
        return bool(row["pending"] == 0 and row["last-delivered-id"] == newest[0])

    async def aclose(self) -> None:
        await self.redis.aclose()
        await self.mongo.close()


@pytest.fixture
async def shop(mongo_url: str, own_redis: RedisServer) -> AsyncIterator[Shop]:
    made = Shop(settings_for(mongo_url, own_redis.url, definitions="support.start_events"))
    yield made
    await made.aclose()


@asynccontextmanager
async def following(shop: Shop, *, stream: StreamSettings = FAST, **changed: Any) -> AsyncIterator[Orchestrator]:
    """An orchestrator that reads the stream."""
    orchestrator = Orchestrator(shop.settings.model_copy(update=changed), stream=stream)
    await orchestrator.start()

    async def reads() -> bool:
        return not await orchestrator.bus.problems()

    try:
        await eventually(reads)
        yield orchestrator
    finally:
        await orchestrator.stop()


def ids(numbers: range) -> set[str]:
    return {saga_id("thanks", f"o-{number}") for number in numbers}


async def all_started(shop: Shop, numbers: range) -> bool:
    return (await shop.sagas()).keys() >= ids(numbers)


def mixture() -> list[Entry]:
    """1,000 events for 400 orders: repeats, conflicts, other types and nonsense among them, in any order."""
    repeats = [order_created(number) for number in range(300)]
    conflicts = [order_created(number, customer="mallory") for number in range(100)]
    others = [event("ORDER_SHIPPED", {"orderId": f"o-{number}"}) for number in range(150)]
    keyless = [event("ORDER_CREATED", {"customerId": "alice"}) for _ in range(50)]
    mixed = [*repeats, *conflicts, *others, *keyless]
    Random(7).shuffle(mixed)
    firsts = [order_created(number) for number in range(400)]
    return [*firsts[:200], *mixed[:300], *firsts[200:], *mixed[300:]]


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_thousand_events_with_repeats_and_conflicts_start_exactly_the_expected_sagas(
    shop: Shop, replicas: int
) -> None:
    async with AsyncExitStack() as running:
        for _ in range(replicas):
            await running.enter_async_context(following(shop))
        await shop.publish(entries := mixture())
        await eventually(shop.settled, within_s=30)
    sagas, letters = await shop.sagas(), await shop.letters()
    started_with = {saga["data"]["order_id"]: saga["data"]["customer_id"] for saga in sagas.values()}
    created = [json.loads(entry.fields["data"]) for entry in entries if entry.fields["type"] == "ORDER_CREATED"]
    others = [data for data in created if "orderId" in data and data["customerId"] != started_with[data["orderId"]]]

    assert len(entries) == 1_000
    assert sagas.keys() == ids(range(400))
    # With two replicas mallory's event may be first, and then the others of that order are the conflict.
    assert sum("was started with other data" in letter["reason"] for letter in letters) == len(others) >= 100
    assert sum("key= raised KeyError: 'orderId'" in letter["reason"] for letter in letters) == 50
    assert len(letters) == len(others) + 50 == await shop.redis.xlen(f"{STREAM}.dead")
    assert await shop.redis.xlen(STREAM) == 1_000


async def test_an_orchestrator_killed_between_storing_and_acknowledging_starts_each_saga_once(shop: Shop) -> None:
    settings = shop.settings
    await shop.publish([order_created(number) for number in range(100)])
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, str(TESTS / "support" / "dies_before_ack.py"), settings.mongo_url, settings.redis_url),
        *(settings.database_prefix, settings.stream_prefix),
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
    )
    assert await asyncio.wait_for(killed.wait(), 30) == -9
    assert (await shop.sagas()).keys() == ids(range(100)), "all are stored"
    assert (await shop.redis.xpending(STREAM, shop.group))["pending"] == 100, "and none is acknowledged"

    async with following(shop):
        await eventually(shop.settled, within_s=20)
    sagas = await shop.sagas()
    assert sagas.keys() == ids(range(100))
    assert {saga["revision"] for saga in sagas.values()} == {1}
    assert not await shop.letters()


async def test_after_flushall_what_is_published_then_starts_sagas(shop: Shop) -> None:
    async with following(shop):
        await shop.publish([order_created(number) for number in range(50)])
        await eventually(lambda: all_started(shop, range(50)))
        await shop.redis.flushall()
        await shop.publish([order_created(number) for number in range(40, 90)])
        await eventually(lambda: all_started(shop, range(90)), within_s=15)
        await eventually(shop.settled)
        assert (await shop.sagas()).keys() == ids(range(90))
        assert not await shop.letters()


async def test_a_destroyed_group_loses_nothing_and_starts_nothing_from_before_our_time(shop: Shop) -> None:
    await shop.publish([order_created(number) for number in range(1_000, 1_050)])
    async with following(shop):
        await shop.publish([order_created(number) for number in range(30)])
        await eventually(lambda: all_started(shop, range(30)))
        await shop.redis.xgroup_destroy(STREAM, shop.group)
        await shop.publish([order_created(number) for number in range(30, 60)])
        await eventually(lambda: all_started(shop, range(60)), within_s=15)
    await shop.redis.xgroup_destroy(STREAM, shop.group)
    await shop.publish([order_created(number) for number in range(60, 90)])
    async with following(shop):
        await eventually(lambda: all_started(shop, range(90)), within_s=15)
        await eventually(shop.settled)
        assert (await shop.sagas()).keys() == ids(range(90))
        assert not await shop.letters()


async def test_while_too_many_are_in_flight_the_others_wait_on_the_stream(shop: Shop) -> None:
    async with following(shop, max_active=40) as orchestrator:
        await shop.publish([order_created(number) for number in range(100)])
        for started in (40, 80, 100):

            async def waiting(started: int = started) -> bool:
                (figures,) = await orchestrator.bus.figures([STREAM])
                (group,) = figures.groups
                return (group.lag, group.pending) == (100 - started, 0)

            await eventually(waiting)
            assert len(await shop.sagas()) == started
            # As if these had ended: none has a timer any more.
            await shop.database.sagas.update_many({}, {"$unset": {"wake_at": ""}})
        assert (await shop.sagas()).keys() == ids(range(100))
        assert not await shop.letters()


async def test_the_backlog_is_in_the_metrics_and_only_our_group_is_shown(shop: Shop) -> None:
    async with following(shop, max_active=1) as orchestrator:
        await shop.redis.xgroup_create(STREAM, "warehouse", id="0")
        await shop.publish([order_created(number) for number in range(10)])

        async def shown() -> bool:
            async with client_of(orchestrator.app) as client:
                lag = Read((await client.get("/metrics")).text).all("saga_stream_group_lag")
            return {labels: value for labels, value in lag.items() if STREAM in labels} == {(shop.group, STREAM): 9}

        await eventually(shown, within_s=15)


async def test_streams_of_others_keep_what_they_have_and_the_place_is_remembered(shop: Shop) -> None:
    tidy = StreamSettings(**{**{name: getattr(FAST, name) for name in FAST.__slots__}, "trim_every_s": 0.05})
    await shop.publish([order_created(number) for number in range(200)])
    await shop.redis.xgroup_create(STREAM, "warehouse", id="0")
    await shop.redis.xreadgroup("warehouse", "van-1", {STREAM: ">"}, count=5)
    async with following(shop, stream=tidy):
        await shop.publish([order_created(number) for number in range(200, 400)])
        await eventually(lambda: all_started(shop, range(200, 400)))
        (newest,) = await shop.redis.xrevrange(STREAM, count=1)

        async def remembered() -> bool:
            (place,) = await find(shop.database.places, {}, limit=2)
            return bool((place["stream"], place["entry_id"]) == (STREAM, newest[0]))

        await eventually(remembered)
        assert await shop.redis.xlen(STREAM) == 400
        (van,) = await shop.redis.xinfo_consumers(STREAM, "warehouse")
        assert (van["name"], van["pending"]) == ("van-1", 5)


async def test_a_group_that_is_set_back_reads_what_was_there_before_its_time(shop: Shop) -> None:
    await shop.publish([order_created(number) for number in range(3)])
    async with following(shop):
        await shop.publish([order_created(number) for number in range(3, 6)])
        await eventually(lambda: all_started(shop, range(3, 6)))
        await shop.redis.xgroup_setid(STREAM, shop.group, "0")
        await eventually(lambda: all_started(shop, range(6)))


async def test_a_letter_whose_name_is_taken_holds_up_nothing(shop: Shop) -> None:
    await shop.redis.set(f"{STREAM}.dead", "somebody else's")
    async with following(shop):
        await buried_and_started(shop)
    assert await shop.redis.get(f"{STREAM}.dead") == "somebody else's"


async def test_the_documented_rights_are_enough_and_no_right_to_write_letters_holds_up_nothing(shop: Shop) -> None:
    named = re.search(r"needs on such a stream `([A-Z ]+)`", (ROOT / "docs" / "events.md").read_text())
    assert named is not None
    rights = " ".join(f"+{command.lower()}" for command in named[1].split())
    selector = f"(~t* ~{STREAM} {rights})"
    await shop.redis.execute_command("ACL", "SETUSER", "limited", "on", ">pw", "+@all", "~t*", selector)
    async with following(shop, redis_url=shop.settings.redis_url.replace("redis://", "redis://limited:pw@")):
        await buried_and_started(shop)
        await shop.redis.xgroup_destroy(STREAM, shop.group)
        await shop.publish([order_created(2)])
        await eventually(lambda: all_started(shop, range(1, 3)), within_s=15)
    assert not await shop.redis.exists(f"{STREAM}.dead")
    denied = await shop.redis.execute_command("ACL", "LOG")
    assert {entry["object"] for entry in denied} <= {f"{STREAM}.dead", "xadd", "xlen"}, denied


async def buried_and_started(shop: Shop) -> None:
    """A dead letter, and behind it an event that starts a saga."""
    await shop.publish([event("ORDER_CREATED", {}), order_created(1)])
    await eventually(shop.settled)
    assert (len(await shop.letters()), len(await shop.sagas())) == (1, 1)


async def test_a_dead_event_is_redriven_here_and_not_to_everybody(shop: Shop) -> None:
    async with following(shop) as orchestrator, client_of(orchestrator.app) as client:
        await shop.publish([order_created(1), order_created(1, customer="bob"), order_created(2)])
        await eventually(shop.settled)
        (letter,) = await shop.letters()
        refused = await client.post(f"/v1/dead-letters/{letter['_id']}/redrive")
        assert (refused.status_code, refused.json()["code"]) == (409, "still-dead")
        assert "was started with other data" in refused.json()["detail"]

        await shop.database.sagas.delete_one({"_id": saga_id("thanks", "o-1")})
        done = await client.post(f"/v1/dead-letters/{letter['_id']}/redrive")
        assert (done.status_code, done.json()["redrives"]) == (202, 1)
        assert (await shop.sagas())[saga_id("thanks", "o-1")]["data"]["customer_id"] == "bob"
        assert await shop.redis.xlen(STREAM) == 3


async def test_places_are_remembered_once_and_moved(shop: Shop) -> None:
    places = MongoPlaces(shop.mongo, shop.settings.database, "g", SystemClock())
    firsts = await asyncio.gather(*(places.begin("s", f"{number}-0") for number in range(10)))
    assert len(set(firsts)) == 1
    await places.advance("s", "99-0")
    assert await places.begin("s", "1-0") == "99-0"
    assert await places.begin("other", "1-0") == "1-0"
    assert await MongoPlaces(shop.mongo, shop.settings.database, "h", SystemClock()).begin("s", "2-0") == "2-0"
