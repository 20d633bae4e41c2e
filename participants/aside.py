"""Commands whose effect is outside the database, done beside the turns: a slow call holds up nobody else.

Those about the same action still come one after the other, in stream order, whatever else they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from adapters.bus import Verdict
from sagas.messages import CommandMessage


class Aside:
    """Of one participant in one process. `is_outside`: whether a command's handler calls the outside."""

    def __init__(
        self,
        execute: Callable[[CommandMessage], Awaitable[Verdict]],
        is_outside: Callable[[CommandMessage], bool],
        at_once: int,
    ) -> None:
        self._execute = execute
        self._is_outside = is_outside
        self._slots = asyncio.Semaphore(at_once)
        self._newest: dict[str, asyncio.Task[Verdict]] = {}  # by action, the last that was begun about it

    def choose(self, commands: Sequence[CommandMessage]) -> list[bool]:
        """Which of them belong here: calls, and what concerns an action about which one is being made."""
        actions = set(self._newest)
        chosen = []
        for command in commands:
            chosen.append(self._is_outside(command) or _action(command) in actions)
            if chosen[-1]:
                actions.add(_action(command))
        return chosen

    def begin(self, command: CommandMessage, *, alone: bool) -> asyncio.Task[Verdict]:
        """Its verdict, in time; raises `Unavailable` where nothing is known. `alone`: all others wait for it."""
        action = _action(command)
        slot = nullcontext() if alone else self._slots
        task = asyncio.create_task(self._do(command, self._newest.get(action), slot))
        self._newest[action] = task
        task.add_done_callback(lambda done: self._forget(action, done))
        return task

    async def _do(
        self, command: CommandMessage, before: asyncio.Task[Verdict] | None, slot: AbstractAsyncContextManager[None]
    ) -> Verdict:
        if before is not None:
            await asyncio.wait([before])
        async with slot:
            return await self._execute(command)

    def _forget(self, action: str, done: asyncio.Task[Verdict]) -> None:
        if self._newest.get(action) is done:
            del self._newest[action]


def _action(command: CommandMessage) -> str:
    return command.undoes or command.id
