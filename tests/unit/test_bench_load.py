"""The load generator of `saga bench`: its HTTP connection, and the load that waits for nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from cli.bench.open_loop import MOST_UNDER_WAY, TICK_S, due, offer, pause_s
from cli.bench.plan import Order, Plan
from cli.bench.wire import Broken, Service, Wire
from cli.failure import Failure

ANSWER = (
    b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n{"id": 1}'
)
WITHIN_S = 20.0

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], AsyncIterator[None]]


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


class Speaking:
    """A server that says what it is told to, one list of pieces per request, then ends the connection."""

    def __init__(self, *connections: Sequence[Sequence[bytes]]) -> None:
        self._connections = list(connections)
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for pieces in self._connections.pop(0):
            self.requests.append(await request_of(reader))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def speaking(server: Speaking) -> AsyncIterator[Wire]:
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        wire = Wire(Service(f"http://127.0.0.1:{port}/below/", {"Authorization": "Bearer secret"}))
        try:
            yield wire
        finally:
            wire.close()


async def test_a_request_has_everything_that_http_wants() -> None:
    server = Speaking([[ANSWER]])
    async with speaking(server) as wire:
        answer = await wire.ask(wire.service.beginning("POST", "/v1/sagas", 20), b'{"saga": "order"}', WITHIN_S)

    assert (answer.status, answer.body, answer.header("retry-after")) == (202, b'{"id": 1}', "7")
    line, *lines = server.requests[0].removesuffix(b'\r\n\r\n{"saga": "order"}').split(b"\r\n")
    assert line == b"POST /below/v1/sagas HTTP/1.1"
    assert {b"Prefer: wait=20", b"Content-Length: 17", b"Authorization: Bearer secret"} <= set(lines)
    assert any(each.startswith(b"Host: 127.0.0.1:") for each in lines)


async def test_an_answer_may_come_in_any_pieces_and_the_connection_is_kept() -> None:
    server = Speaking([[ANSWER[at : at + 1] for at in range(len(ANSWER))], [ANSWER[:40], ANSWER[40:]], [ANSWER]])
    async with speaking(server) as wire:
        beginning = wire.service.beginning("GET", "/v1/sagas/one")
        answers = [await wire.ask(beginning, b"", WITHIN_S) for _ in range(3)]

    assert [answer.body for answer in answers] == [b'{"id": 1}'] * 3


async def test_a_kept_connection_that_has_ended_is_made_again() -> None:
    server = Speaking([[ANSWER]], [[ANSWER]])
    async with speaking(server) as wire:
        beginning = wire.service.beginning("GET", "/v1/sagas/one")
        answers = [await wire.ask(beginning, b"", WITHIN_S) for _ in range(2)]

    assert [answer.status for answer in answers] == [202, 202]


async def test_a_request_that_a_kept_connection_took_along_is_sent_once_more() -> None:
    server = Speaking([[ANSWER], []], [[ANSWER]])
    async with speaking(server) as wire:
        beginning = wire.service.beginning("POST", "/v1/sagas")
        await wire.ask(beginning, b"first", WITHIN_S)
        assert (await wire.ask(beginning, b"second", WITHIN_S)).status == 202

    assert [request[-6:] for request in server.requests] == [b"\nfirst", b"second", b"second"]


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0\r\n\r\n"])
async def test_what_is_no_answer_is_said_to_be_none(said: bytes) -> None:
    async with speaking(Speaking([[said]])) as wire:
        with pytest.raises(Broken):
            await wire.ask(wire.service.beginning("GET", "/v1/sagas/one"), b"", WITHIN_S)


class Silent:
    """Answers nothing until so many are under way."""

    def __init__(self, wanted: int, group: int) -> None:
        self.group = group
        self.started: list[Order] = []
        self.most = self._under_way = 0
        self._wanted = wanted
        self._enough = asyncio.Event()

    async def start(self, orders: Sequence[Order]) -> None:
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        self.started += orders
        if len(self.started) >= self._wanted:
            self._enough.set()
        await self._enough.wait()
        self._under_way -= 1


async def test_orders_are_sent_though_none_has_been_answered() -> None:
    plan = Plan("x", 900, 0, 0.0)
    target = Silent(900, group=1)

    await offer(target, plan.orders(), 100_000, lambda: False, lambda _: None)

    assert [one.id for one in target.started] == [one.id for one in plan.orders()]
    assert target.most == 900


async def test_a_service_that_answers_nothing_is_not_asked_without_bound() -> None:
    target = Silent(MOST_UNDER_WAY, group=1)

    await offer(target, Plan("x", 2 * MOST_UNDER_WAY, 0, 0.0).orders(), 100_000, lambda: False, lambda _: None)

    assert target.most == MOST_UNDER_WAY
    assert len(target.started) == 2 * MOST_UNDER_WAY


async def test_a_batch_holds_what_has_become_due_and_all_are_accepted_in_the_end() -> None:
    told: list[int] = []
    target = Silent(1, group=2)

    await offer(target, Plan("x", 500, 0, 0.0).orders(), 5_000, lambda: False, told.append)

    assert sum(told) == 500
    assert len(told) < 500


async def test_once_stopped_nothing_more_is_offered() -> None:
    target = Silent(1, group=1)

    await offer(target, Plan("x", 1_000_000, 0, 0.0).orders(), 1_000, lambda: len(target.started) > 5, lambda _: None)

    assert 5 < len(target.started) < 1_000_000


async def test_a_service_that_refuses_ends_it_with_its_reason() -> None:
    class Refusing:
        group = 1

        async def start(self, orders: Sequence[Order]) -> None:
            raise Failure(f"refused {orders[0].id}")

    with pytest.raises(Failure, match="refused bench-x-m-0"):
        await offer(Refusing(), Plan("x", 1_000_000, 0, 0.0).orders(), 10, lambda: False, lambda _: None)


def test_the_first_order_is_due_at_once_and_the_others_evenly() -> None:
    assert [due(elapsed, 10) for elapsed in (0.0, 0.09, 0.11, 1.01)] == [1, 1, 2, 11]


def test_it_pauses_until_the_next_is_due_and_for_batches_until_the_next_tick() -> None:
    assert pause_s(0.0, 10, 1, 1) == pytest.approx(0.1)
    assert pause_s(5.0, 10, 1, 1) == 0.0
    assert pause_s(TICK_S / 4, 1_000_000, 1, 500) == pytest.approx(TICK_S * 3 / 4)
