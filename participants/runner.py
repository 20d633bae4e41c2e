"""Runs handlers: reads the rows a fold needs, calls what it asks for, and commits rows and effects as one.

Effects outside the database (`external=True`): the intent is committed first, then the handler is called outside of
any transaction with an idempotency key, then the outcome is committed. Whoever finds an intent without an outcome
(a redelivery, or the compensation) calls the handler again *with the same key*. So: the handler is called at least
once, and the effect happens once exactly as far as the other side honours the key; its outcome is never guessed, and
nothing is undone before it is known. An announced compensation that an operator skips is not called again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from adapters.clock import Clock
from adapters.errors import Conflict
from adapters.mongo import translating
from participants.barrier import Answer, Row, announce, ids_of
from participants.fold import Call, Fold, Folded
from participants.handlers import Mode, Registration, rejected
from participants.inbox import Inbox, InboxTransaction
from sagas.contracts import Reject
from sagas.messages import CommandMessage, Outcome

EXTERNAL_TIMEOUT_S = 30.0  #: a call to the outside that takes longer has no known outcome

_log = structlog.get_logger(__name__)

Perform = Callable[[InboxTransaction, Sequence[Call]], Awaitable[Sequence[Answer]]]


class Runner:
    """Runs the handlers of one participant."""

    def __init__(
        self,
        handlers: Mapping[str, Registration],
        inbox: Inbox,
        clock: Clock,
        *,
        external_timeout_s: float = EXTERNAL_TIMEOUT_S,
    ) -> None:
        self._handlers = handlers
        self._inbox = inbox
        self._clock = clock
        self._external_timeout_s = external_timeout_s

    async def together(self, commands: Sequence[CommandMessage]) -> Folded:
        """All in one transaction; raises what any handler raises, and then nothing has happened.

        Actions that are sent for the first time are taken for new, and no row of theirs is looked for. Where one is
        there all the same, another can't be inserted: everything starts over, and is decided by what is there.
        """
        undone = {command.undoes for command in commands}
        new = frozenset(command.id for command in commands if command.is_first_sending and command.id not in undone)
        return await self._transact(commands, _run, new)

    async def attempt(self, command: CommandMessage) -> Folded:
        """One command by itself; raises what its handler raises, except `Reject`."""
        registration = self._handlers.get(command.type)
        if registration is not None and registration.mode is Mode.EXTERNAL:
            return await self._outside(command)
        try:
            return await self._transact([command], _run)
        except Reject as reject:
            # It aborted the transaction, with whatever the handler wrote; a second one stores the rejection,
            # unless the row says by now that something else has happened.
            return await self._transact([command], _given(rejected(reject)))

    async def resolve(self, action: Row) -> None:
        """Find out the outcome of an announced effect: by calling its handler again, with the same key."""
        if self._handlers[action.type].mode is Mode.EXTERNAL:
            await self._outside(_command_of(action))

    async def _outside(self, command: CommandMessage) -> Folded:
        """Intent, call, outcome."""
        announced = await self._announce(command)
        if isinstance(announced, Folded):
            return announced
        async with asyncio.timeout(self._external_timeout_s):
            with translating():  # A MongoDB that is away says nothing about the command.
                answer = await announced.registration.call(announced.command, announced.context, self._inbox.database)
        folded = await self._transact([command], _given(answer))
        if answer.outcome is Outcome.SUCCEEDED and folded.answers[0].outcome is not Outcome.SUCCEEDED:
            # It was given up during the call: whoever skipped it may have done it by hand as well.
            _log.error("effect-after-revoke", saga_id=command.saga_id, command_id=command.id, type=command.type)
        return folded

    async def _announce(self, command: CommandMessage) -> Folded | Call:
        async def body(tx: InboxTransaction) -> Folded | Call:
            fold = await self._fold([command], tx)
            calls = fold.next_wave()
            if not calls:
                return await _store(fold, tx)
            if calls[0].verdict.intent is None:
                await tx.insert([announce(command, self._clock.now(), self._inbox.expiry)])
            return calls[0]

        return await self._inbox.atomically(body)

    async def _transact(
        self, commands: Sequence[CommandMessage], perform: Perform, new: frozenset[str] = frozenset()
    ) -> Folded:
        """Rows, effects and inbox in one transaction, which may be run many times. `new` have no row, it seems."""

        async def body(tx: InboxTransaction) -> Folded:
            nonlocal new
            trusted, new = new, frozenset()
            fold = await self._fold(commands, tx, trusted)
            while wave := fold.next_wave():
                fold.finish(wave, await perform(tx, wave))
            if not trusted <= {row.id for row in fold.new_rows()}:
                raise Conflict("what leaves no row can't show that it is new")
            return await _store(fold, tx)

        return await self._inbox.atomically(body)

    async def _fold(
        self, commands: Sequence[CommandMessage], tx: InboxTransaction, new: frozenset[str] = frozenset()
    ) -> Fold:
        ids = dict.fromkeys(row_id for command in commands for row_id in ids_of(command) if row_id not in new)
        rows = await tx.rows(list(ids)) if ids else {}
        return Fold(commands, rows, self._handlers, self._clock.now(), self._inbox.expiry)


async def _run(tx: InboxTransaction, calls: Sequence[Call]) -> Sequence[Answer]:
    """Call each endpoint's handler once for all its commands of the wave."""
    groups: dict[str, list[Call]] = {}
    for call in calls:
        groups.setdefault(call.message.type, []).append(call)
    answers: dict[int, Answer] = {}
    for group in groups.values():
        outcomes = await group[0].registration.run([c.command for c in group], [c.context for c in group], tx)
        answers.update((call.index, outcome) for call, outcome in zip(group, outcomes, strict=True))
    return [answers[call.index] for call in calls]


def _given(answer: Answer) -> Perform:
    """Call nothing: the handler's answer is known already."""

    async def perform(_tx: InboxTransaction, calls: Sequence[Call]) -> Sequence[Answer]:
        return [answer for _ in calls]

    return perform


async def _store(fold: Fold, tx: InboxTransaction) -> Folded:
    await tx.insert(fold.new_rows())
    await tx.replace(fold.changed_rows())
    return fold.result()


def _command_of(action: Row) -> CommandMessage:
    """The announced command again, from its row."""
    return CommandMessage(
        id=action.id,
        type=action.type,
        participant=action.type.split(".", 1)[0],
        saga_id=action.saga_id,
        data=action.command,
        attempt=1,
        time=action.at,
        first_time=action.at,
        expiry_time=action.expire_at,
    )
