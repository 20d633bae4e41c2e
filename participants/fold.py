"""One batch of commands against the inbox rows they need, folded in memory in stream order. Pure.

What needs no handler is settled at once. What does goes out in waves: a command waits for the next wave while one
with the same id, or one about the same action, is out. So a repeat gets the first one's answer and a compensation
meets its action's row, although neither has been written yet. A fold is used once and thrown away: when its
transaction starts over, everything is decided again from fresh rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from participants.barrier import Answer, InDoubt, Repeat, Row, Run, Settled, Undo, decide, finish, ids_of, settle
from participants.context import Context, StoredAction
from participants.handlers import Registration, parse
from sagas.contracts import Command
from sagas.messages import CommandMessage
from sagas.values import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """A handler that must be called before its command can be settled."""

    index: int  #: which command of the batch
    message: CommandMessage
    verdict: Run | Undo
    registration: Registration
    command: Command
    context: Context


@dataclass(frozen=True, slots=True)
class Folded:
    """The answers, one for each command, and the actions in doubt that stood in the way of some of them."""

    answers: tuple[Answer, ...]
    doubts: Mapping[int, Row]
    repeats: frozenset[int] = frozenset()  #: commands that had been answered before


class Fold:
    """The batch as far as it has been settled."""

    def __init__(
        self,
        commands: Sequence[CommandMessage],
        rows: Mapping[str, Row],
        handlers: Mapping[str, Registration],
        now: datetime,
        expiry: timedelta,
    ) -> None:
        self._found = rows
        self._rows = dict(rows)
        self._handlers = handlers
        self._now = now
        self._expiry = expiry
        self._waiting = list(enumerate(commands))
        self._answers: dict[int, Answer] = {}
        self._doubts: dict[int, Row] = {}
        self._repeats: set[int] = set()

    def next_wave(self) -> list[Call]:
        """Settle what can be settled; the handlers to call now, in stream order; empty when all is settled."""
        wave: list[Call] = []
        waiting: list[tuple[int, CommandMessage]] = []
        busy: set[str] = set()
        for index, message in self._waiting:
            ids = ids_of(message)
            if busy.isdisjoint(ids):
                call = self._consider(index, message)
                if call is None:
                    continue
                wave.append(call)
            else:
                waiting.append((index, message))
            busy.update(ids)
        self._waiting = waiting
        return wave

    def finish(self, calls: Sequence[Call], answers: Sequence[Answer]) -> None:
        """Take in what the handlers of a wave answered."""
        for call, answer in zip(calls, answers, strict=True):
            self._take(call.index, finish(call.message, call.verdict, answer, self._now, self._expiry))

    def result(self) -> Folded:
        """The answers in the order of the commands, once every wave is finished."""
        answers = tuple(self._answers[index] for index in range(len(self._answers)))
        return Folded(answers, self._doubts, frozenset(self._repeats))

    def new_rows(self) -> list[Row]:
        """What must be inserted."""
        return [row for row_id, row in self._rows.items() if row_id not in self._found]

    def changed_rows(self) -> list[Row]:
        """What must be replaced."""
        return [row for row_id, row in self._rows.items() if row_id in self._found and row is not self._found[row_id]]

    def _consider(self, index: int, message: CommandMessage) -> Call | None:
        own = self._rows.get(message.id)
        action = None if message.undoes is None else self._rows.get(message.undoes)
        verdict = decide(message, own, action, self._now, self._expiry)
        if isinstance(verdict, Run | Undo):
            return self._call(index, message, verdict)
        if isinstance(verdict, Repeat):
            self._repeats.add(index)
        if isinstance(verdict, InDoubt):
            self._doubts[index] = verdict.action
        self._take(index, settle(message, verdict, self._now, self._expiry))
        return None

    def _call(self, index: int, message: CommandMessage, verdict: Run | Undo) -> Call | None:
        # Checked only here: a repeat of what was done before a contract changed still gets its stored reply.
        registration = self._handlers[message.type]
        command = parse(registration, message)
        if isinstance(command, Answer):
            self._take(index, Settled(command))
            return None
        undone = StoredAction.of_row(verdict.action) if isinstance(verdict, Undo) else None
        return Call(index, message, verdict, registration, command, Context.of(message, self._now, undone))

    def _take(self, index: int, settled: Settled) -> None:
        self._answers[index] = settled.answer
        for row in settled.rows:
            self._rows[row.id] = row
