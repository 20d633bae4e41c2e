"""How far groups have been delivered, on servers of which each answers in its own time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from redis.exceptions import TimeoutError as RedisTimeoutError

from adapters.streams.pipeline import Command
from adapters.streams.progress import delivered_until
from support.clock import ManualClock

HEALTHY, SILENT = "saga.commands.inventory", "saga.commands.payment"


class Masters:
    """Two of a cluster. One answers at once, by a clock that is an hour ahead; the other is waited for in vain."""

    def __init__(self, clock: ManualClock, published: datetime) -> None:
        self._clock = clock
        self._undelivered = f"{_in_ms(published + timedelta(hours=1))}-0".encode()

    async def execute(self, commands: Sequence[Command]) -> list[object]:
        answers: list[object] = []
        for number, command in enumerate(commands):
            if SILENT in (*command, *commands[number - 1]):
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
            case _:
                return [(self._undelivered, [])]


def _in_ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


async def test_a_master_that_is_silent_makes_no_other_seem_further_than_it_is() -> None:
    clock = ManualClock()
    published = clock.now()
    clock.advance(60)
    until = await delivered_until(Masters(clock, published), {HEALTHY: "p", SILENT: "p"}, clock)
    assert until == {HEALTHY: published}
