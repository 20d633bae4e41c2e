"""Batches have turns at the same time, an entry that is alone has its turn by itself."""

import asyncio

from adapters.streams.turns import Turns
from support.waiting import quiet


class Room:
    """Who is inside, and how to let each of them go."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.inside: list[str] = []
        self.leaving: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self, name: str, *, alone: bool = False) -> None:
        """Ask for a turn in the background, and go as far as that goes."""
        self.leaving[name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._stay(name, alone=alone)))
        await quiet()

    async def leave(self, name: str) -> None:
        self.leaving[name].set()
        await quiet()

    async def _stay(self, name: str, *, alone: bool) -> None:
        async with self.turns.alone() if alone else self.turns.in_company():
            self.inside.append(name)
            await self.leaving[name].wait()
            self.inside.remove(name)


async def test_batches_are_in_company() -> None:
    room = Room()
    await room.enter("a")
    await room.enter("b")
    assert room.inside == ["a", "b"]


async def test_who_wants_to_be_alone_waits_for_all_and_nobody_comes_in_meanwhile() -> None:
    room = Room()
    await room.enter("a")
    await room.enter("b")
    await room.enter("lonely", alone=True)
    await room.enter("late")
    await room.leave("a")
    assert room.inside == ["b"]
    await room.leave("b")
    assert room.inside == ["lonely"]
    await room.leave("lonely")
    assert room.inside == ["late"]


async def test_two_that_want_to_be_alone_have_one_turn_after_the_other() -> None:
    room = Room()
    await room.enter("first", alone=True)
    await room.enter("second", alone=True)
    assert room.inside == ["first"]
    await room.leave("first")
    assert room.inside == ["second"]
