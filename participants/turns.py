"""One batch at a time, whatever a participant reads side by side: what comes meanwhile is the next batch together.

Two transactions that change the same balance would conflict, and a transaction costs much the same for one command
as for a hundred.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from adapters.errors import Unavailable

MOST = 200  #: commands of a turn, unless told otherwise

C = TypeVar("C")
A = TypeVar("A")


@dataclass(eq=False, slots=True)
class _Batch(Generic[C, A]):
    commands: Sequence[C]
    answers: asyncio.Future[Sequence[A]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns(Generic[C, A]):
    """Of one participant in one process. No turn has more than `limit` commands, unless one batch has."""

    def __init__(self, execute: Callable[[Sequence[C]], Awaitable[Sequence[A]]], limit: int = MOST) -> None:
        self._execute = execute
        self._limit = limit
        self._turn = asyncio.Lock()
        self._waiting: list[_Batch[C, A]] = []

    async def alone(self, commands: Sequence[C]) -> Sequence[A]:
        """One answer for each command. They have no company: one of them may have killed a process."""
        async with self._turn:
            return await self._execute(commands)

    async def together(self, commands: Sequence[C]) -> Sequence[A]:
        """One answer for each command. Raises what the turn that they were taken along with raises."""
        mine: _Batch[C, A] = _Batch(commands)
        self._waiting.append(mine)
        try:
            async with self._turn_of(mine) as taken_along:
                if not taken_along:
                    await self._take(self._company(mine))
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
        return mine.answers.result()

    @asynccontextmanager
    async def _turn_of(self, mine: _Batch[C, A]) -> AsyncIterator[bool]:
        """Whether it has its answers already: then somebody else may have the turn."""
        if not self._turn.locked():
            async with self._turn:
                yield mine.answers.done()
            return
        turn = asyncio.ensure_future(self._turn.acquire())
        either: tuple[asyncio.Future[Any], ...] = (turn, mine.answers)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            yield mine.answers.done()
        finally:
            if not turn.cancel():
                self._turn.release()

    def _company(self, mine: _Batch[C, A]) -> list[_Batch[C, A]]:
        batches, count = [mine], len(mine.commands)
        for batch in self._waiting:
            if batch is not mine and count + len(batch.commands) <= self._limit:
                batches.append(batch)
                count += len(batch.commands)
        return batches

    async def _take(self, batches: Sequence[_Batch[C, A]]) -> None:
        self._waiting = [batch for batch in self._waiting if batch not in batches]
        try:
            answers = iter(await self._execute([command for batch in batches for command in batch.commands]))
        except BaseException as error:
            said = error if isinstance(error, Exception) else Unavailable("stopped in the middle of it")
            for batch in batches[1:]:
                batch.answers.set_exception(said)
            raise
        for batch in batches:
            batch.answers.set_result([next(answers) for _ in batch.commands])
