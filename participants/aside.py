"""Commands whose effect is outside the database, done beside the turns: a slow call holds up nobody else.

Those about the same action still come one after the other, in stream order, whatever else they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from participants.barrier import Answer
from sagas.messages import CommandMessage


class Aside:
    """Of one participant in one process. `is_outside`: whether a command's handler calls the outside."""

    def __init__(
        self,
        execute: Callable[[Sequence[CommandMessage]], Awaitable[Sequence[Answer]]],
        is_outside: Callable[[CommandMessage], bool],
        at_once: int,
    ) -> None:
        self._execute = execute
        self._is_outside = is_outside
        self._slots = asyncio.Semaphore(at_once)
        self._newest: dict[str, asyncio.Task[Answer]] = {}  # by action, the last that was begun about it

    def choose(self, commands: Sequence[CommandMessage]) -> list[bool]:
        """Which of them belong here: calls, and what concerns an action about which one is being made."""
        actions = set(self._newest)
        chosen = []
        for command in commands:
            chosen.append(self._is_outside(command) or _action(command) in actions)
            if chosen[-1]:
                actions.add(_action(command))
        return chosen

    def begin(self, command: CommandMessage) -> Awaitable[Answer]:
        """Its answer, in time. Raises `Unavailable` where nothing is known."""
        action = _action(command)
        task = asyncio.create_task(self._do(command, self._newest.get(action)))
        self._newest[action] = task
        task.add_done_callback(lambda done: self._forget(action, done))
        return task

    async def _do(self, command: CommandMessage, before: asyncio.Task[Answer] | None) -> Answer:
        if before is not None:
            await asyncio.wait([before])
        async with self._slots:
            (answer,) = await self._execute([command])
        return answer

    def _forget(self, action: str, done: asyncio.Task[Answer]) -> None:
        if self._newest.get(action) is done:
            del self._newest[action]


def _action(command: CommandMessage) -> str:
    return command.undoes or command.id
