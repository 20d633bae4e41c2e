"""What metrics say of real streams and real servers: a backlog, a lost group, a server that is away."""

import asyncio
from dataclasses import replace

import httpx

from adapters.bus import Ack, Delivery, Leave, Verdict
from adapters.errors import Unavailable
from adapters.servers import MongoServer, RedisServer
from adapters.streams.figures import GroupFigures, StreamFigures
from adapters.streams.readers import Readers
from adapters.streams.redis_bus import RedisBus
from support import eventually
from support.buses import FAST, Recorder, RedisWorld, numbered
from support.metrics import Read
from support.redis_worlds import MakeWorld, abandon, make_world, reading, victim, world
from support.services import ordering, participating, serving, settings_for

__all__ = ["make_world", "world"]  # fixtures

COMMANDS = 5
WITHIN_S = 20.0


async def figures(world: RedisWorld, bus: RedisBus) -> StreamFigures:
    (found,) = await bus.figures([world.streams.commands("p")])
    return found


async def backlog(world: RedisWorld, bus: RedisBus) -> list[bytes]:
    """Commands that nobody reads; their ids."""
    stream = world.streams.commands("p")
    await bus.publish(numbered(stream, *range(COMMANDS)))
    return [entry_id for entry_id, _ in await world.client.xrange(stream)]


async def test_a_backlog_that_nobody_reads_is_lag(world: RedisWorld) -> None:
    bus = world.bus()
    await backlog(world, bus)
    found = await figures(world, bus)
    assert (found.length, found.dead_letters) == (COMMANDS, 0)
    assert found.groups == [GroupFigures("p", lag=COMMANDS)]


async def test_what_is_read_and_not_settled_is_pending_and_gets_older(world: RedisWorld) -> None:
    def leave(_: Delivery) -> Verdict:
        return Leave("not yet")

    bus = await reading(world, Recorder(leave))
    await backlog(world, bus)

    async def all_pending() -> GroupFigures | None:
        (group,) = (await figures(world, bus)).groups
        return group if (group.lag, group.pending) == (0, COMMANDS) and group.oldest_pending_idle_s > 0 else None

    group = await eventually(all_pending)
    assert group is not None
    assert group.consumers == 1


async def test_dead_letters_are_counted_on_their_stream(world: RedisWorld) -> None:
    await world.client.xadd(world.streams.dead(world.streams.commands("p")), {"n": "1"})
    assert (await figures(world, world.bus())).dead_letters == 1


async def test_a_lag_that_redis_cannot_tell_is_unknown_and_not_0(world: RedisWorld) -> None:
    bus = world.bus()
    ids = await backlog(world, bus)
    await world.client.xreadgroup("p", "c", {world.streams.commands("p"): ">"}, count=1)
    await world.client.xdel(world.streams.commands("p"), ids[COMMANDS - 2])
    (group,) = (await figures(world, bus)).groups
    assert (group.lag, group.pending) == (None, 1)


async def test_after_flushall_the_lag_is_unknown_until_the_group_is_made_again(
    make_world: MakeWorld, own_redis: RedisServer
) -> None:
    world = make_world(FAST)
    bus = world.bus()
    await backlog(world, bus)
    await world.client.flushall()
    assert (await figures(world, bus)).groups == [GroupFigures("p", lag=None)]
    healed = await reading(world, Recorder(lambda _: Ack()))
    (group,) = (await figures(world, healed)).groups
    assert group.lag == 0


async def test_the_groups_of_others_are_shown_on_the_stream_of_events(world: RedisWorld) -> None:
    bus = world.bus()
    events = world.streams.events
    assert (await bus.figures([events]))[0].groups == []
    await world.client.xadd(events, {"n": "1"})
    await world.client.xgroup_create(events, "warehouse", id="0")
    (found,) = await bus.figures([events])
    assert found.groups == [GroupFigures("warehouse", lag=1)]


async def readers(world: RedisWorld, bus: RedisBus) -> Readers:
    (found,) = await bus.readers([world.streams.commands("p")])
    return found


async def test_a_killed_consumer_reads_no_longer_though_its_name_stays(world: RedisWorld) -> None:
    bus, commands = world.bus(), world.streams.commands("p")
    await backlog(world, bus)
    async with victim(world, "hold") as process:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), WITHIN_S)
        assert await readers(world, bus) == Readers(commands, "p", there=True, living=1)
        process.kill()

        async def nobody_reads() -> bool:
            return await readers(world, bus) == Readers(commands, "p", there=True)

        await eventually(nobody_reads, within_s=WITHIN_S)
    assert len(await world.client.xinfo_consumers(commands, "p")) == 1


async def test_a_consumer_without_heartbeats_lives_if_it_came_lately(make_world: MakeWorld) -> None:
    world = make_world(replace(FAST, idle_takeover_s=1.0))
    bus = world.bus()
    await backlog(world, bus)

    async def comes_and_lives() -> bool:
        await world.client.xreadgroup("p", "foreign", {world.streams.commands("p"): ">"}, count=1)
        return (await readers(world, bus)).living == 1

    async def nobody_lives() -> bool:
        return (await readers(world, bus)).living == 0

    await eventually(comes_and_lives)
    await eventually(nobody_lives)


async def test_where_heartbeats_may_not_be_looked_at_who_came_lately_lives(world: RedisWorld) -> None:
    bus, streams = world.bus(), world.streams
    await backlog(world, bus)
    await abandon(world, count=1)
    assert (await readers(world, bus)).living == 0
    await world.client.execute_command("ACL", "SETUSER", "default", "-sismember", "-exists")
    assert await readers(world, bus) == Readers(streams.commands("p"), "p", there=True, living=1)


async def test_a_missing_group_has_no_readers_and_who_reads_the_events_is_not_asked(world: RedisWorld) -> None:
    bus, events, missing = world.bus(), world.streams.events, world.streams.commands("q")
    await world.client.xadd(events, {"n": "1"})
    await world.client.xgroup_create(events, "debugging", id="0")
    assert await bus.readers([events, missing]) == [Readers(missing, "q", there=False)]


async def test_figures_of_a_server_that_is_away_are_unavailable(make_world: MakeWorld, own_redis: RedisServer) -> None:
    world = make_world(FAST)
    bus = world.bus()
    await asyncio.to_thread(own_redis.stop)
    try:
        await figures(world, bus)
    except Unavailable:
        return
    raise AssertionError("it answered")


async def scrape(client: httpx.AsyncClient) -> Read:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return Read(answer.text)


async def test_a_service_shows_what_became_of_its_sagas(mongo_url: str, redis_url: str) -> None:
    settings = settings_for(mongo_url, redis_url)
    async with participating(settings), serving(settings) as client:
        for customer in ("alice", "broke"):
            await client.post("/v1/sagas", json=ordering(customer), headers={"Prefer": "wait=15"})
        page = await scrape(client)
    assert page.all("saga_ended_total") == {("order", "completed"): 1, ("order", "compensated"): 1}
    assert page.value("saga_dependency_up", dependency="mongodb") == 1
    assert page.value("saga_dependency_up", dependency="redis") == 1
    assert page.value("saga_active", saga="order", status="running") == 0
    replies = {"stream": f"{settings.stream_prefix}replies", "group": "orchestrator"}
    assert page.value("saga_stream_group_lag_known", **replies) == 1
    assert page.value("saga_stream_group_consumers", **replies) == 1
    assert (page.value("saga_bus_entries_settled_total") or 0) >= 5


async def test_a_service_answers_a_scrape_while_redis_is_away_and_after_it(
    mongo_url: str, own_redis: RedisServer
) -> None:
    settings = settings_for(mongo_url, own_redis.url)
    commands = {"stream": f"{settings.stream_prefix}commands.inventory", "group": "inventory"}
    async with serving(settings) as client:
        for _ in range(COMMANDS):
            await client.post("/v1/sagas", json=ordering())
        await eventually(lambda: _lag_is(client, commands), within_s=WITHIN_S)
        await asyncio.to_thread(own_redis.stop)

        async def down() -> bool:
            page = await scrape(client)
            known = page.value("saga_stream_group_lag_known", **commands)
            return page.value("saga_dependency_up", dependency="redis") == 0 and known is None

        await eventually(down, within_s=WITHIN_S)
        assert (await scrape(client)).value("saga_started_total", saga="order") == COMMANDS
        await asyncio.to_thread(own_redis.start)
        await eventually(lambda: _lag_is(client, commands), within_s=WITHIN_S)


async def _lag_is(client: httpx.AsyncClient, group: dict[str, str]) -> bool:
    page = await scrape(client)
    return (page.value("saga_stream_group_lag", **group) or 0) >= COMMANDS


async def test_a_service_without_mongodb_answers_a_scrape(own_mongo: MongoServer, redis_url: str) -> None:
    settings = settings_for(own_mongo.url, redis_url)
    await asyncio.to_thread(own_mongo.stop)
    async with serving(settings) as client:
        begun = asyncio.get_running_loop().time()
        page = await scrape(client)
        assert asyncio.get_running_loop().time() - begun < 3
        assert page.value("saga_dependency_up", dependency="mongodb") == 0
        assert page.value("saga_dependency_up", dependency="redis") == 1
        assert page.all("saga_active") == {}
