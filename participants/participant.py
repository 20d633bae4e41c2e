"""A participant: a name and its handlers, made once per service and shared by whoever runs it.

    inventory = Participant("inventory")

    @inventory.handles(RESERVE_STOCK)
    async def reserve(command: ReserveStock, tx: Transaction) -> StockReserved:
        ...                       # uses tx.session; raise Reject("out-of-stock") for a business no

The handlers are called so that a command's effect happens at most once, and none is left after its compensation,
whatever the bus repeats, delays or reorders; what that takes is in barrier.py and executor.py. Making a participant
opens no connection: `bind` connects it to a bus, an inbox and a clock.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, overload

from adapters.bus import Ack, Bus, Dead, Delivery, Later, Subscription, Verdict
from adapters.clock import Clock
from adapters.mongo import IndexModel
from adapters.streams.envelope import Undecodable, decode_command
from adapters.streams.names import Streams
from adapters.tracing.port import Tracer
from participants.aside import Aside
from participants.barrier import Answer
from participants.executor import Executor
from participants.handlers import (
    BatchHandler,
    ExternalHandler,
    Mode,
    Registration,
    SingleHandler,
    no_endpoint,
    problem_of,
)
from participants.inbox import Inbox
from participants.metrics import Recorder
from participants.replies import entries
from participants.surroundings import Surroundings
from participants.turns import MOST, Turns
from sagas.contracts import REVOKE, C, Endpoint, R, check_name
from sagas.errors import InvalidDefinition
from sagas.messages import CommandMessage
from sagas.values import dataclass

AnyHandler = Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class AtOnce:
    """How many commands of one participant are worked on at once, in one process."""

    batch: int = MOST  #: together, in one transaction
    external: int = 32  #: side by side, calling the outside


_AT_ONCE = AtOnce()


class Participant:
    """A service that executes commands. `indexes` are those its own collections need, by collection.

    `collections` are the actions (`find`, `insert`, `update`) that its handlers need in each: `saga init` gives its
    MongoDB user these rights and no others. Where it does not say, they may do all three in all of its database.
    """

    def __init__(
        self,
        name: str,
        *,
        indexes: Mapping[str, Sequence[IndexModel]] | None = None,
        collections: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Raises `InvalidDefinition` for a name that can't be used."""
        check_name(name, f"Participant {name!r}")
        self.name = name
        self.collections = collections
        self.indexes: Mapping[str, Sequence[IndexModel]] = indexes or {}
        self._handlers: dict[str, Registration] = {}

    @property
    def handlers(self) -> Mapping[str, Registration]:
        """The handlers by message type."""
        return MappingProxyType(self._handlers)

    @overload
    def handles(self, endpoint: Endpoint[C, R]) -> Callable[[SingleHandler[C, R]], SingleHandler[C, R]]: ...
    @overload
    def handles(
        self, endpoint: Endpoint[C, R], *, batch: Literal[True]
    ) -> Callable[[BatchHandler[C, R]], BatchHandler[C, R]]: ...
    @overload
    def handles(
        self, endpoint: Endpoint[C, R], *, external: Literal[True]
    ) -> Callable[[ExternalHandler[C, R]], ExternalHandler[C, R]]: ...
    def handles(self, endpoint: Endpoint[C, R], *, batch: bool = False, external: bool = False) -> Callable[[Any], Any]:
        """Register the handler of an endpoint.

        - Plain: one command in one transaction. `Reject` aborts it and is stored; any other exception aborts it and
          is answered `failed`, so that the orchestrator tries again.
        - `batch=True`: a list of commands in one transaction, one outcome each, in order: the reply, or a `Reject`
          for a command nothing was written for. Four times the throughput.
        - `external=True`: for effects outside the database. No transaction; pass `tx.idempotency_key` on. The
          handler may be called again with the same key until its outcome is stored (see executor.py).

        Raises `InvalidDefinition` for another participant's endpoint, a second handler, and what can't be a handler.
        """
        if problem := no_endpoint(endpoint):
            raise InvalidDefinition(f"Participant {self.name!r}: {problem}")
        if batch and external:
            raise InvalidDefinition(f"{endpoint.type}: a handler is either batch or external")
        mode = Mode.BATCH if batch else Mode.EXTERNAL if external else Mode.SINGLE

        def register(handler: AnyHandler) -> AnyHandler:
            self._register(Registration(endpoint, mode, handler))
            return handler

        return register

    def bind(
        self,
        bus: Bus,
        inbox: Inbox,
        clock: Clock,
        *,
        streams: Streams | None = None,
        tracer: Tracer | None = None,
        recorder: Recorder | None = None,
        at_once: AtOnce = _AT_ONCE,
    ) -> None:
        """Subscribe to this participant's commands; before `bus.start()`."""
        streams = streams or Streams()
        stream = streams.commands(self.name)
        surroundings = Surroundings(self.name, stream, tracer=tracer, recorder=recorder)
        service = Service(self, inbox, clock, surroundings, at_once=at_once)
        for each in streams.all_of(stream):
            bus.subscribe(Subscription(each, self.name, service.handle))

    def _register(self, registration: Registration) -> None:
        endpoint = registration.endpoint
        if problem := problem_of(registration):
            raise InvalidDefinition(f"Participant {self.name!r}: {problem}")
        if endpoint.participant != self.name:
            raise InvalidDefinition(f"Participant {self.name!r}: {endpoint.type} belongs to {endpoint.participant!r}")
        if endpoint.type in self._handlers:
            raise InvalidDefinition(f"Participant {self.name!r}: {endpoint.type} has a handler already")
        self._handlers[endpoint.type] = registration


class Service:
    """A participant at work: deliveries in, verdicts out."""

    def __init__(
        self,
        participant: Participant,
        inbox: Inbox,
        clock: Clock,
        surroundings: Surroundings | None = None,
        *,
        at_once: AtOnce = _AT_ONCE,
    ) -> None:
        self._name = participant.name
        surroundings = surroundings or Surroundings(self._name, Streams().commands(self._name))
        surroundings.knows([*participant.handlers, f"{self._name}.{REVOKE}"])
        self._surroundings = surroundings
        self._executor = Executor(self._name, participant.handlers, inbox, clock, surroundings)
        self._clock = clock
        self._turns = Turns(self._executor.execute, at_once.batch)
        outside = {name for name, each in participant.handlers.items() if each.mode is Mode.EXTERNAL}
        self._aside = Aside(self._by_itself, lambda command: command.type in outside, at_once.external)

    async def handle(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict | Later]:
        """The bus's handler: one verdict per delivery. Raises `Unavailable` where the batch must come again.

        A call to the outside begins only once the others have their answers: if those must come again, so must it.
        """
        messages = [self._decode(delivery) for delivery in deliveries]
        commands = [message for message in messages if isinstance(message, CommandMessage)]
        self._surroundings.taken_up(commands, self._clock.now())
        aside = {command.id for command, chosen in zip(commands, self._aside.choose(commands), strict=True) if chosen}
        here = [command for command in commands if command.id not in aside]
        alone = any(delivery.redelivered for delivery in deliveries)
        suspect = any(delivery.suspect for delivery in deliveries)
        answers = await (self._turns.alone if alone else self._turns.together)(here) if here else ()
        now = self._clock.now()
        known = iter([self._verdict(command, answer, now) for command, answer in zip(here, answers, strict=True)])
        return [
            message
            if isinstance(message, Dead)
            else Later(self._aside.begin(message, alone=suspect))
            if message.id in aside
            else next(known)
            for message in messages
        ]

    def _verdict(self, command: CommandMessage, answer: Answer, now: datetime) -> Ack:
        return Ack(publish=entries(self._name, command, answer, now))

    async def _by_itself(self, command: CommandMessage) -> Ack:
        (answer,) = await self._executor.execute([command])
        return self._verdict(command, answer, self._clock.now())

    def _decode(self, delivery: Delivery) -> CommandMessage | Dead:
        try:
            return decode_command(delivery.fields, self._name)
        except Undecodable as error:
            return Dead(str(error))
