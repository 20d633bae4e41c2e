"""Connections between two uses: none with answers that nobody has read."""

from collections.abc import AsyncIterator

import pytest
from redis.exceptions import BusyLoadingError

from adapters.streams.connection import Client, close, connect
from adapters.streams.pipeline import Command, ask, pack
from adapters.streams.settings import StreamSettings

SETTINGS = StreamSettings(max_connections=4, block_ms=100, socket_timeout_s=1.0)
LOADING: Command = ("EVAL", "return redis.error_reply('LOADING its data')", 0)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url, SETTINGS)
    yield client
    await close(client)


async def test_what_nobody_has_read_is_no_answer_to_the_next_command(client: Client) -> None:
    pool = client.connection_pool
    connection = await pool.get_connection()
    with pytest.raises(BusyLoadingError):
        await ask(connection, b"".join(map(pack, [("PING",), LOADING, ("ECHO", "left over")])), 3, 5)
    assert await ask(connection, pack(("PING",)), 1, 5) == [b"PONG"]
    await pool.release(connection)
