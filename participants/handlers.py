"""The three kinds of handler behind one face, and the values that pass between them and the executor.

No handler is retried, repeated or skipped here (executor.py and barrier.py do that): this module calls it once and
turns what it gives back into an answer that can be stored and sent.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from types import NoneType
from typing import Any, get_type_hints

from pydantic import ValidationError
from pydantic_core import from_json

from adapters.errors import Aborted, Conflict, Taken
from participants.barrier import Answer
from participants.context import BatchTransaction, Context, ExternalContext, Transaction
from participants.inbox import InboxTransaction
from sagas.contracts import AnyEndpoint, C, Command, Endpoint, R, Reject, Reply
from sagas.messages import CommandMessage, Outcome
from sagas.sendable import check_sendable
from sagas.storable import check_storable

SingleHandler = Callable[[C, Transaction], Awaitable[R]]
ExternalHandler = Callable[[C, ExternalContext], Awaitable[R]]
BatchHandler = Callable[[Sequence[C], BatchTransaction], Awaitable[Sequence[R | Reject]]]

MAX_DETAIL_CHARS = 500  #: of an error message that leaves the process

INVALID_COMMAND = "invalid-command"  #: the data does not fit the endpoint's command
UNKNOWN_COMMAND = "unknown-command"  #: no handler for this type
HANDLER_ERROR = "handler-error"  #: the handler raised something else than `Reject`
CONFLICT = "conflict"  #: too many concurrent writers, or a unique key that is there already
TOO_SLOW = "too-slow"  #: MongoDB ended the transaction by itself, again and again
_TOO_SLOW = (
    "MongoDB has ended the transaction by itself, several times: it may not take longer than "
    "transactionLifetimeLimitSeconds, all commands of a batch together"
)


class Mode(StrEnum):
    """How a handler is called."""

    SINGLE = "single"  #: one command, one transaction
    BATCH = "batch"  #: all commands of a batch in one transaction
    EXTERNAL = "external"  #: outside of any transaction, for effects outside the database


#: What a handler is given beside its command.
_SECOND: Mapping[Mode, type] = {
    Mode.SINGLE: Transaction,
    Mode.BATCH: BatchTransaction,
    Mode.EXTERNAL: ExternalContext,
}


@dataclass(frozen=True, slots=True)
class Registration:
    """One endpoint and the handler for it."""

    endpoint: AnyEndpoint
    mode: Mode
    handler: Callable[[Any, Any], Awaitable[Any]]

    async def run(self, commands: Sequence[Command], contexts: Sequence[Context], tx: InboxTransaction) -> list[Answer]:
        """Call the handler in the open transaction. An exception, a single handler's `Reject` too, must abort it."""
        if self.mode is Mode.SINGLE:
            (command,), (context,) = commands, contexts
            tx_of_one = Transaction(**_values(context), session=tx.session, database=tx.database)
            outcomes = [await self.handler(command, tx_of_one)]
        else:
            outcomes = list(await self.handler(commands, _batch_transaction(contexts, tx)))
        if len(outcomes) != len(commands):
            raise TypeError(f"the handler of {self.endpoint.type} gave {len(outcomes)} outcomes for {len(commands)}")
        return [self.answer(outcome) for outcome in outcomes]

    async def call(self, command: Command, context: Context, database: Any) -> Answer:
        """Call an external handler; its `Reject` is an answer."""
        try:
            return self.answer(await self.handler(command, ExternalContext(**_values(context), database=database)))
        except Reject as reject:
            return rejected(reject)

    def answer(self, outcome: object) -> Answer:
        """The answer for what a handler gave back. Raises where it can't be stored or sent."""
        if isinstance(outcome, Reject) and self.mode is Mode.BATCH:
            return rejected(outcome)
        if isinstance(outcome, Reply) and isinstance(outcome, self.endpoint.reply):
            return succeeded(outcome)
        expected = self.endpoint.reply.__name__
        raise TypeError(f"the handler of {self.endpoint.type} must give {expected}, not {type(outcome).__name__}")


def no_endpoint(given: object) -> str | None:
    """Why this is no endpoint: the handler itself, say, where `handles` was written without its parentheses."""
    if isinstance(given, Endpoint):
        return None
    return f"handles({_name(given)}) must get an Endpoint(...), not {_name(type(given))}"


def problem_of(registration: Registration) -> str | None:
    """Why the handler could never be called, or never give what it must, as far as it can be told before."""
    endpoint, handler = registration.endpoint, registration.handler
    command = "commands" if registration.mode is Mode.BATCH else "command"
    written = f"write it like `async def {_name(handler)}({command}, tx)`"
    if not inspect.iscoroutinefunction(inspect.unwrap(handler)) and inspect.isfunction(handler):
        return f"the handler of {endpoint.type} is not async; {written}"
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return f"the handler of {endpoint.type} must take two arguments; {written}"
    return _misannotated(registration)


def _misannotated(registration: Registration) -> str | None:
    """Where a plain function says that it takes or gives something else. What it doesn't say is right.

    What a decorator made is not judged: its annotations may be those of what it wraps.
    """
    endpoint, handler = registration.endpoint, registration.handler
    if not inspect.isfunction(handler) or hasattr(handler, "__wrapped__"):
        return None
    try:
        said, names = get_type_hints(handler), [*inspect.signature(handler).parameters]
    except Exception:  # noqa: BLE001 - names that exist for type checkers only
        return None
    batch = registration.mode is Mode.BATCH
    kinds = dict(zip(names, (None if batch else endpoint.command, _SECOND[registration.mode]), strict=False))
    for name, kind in {**kinds, "return": None if batch else endpoint.reply}.items():
        annotated = said.get(name, Any)
        if annotated is NoneType:  # It may do nothing but reject.
            continue
        if kind and isinstance(annotated, type) and annotated is not Any and not _fits(name, kind, annotated):
            what = "gives" if name == "return" else f"takes as `{name}`"
            return f"the handler of {endpoint.type} {what} {annotated.__name__}; with that endpoint it is {_name(kind)}"
    return None


def _fits(name: str, kind: type, annotated: type) -> bool:
    """Anything more general fits. What it gives may be more special, too: a decorator's handler says `Reply`."""
    try:
        return issubclass(kind, annotated) or (name == "return" and issubclass(annotated, kind))
    except TypeError:  # A protocol that can't be asked.
        return True


def _name(what: object) -> str:
    return getattr(what, "__name__", type(what).__name__)


def own_frames(error: Exception) -> Exception:
    """The error with a traceback that begins in the handler, where it came from there: what called it is no news."""
    calling, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == __file__:
            calling = frame
        frame = frame.tb_next
    return error.with_traceback(calling.tb_next or calling) if calling else error


def parse(registration: Registration, command: CommandMessage) -> Command | Answer:
    """The command as its endpoint's type; an answer where the data does not fit.

    `failed`, not `rejected`: it says nothing about the business, and a deployment of either side may mend it.
    """
    try:
        parsed: Command = registration.endpoint.command.model_validate(command.data)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)
        )
        return Answer.no(Outcome.FAILED, INVALID_COMMAND, presentable(where))
    return parsed


def succeeded(reply: Reply) -> Answer:
    """The answer that carries a reply. Raises `ValueError` where it can't be stored or sent."""
    text = reply.model_dump_json()
    data = from_json(text)
    check_storable(data)
    check_sendable(data, text.encode())
    return Answer(Outcome.SUCCEEDED, data)


def rejected(reject: Reject) -> Answer:
    """The answer that carries a business no."""
    return Answer.no(Outcome.REJECTED, presentable(reject.code), presentable(reject.detail))


def failed(error: Exception) -> Answer:
    """The answer for an error: what MongoDB made of the transaction, or its type and message, never its trace."""
    match error:
        case Taken():
            return Answer.no(Outcome.FAILED, CONFLICT, "a unique key that the handler writes is there already")
        case Aborted():
            return Answer.no(Outcome.FAILED, TOO_SLOW, _TOO_SLOW)
        case Conflict():
            return Answer.no(Outcome.FAILED, CONFLICT, "too many concurrent writers")
        case _:
            return Answer.no(Outcome.FAILED, HANDLER_ERROR, presentable(f"{type(error).__name__}: {error}"))


def presentable(text: object) -> str:
    """Text that every store and wire accepts, of bounded length."""
    cut = str(text)[:MAX_DETAIL_CHARS]
    return cut if cut.isprintable() else "".join(char if char.isprintable() else " " for char in cut)


def _values(context: Context) -> dict[str, Any]:
    return {field.name: getattr(context, field.name) for field in fields(context)}


def _batch_transaction(contexts: Sequence[Context], tx: InboxTransaction) -> BatchTransaction:
    return BatchTransaction(tx.session, tx.database, contexts[0].now, contexts)
