"""How far groups have been delivered, on servers of which each answers in its own time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from adapters.bus import Progress
from adapters.errors import Unavailable
from adapters.streams.pipeline import Command
from adapters.streams.progress import progress
from support.clock import ManualClock

HEALTHY, SILENT = "saga.commands.inventory", "saga.commands.payment"


class Masters:
    """Two of a cluster. One answers at once, by a clock that is an hour ahead; the other is waited for in vain."""

    def __init__(self, clock: ManualClock, published: datetime, *, tells_pending: bool = True) -> None:
        self._clock = clock
        self._tells_pending = tells_pending
        self._undelivered = f"{_in_ms(published + timedelta(hours=1))}-0".encode()

    async def execute(self, commands: Sequence[Command]) -> list[object]:
        answers: list[object] = []
        for number, command in enumerate(commands):
            untold = command[0] == "XPENDING" and not self._tells_pending
            if untold or SILENT in (*command, *commands[number - 1]):
                answers.append(RedisTimeoutError("it does not answer"))
            else:
                answers.append(self._answer(command[0]))
        if any(isinstance(answer, Exception) for answer in answers):
            self._clock.advance(5)
        return answers

    async def at_once(self, commands: Sequence[Command]) -> list[object]:
        return await self.execute(commands)

    def _answer(self, command: object) -> object:
        match command:
            case "XINFO":
                return [{b"name": b"p", b"last-delivered-id": b"1-0"}]
            case "TIME":
                return divmod((_in_ms(self._clock.now() + timedelta(hours=1))) * 1000, 1_000_000)
            case "XPENDING":
                return [0, None, None, None]
            case _:
                return [(self._undelivered, [])]


def _in_ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


async def test_a_master_that_is_silent_makes_no_other_seem_further_than_it_is() -> None:
    clock = ManualClock()
    published = clock.now()
    clock.advance(60)
    found = await progress(Masters(clock, published), {HEALTHY: "p", SILENT: "p"}, clock)
    assert found == {HEALTHY: Progress(published, published)}


async def test_a_stream_of_which_only_half_is_told_is_not_told_as_settled() -> None:
    clock = ManualClock()
    masters = Masters(clock, clock.now(), tells_pending=False)
    with pytest.raises(Unavailable):
        await progress(masters, {HEALTHY: "p"}, clock)
