"""Executes batches of commands: who shares a transaction with whom, and what an error becomes.

Commands for batch handlers share one transaction. An exception in it aborts everything, and its commands are done
again one by one, so that only the culprit fails. Single and external handlers are called one by one from the start.
`Unavailable` is never an answer: it passes, so that the bus delivers the batch again later.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from adapters.clock import Clock
from adapters.errors import Unavailable
from participants.barrier import OUTCOME_UNKNOWN, Answer, Row
from participants.handlers import (
    INVALID_COMMAND,
    UNKNOWN_COMMAND,
    Mode,
    Registration,
    failed,
    own_frames,
    presentable,
)
from participants.inbox import Inbox
from participants.runner import Runner
from participants.surroundings import Surroundings
from sagas.contracts import REVOKE
from sagas.messages import CommandMessage, Kind, Outcome

AT_ONCE = 8  #: commands done one by one, at the same time, of different actions

_log = structlog.get_logger(__name__)


class Executor:
    """Executes the commands of one participant."""

    def __init__(
        self,
        participant: str,
        handlers: Mapping[str, Registration],
        inbox: Inbox,
        clock: Clock,
        surroundings: Surroundings,
    ) -> None:
        self._handlers = handlers
        self._surroundings = surroundings
        self._revoke = f"{participant}.{REVOKE}"
        self._runner = Runner(handlers, inbox, clock)

    async def execute(self, commands: Sequence[CommandMessage]) -> list[Answer]:
        """One answer for each command, in order. Raises `Unavailable`: then nothing is known about any of them."""
        answers = {index: answer for index, command in enumerate(commands) if (answer := self._refused(command))}
        accepted = {index: command for index, command in enumerate(commands) if index not in answers}
        answers |= await self._together({i: command for i, command in accepted.items() if self._is_batched(command)})
        answers |= await self._one_by_one({i: command for i, command in accepted.items() if i not in answers})
        return [answers[index] for index in range(len(commands))]

    def _refused(self, command: CommandMessage) -> Answer | None:
        answer = self._refusal(command)
        if answer is not None:
            with self._surroundings.alone(command) as tell:
                tell(command, answer, repeat=False)
        return answer

    def _refusal(self, command: CommandMessage) -> Answer | None:
        if command.type == self._revoke:
            if command.kind is Kind.REVOKE:
                return None
            return Answer.no(Outcome.FAILED, INVALID_COMMAND, "a revoke needs `undoes`, the action's command id")
        if command.type in self._handlers:
            return None
        known = ", ".join(sorted([*self._handlers, self._revoke]))
        return Answer.no(Outcome.FAILED, UNKNOWN_COMMAND, presentable(f"{command.type} is none of {known}"))

    def _is_batched(self, command: CommandMessage) -> bool:
        return command.type == self._revoke or self._handlers[command.type].mode is Mode.BATCH

    async def _together(self, commands: Mapping[int, CommandMessage]) -> dict[int, Answer]:
        """All in one transaction; without what must be done alone: everything after an error, and what is in doubt."""
        if not commands:
            return {}
        try:
            with self._surroundings.together(list(commands.values())) as tell:
                folded = await self._runner.together(list(commands.values()))
                settled = {
                    index: answer
                    for position, (index, answer) in enumerate(zip(commands, folded.answers, strict=True))
                    if position not in folded.doubts
                }
                repeats = {index for position, index in enumerate(commands) if position in folded.repeats}
                for index, answer in settled.items():
                    tell(commands[index], answer, repeat=index in repeats)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # Whatever a handler raises must not cost the other commands their answers.
            _log.warning("batch-aborted", commands=len(commands), exc_info=error)
            return {}
        return settled

    async def _one_by_one(self, commands: Mapping[int, CommandMessage]) -> dict[int, Answer]:
        """Each in a transaction of its own; those about the same action one after the other, in stream order."""
        if not commands:
            return {}
        chains: dict[str, dict[int, CommandMessage]] = {}
        for index, command in commands.items():
            chains.setdefault(command.undoes or command.id, {})[index] = command
        slots = asyncio.Semaphore(AT_ONCE)

        async def follow(chain: Mapping[int, CommandMessage]) -> dict[int, Answer]:
            async with slots:
                return {index: await self._alone(command) for index, command in chain.items()}

        # All of them end before an error is passed on: none may go on behind the back of the batch's next delivery.
        results = await asyncio.gather(*map(follow, chains.values()), return_exceptions=True)
        answers: dict[int, Answer] = {}
        for result in results:
            if isinstance(result, BaseException):
                raise result
            answers |= result
        return answers

    async def _alone(self, command: CommandMessage) -> Answer:
        with self._surroundings.alone(command) as tell:
            answer, repeat = await self._answer(command)
            tell(command, answer, repeat=repeat)
        return answer

    async def _answer(self, command: CommandMessage) -> tuple[Answer, bool]:
        """The answer, and whether it had been given before."""
        try:
            folded = await self._runner.attempt(command)
            if folded.doubts:
                unsettled = await self._resolve(folded.doubts[0])
                if unsettled is not None:
                    return unsettled, False
                folded = await self._runner.attempt(command)
            return folded.answers[0], bool(folded.repeats)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # Only this command fails; the orchestrator is told, without a trace.
            _log.error(
                "command-failed",
                saga_id=command.saga_id,
                command_id=command.id,
                type=command.type,
                exc_info=own_frames(error),
            )
            return failed(error), False

    async def _resolve(self, action: Row) -> Answer | None:
        """Settle the action in doubt; an answer where that could not be done."""
        try:
            await self._runner.resolve(action)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # Still unknown: the compensation must not go on, and is sent again.
            _log.error("outcome-unknown", saga_id=action.saga_id, command_id=action.id, exc_info=error)
            detail = presentable(f"{action.id}: {type(error).__name__}: {error}")
            return Answer.no(Outcome.FAILED, OUTCOME_UNKNOWN, detail)
        return None
