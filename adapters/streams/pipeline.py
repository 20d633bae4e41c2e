"""Many commands in one round trip.

redis-py's own pipeline packs each command in Python and sets a timer for each answer, which was a fifth of what a saga
cost. Here hiredis packs, and one time limit holds for all answers.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import Connection
from redis.exceptions import ResponseError

from adapters.streams.connection import Client

Argument = str | bytes | int
Command = tuple[Argument, ...]

_BEGIN, _END = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"

_PACK: Callable[[Command], bytes] = cast(Any, hiredis.pack_command)  # Its annotation knows only tuples of one.


async def execute_at_once(client: Client, commands: Sequence[Command], timeout_s: float) -> list[object]:
    """As `execute`, and nobody sees the first one's effect before the last one's.

    A reader that waits on a stream is woken by the first entry it could have, and would leave with that one alone: the
    smallest batch, made to wait for by all the others. Where the server refuses one of them, each is asked by itself.
    """
    if len(commands) < 2:
        return await execute(client, commands, timeout_s)
    packed = b"".join((_BEGIN, *map(_pack, commands), _END))
    done = (await _exchange(client, packed, len(commands) + 2, timeout_s))[-1]
    return done if isinstance(done, list) else await execute(client, commands, timeout_s)


async def execute(client: Client, commands: Sequence[Command], timeout_s: float) -> list[object]:
    """One answer for each command, in order, undecoded; what the server refuses is a `ResponseError` among them.

    A connection that breaks off is tried again as the client's retry policy says, so commands may happen twice. Raises
    redis-py's errors, or `TimeoutError`, where the server does not answer all of them.
    """
    return await _exchange(client, b"".join(map(_pack, commands)), len(commands), timeout_s)


async def _exchange(client: Client, packed: bytes, count: int, timeout_s: float) -> list[object]:
    pool: Any = client.connection_pool
    connection: Connection = await pool.get_connection()

    async def exchange() -> list[object]:
        async with asyncio.timeout(timeout_s):
            await connection.send_packed_command(packed)
            return [await _answer(connection) for _ in range(count)]

    async def disconnect(_: Exception) -> None:
        await connection.disconnect()

    try:
        return await connection.retry.call_with_retry(exchange, disconnect)
    finally:
        await pool.release(connection)


async def _answer(connection: Connection) -> object:
    try:
        # It disconnects when it is interrupted: no later command gets what this one has not read.
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _pack(command: Command) -> bytes:
    try:
        return _PACK(command)
    except UnicodeEncodeError:
        return _PACK(tuple(_bytes(command)))


def _bytes(command: Iterable[Argument]) -> Iterable[bytes]:
    """What can't be UTF-8 becomes visible text: no entry can make an encoder raise."""
    return (part if isinstance(part, bytes) else str(part).encode(errors="backslashreplace") for part in command)
