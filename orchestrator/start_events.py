"""Sagas that other services' events start: a batch of entries becomes one batch of new sagas.

An entry is acknowledged once every saga that it starts is stored for good, so a crash in between only brings it again:
the saga's id follows from the event's key, and the same key with the same data is the same saga. What can never start
a saga is a dead letter that says why. While too many sagas are in flight nothing is read: events wait where they are.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import structlog
from pydantic import ValidationError

from adapters.bus import Ack, Bus, Dead, Delivery, Foreign, Places, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.streams.envelope import Undecodable
from adapters.streams.names import Streams
from adapters.streams.published import Published, decode_published, type_of
from orchestrator.admission import Admission
from orchestrator.requested import requested
from orchestrator.starting import Overloaded, Starter
from orchestrator.work import Start, Started
from sagas import CannotStart, Definitions, InvalidDefinition, NotStorable, Saga
from sagas.errors import explain

log = structlog.get_logger(__name__)

Tell = Callable[[str, Sequence[str]], None]  #: gets a stream, and what came of each event that was read from it

STARTED, REPEATED, IGNORED, DEAD = "started", "repeated", "ignored", "dead"


class StartEvents:
    """The handler of one stream."""

    def __init__(
        self, stream: str, sagas: Sequence[Saga], starter: Starter, admission: Admission, tell: Tell | None = None
    ) -> None:
        self._stream = stream
        self._sagas: dict[str, list[Saga]] = {}
        for saga in sagas:
            assert saga.starts_on is not None, "only sagas that an event starts"
            self._sagas.setdefault(saga.starts_on.type, []).append(saga)
        self._starter = starter
        self._admission = admission
        self._tell = tell
        self._waiting = False

    def room(self) -> int:
        """How many events may be read now."""
        room = self._admission.room
        if self._waiting is not (room == 0):
            self._waiting = room == 0
            if self._waiting:
                log.warning("start-events-wait", stream=self._stream, reason="too many sagas are in flight")
            else:
                log.info("start-events-go-on", stream=self._stream)
        return room

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        plans = [self._plan(delivery) for delivery in deliveries]
        starts = [start for plan in plans for start in plan.starts]
        started = iter(await self._start(starts) if starts else ())
        done = [plan.done([next(started) for _ in plan.starts]) for plan in plans]
        if self._tell is not None:
            self._tell(self._stream, [outcome for outcome, _ in done])
        return [verdict for _, verdict in done]

    async def _start(self, starts: Sequence[Start]) -> Sequence[Started]:
        """All in one write. What has been read is started: how much is read depends on the room there is."""
        self._admission.count(len(starts))
        try:
            return await self._starter.start(starts)
        except Overloaded as error:
            raise Unavailable(str(error)) from error

    def _plan(self, delivery: Delivery) -> "_Plan":
        try:
            sagas = self._sagas.get(type_of(delivery.fields), ())
            published = decode_published(delivery.fields) if sagas else None
        except Undecodable as error:
            return _Plan([], [str(error)])
        plan = _Plan([], [])
        for saga in sagas:
            assert published is not None
            try:
                plan.starts.append(_start_of(saga, published))
            except _Unusable as error:
                plan.problems.append(str(error))
        return plan


class _Unusable(ValueError):
    """The event can't start this saga."""


class _Plan:
    """What one entry starts, and why it can't start what it should."""

    def __init__(self, starts: list[Start], problems: list[str]) -> None:
        self.starts = starts
        self.problems = problems

    def done(self, started: Sequence[Started]) -> tuple[str, Verdict]:
        """What came of it. Acknowledged once all of it is stored; dead where something of it never will be."""
        taken = [
            f"the saga {start.id} of {start.saga.name} has this key, and was started with other data"
            for start, one in zip(self.starts, started, strict=True)
            if one.taken
        ]
        if problems := [*self.problems, *taken]:
            return DEAD, Dead("; ".join(problems))
        if not started:
            return IGNORED, Ack()
        return REPEATED if all(one.replayed for one in started) else STARTED, Ack()


def _start_of(saga: Saga, published: Published) -> Start:
    event = saga.starts_on
    assert event is not None, "only sagas that an event starts"
    # Up to its first colon a reason is in the log, too: there it names what is wrong, and holds nothing of the event.
    try:
        key = event.key_of(published.data)
    except CannotStart as error:
        raise _Unusable(f"no key for {saga.name}: {error}") from error
    try:
        data = event.input_of(published.data)
        return requested(saga, saga_id(saga.name, key), data, published.traceparent)
    except Exception as error:  # The author's validators may raise anything.
        raise _Unusable(f"no input for {saga.name}: {_said(error)}") from error


def _said(error: Exception) -> str:
    match error:
        case ValidationError():
            return explain(error)
        case CannotStart() | NotStorable():
            return str(error)
        case _:
            return f"{type(error).__name__}: {error}"[:500]


def subscribe(
    bus: Bus,
    streams: Streams,
    definitions: Definitions,
    starter: Starter,
    admission: Admission,
    places: Places,
    tell: Tell | None = None,
) -> Mapping[str, StartEvents]:
    """Read every stream on which a saga starts, each of them once; the handlers by stream.

    Raises `InvalidDefinition` for a stream of ours.
    """
    handlers = {}
    for stream, sagas in definitions.starting_on.items():
        if streams.is_ours(stream):
            names = ", ".join(saga.name for saga in sagas)
            raise InvalidDefinition(f"{names}: starts_on= names {stream!r}, a stream of the orchestrator's own")
        handler = handlers[stream] = StartEvents(stream, sagas, starter, admission, tell)
        beginning = any(saga.starts_on is not None and saga.starts_on.start == "beginning" for saga in sagas)
        foreign = Foreign(beginning, places, handler.room)
        bus.subscribe(Subscription(stream, streams.starters, handler, foreign=foreign))
    return handlers


def saga_id(saga: str, key: str) -> str:
    """The id of the saga that an event with this key starts: docs/events.md tells it to other programs.

    NUL can't occur in an `Idempotency-Key`, from which HTTP makes ids, so no request can have this id by accident.
    """
    return hashlib.sha256(f"event\0{saga}\0{key}".encode()).hexdigest()[:40]
