"""Many commands in one round trip.

redis-py's own pipeline packs each command in Python, sets a timer for each answer, and locks its pool twice: a quarter
of what a saga cost. Here hiredis packs and parses, one time limit holds for all answers, and connections of the
pool are kept between calls. Relies on what is behind a connection of redis-py: its writer and its hiredis reader.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

import hiredis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from adapters.streams.connection import Client, translating
from adapters.streams.masters import MasterConnection

Argument = str | bytes | int
Command = tuple[Argument, ...]

BEGIN, END = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"

_PACK: Callable[[Command], bytes] = cast(Any, hiredis.pack_command)  # Its annotation knows only tuples of one.


class Pipeline(Protocol):
    """Where a server does not answer, redis-py's errors and `TimeoutError` are raised, or are answers themselves."""

    async def execute(self, commands: Sequence[Command]) -> list[object]:
        """One answer for each command, in order, undecoded; what the server refuses is a `ResponseError` among them.

        A connection that breaks off is tried again, so commands may happen twice.
        """
        ...

    async def at_once(self, commands: Sequence[Command]) -> list[object]:
        """As `execute`, and nobody sees the first one's effect on a server before the last one's.

        A reader that waits on a stream is woken by the first entry it could have, and would leave with that one alone:
        the smallest batch, made to wait for by all the others. Where the server refuses one, each is asked by itself.
        """
        ...


class ServerPipeline:
    """To one server."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        self._pool: Any = client.connection_pool
        self._timeout_s = timeout_s
        self._kept: list[Connection] = []

    async def execute(self, commands: Sequence[Command]) -> list[object]:
        """See `Pipeline`; tried again as the client's retry policy says."""
        return await self._exchange(b"".join(map(pack, commands)), len(commands))

    async def at_once(self, commands: Sequence[Command]) -> list[object]:
        """See `Pipeline`."""
        if len(commands) < 2:
            return await self.execute(commands)
        done = (await self._exchange(b"".join((BEGIN, *map(pack, commands), END)), len(commands) + 2))[-1]
        return done if isinstance(done, list) else await self.execute(commands)

    async def _exchange(self, packed: bytes, count: int) -> list[object]:
        connection = self._kept.pop() if self._kept else await self._pool.get_connection()

        async def exchange() -> list[object]:
            return await ask(connection, packed, count, self._timeout_s)

        async def disconnected(_: Exception) -> None:
            """It is by now."""

        try:
            answers: list[object] = await connection.retry.call_with_retry(exchange, disconnected)
        except BaseException:
            await self._pool.release(connection)
            raise
        if len(self._kept) < self._pool.max_connections // 2:  # The others are for whoever else uses the client.
            self._kept.append(connection)
        else:
            await self._pool.release(connection)
        return answers


async def answered(pipeline: Pipeline, commands: Sequence[Command]) -> list[object]:
    """One answer for each command, in order. Raises `Unavailable` where one of them has none."""
    with translating():
        answers = await pipeline.execute(commands)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers


async def ask(connection: Any, packed: bytes, count: int, timeout_s: float) -> list[object]:
    """So many answers to what is sent. Raises `TimeoutError`, and redis-py's errors where the connection breaks off."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchanged(connection, packed, count)
    except BaseException:  # Half a command may be on its way, or answers that no later command may get.
        await connection.disconnect(nowait=True)
        raise


async def _exchanged(connection: Any, packed: bytes, count: int) -> list[object]:
    try:
        await _send(connection, packed)
        answers = await _answers(connection, count)
    except OSError as error:
        raise RedisConnectionError(f"while it was talked to: {error}") from error
    if isinstance(connection, MasterConnection) and any(isinstance(answer, ReadOnlyError) for answer in answers):
        await connection.leave_if_replaced()
    return answers


async def _send(connection: Any, packed: bytes) -> None:
    """What the connection does itself, but in a task of its own and with a timer of its own."""
    if connection.should_reconnect():  # It leads to who was master.
        await connection.disconnect(nowait=True)
    if isinstance(connection, MasterConnection):
        managed: Any = connection
        await managed.connect()  # If it is not: to whoever is master now.
    elif not connection.is_connected:
        await connection.connect_check_health(check_health=False)
    await connection.check_health()
    connection._writer.write(packed)  # noqa: SLF001
    await connection._writer.drain()  # noqa: SLF001


async def _answers(connection: Any, count: int) -> list[object]:
    """From the parser itself: most of them have come with the first."""
    parser = connection._parser  # noqa: SLF001
    parsed: Callable[[], object] = parser._reader.gets  # noqa: SLF001
    answers: list[object] = []
    while len(answers) < count:
        answer = parsed()
        if answer is NOT_ENOUGH_DATA:
            await parser.read_from_socket()
        elif isinstance(answer, RedisConnectionError):  # "I am loading", say: no answer to what was asked.
            raise answer
        elif isinstance(answer, hiredis.PushNotification):  # "I am to be moved", say.
            await parser.handle_push_response(answer)
        else:
            answers.append(answer)
    return answers


def pack(command: Command) -> bytes:
    """The command as it is sent."""
    try:
        return _PACK(command)
    except UnicodeEncodeError:
        return _PACK(tuple(_bytes(command)))


def _bytes(command: Iterable[Argument]) -> Iterable[bytes]:
    """What can't be UTF-8 becomes visible text: no entry can make an encoder raise."""
    return (part if isinstance(part, bytes) else str(part).encode(errors="backslashreplace") for part in command)
