"""Connections: none with answers that nobody has read, and always one for whoever needs one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from redis.exceptions import BusyLoadingError

from adapters.bus import Subscription
from adapters.streams.connection import Client, close, connect
from adapters.streams.pipeline import Command, ServerPipeline, ask, pack
from support.buses import FAST, Recorder
from support.redis_worlds import MakeWorld, make_world
from support.waiting import eventually

__all__ = ["make_world"]  # a fixture

FEW = replace(FAST, max_connections=4, block_ms=500)
LOADING: Command = ("EVAL", "return redis.error_reply('LOADING its data')", 0)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url, FEW)
    yield client
    await close(client)


async def test_what_nobody_has_read_is_no_answer_to_the_next_command(client: Client) -> None:
    pool: Any = client.connection_pool
    connection = await pool.get_connection()
    commands: list[Command] = [("PING",), LOADING, ("ECHO", "left over")]
    with pytest.raises(BusyLoadingError):
        await ask(connection, b"".join(map(pack, commands)), len(commands), 5)
    assert await ask(connection, pack(("PING",)), 1, 5) == [b"PONG"]
    await pool.release(connection)


async def test_what_a_server_says_by_itself_is_no_answer(client: Client) -> None:
    """Redis sends a push when a watched key changes, and Redis Enterprise one before it moves a connection."""
    pipeline = ServerPipeline(client, timeout_s=5)
    tracked: list[Command] = [("CLIENT", "TRACKING", "ON"), ("GET", "t.watched")]
    await pipeline.execute(tracked)
    changed: list[Command] = [("SET", "t.watched", "1"), ("DEL", "t.watched"), ("ECHO", "asked")]
    assert await pipeline.execute(changed) == [b"OK", 1, b"asked"]
    assert await pipeline.execute([("ECHO", "again")]) == [b"again"]


async def test_connections_that_are_kept_leave_some_for_others(client: Client) -> None:
    waiting: Command = ("XREAD", "BLOCK", 50, "STREAMS", "t.nobody", "$")
    pipeline = ServerPipeline(client, timeout_s=5)
    await asyncio.gather(*(pipeline.execute([waiting]) for _ in range(FEW.max_connections)))
    assert await client.exists("t.nobody") == 0


async def test_each_of_many_readers_has_a_connection(make_world: MakeWorld) -> None:
    world, readers = make_world(FEW), 8
    bus = world.bus()
    for number in range(readers):
        bus.subscribe(Subscription(world.streams.commands(f"p{number}"), f"p{number}", Recorder()))
    await bus.start()

    async def all_wait() -> bool:
        return int((await world.client.info("clients"))["blocked_clients"]) == readers

    await eventually(all_wait)
