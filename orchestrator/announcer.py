"""Sends what a decision wants sent: commands to participants, events to anyone. It never decides what to send."""

from collections.abc import Sequence

import structlog

from adapters.bus import Bus, Entry
from adapters.clock import Clock
from adapters.errors import Unavailable
from adapters.streams.envelope import encode_command, encode_event
from adapters.streams.names import Streams
from adapters.tracing.messages import sending, tell_commands
from adapters.tracing.port import Tracer, Untraced
from orchestrator.core.state import Decision
from orchestrator.pace import Pace
from sagas.messages import CommandMessage

log = structlog.get_logger(__name__)

_Sendable = tuple[int, Entry]  #: the position of the decision that wants it sent


class Announcer:
    """Turns decisions into stream entries and publishes a batch of them in one go."""

    def __init__(
        self, bus: Bus, streams: Streams, clock: Clock, tracer: Tracer | None = None, *, resend_rate: int = 5_000
    ) -> None:
        self._tracer = tracer or Untraced()
        self._bus = bus
        self._streams = streams
        self._clock = clock
        self.replyto = streams.replies  #: the stream on which we are answered
        self.pace = Pace(clock, resend_rate)  #: of what is sent again
        self.listening_since = clock.now()  #: since when this process has had its servers, without a break
        self.sent_again_at = self.listening_since  #: when all that is awaited was last put on the streams again

    def interrupted(self) -> None:
        """A server was away: silence before this moment counts for nothing."""
        self.listening_since = self._clock.now()

    def sent_again(self) -> None:
        """All that is awaited is on the streams again: whatever waits there, waits since now."""
        self.sent_again_at = self._clock.now()

    async def announce(self, decisions: Sequence[Decision]) -> set[int]:
        """Publish everything, events first; the positions of the decisions that are not wholly on their streams.

        A command moves its saga on, and whoever repeats then repeats the events of a later revision only. So no command
        is on its stream before the events of its own revision are, wherever the connection breaks off.

        Raises `Unavailable` where nothing at all could be published: then it is the server that is away.
        """
        stream = self._streams.events
        events = [
            (n, Entry(stream, encode_event(each))) for n, decided in enumerate(decisions) for each in decided.events
        ]
        commands = [(n, self._command(message)) for n, decided in enumerate(decisions) for message in decided.commands]
        sendable: Sequence[_Sendable] = [*events, *commands]
        if not sendable:
            return set()
        begin_ns = self._tracer.now_ns()
        results = await self._publish(sendable, len(events))
        if self._tracer.on:
            tell_commands(self._tracer, [entry for _, entry in sendable], results, begin_ns)
        errors = [error for error in results if error is not None]
        if len(errors) == len(sendable):
            self.interrupted()
            raise errors[0]
        if errors:
            log.error("stream-refuses", messages=len(errors), reason=str(errors[0]))
        return {n for (n, _), error in zip(sendable, results, strict=True) if error is not None}

    async def _publish(self, sendable: Sequence[_Sendable], events: int) -> Sequence[Unavailable | None]:
        """One result each; where streams are on several servers, a command is refused with an event of its decision."""
        if self._bus.in_order:
            return await self._bus.publish([entry for _, entry in sendable])
        commands, told = sendable[events:], sendable[:events]
        results = await self._bus.publish([entry for _, entry in told])
        refused = {n: error for (n, _), error in zip(told, results, strict=True) if error is not None}
        taken = iter(await self._bus.publish([entry for n, entry in commands if n not in refused]))
        return [*results, *(refused[n] if n in refused else next(taken) for n, _ in commands)]

    def _command(self, message: CommandMessage) -> Entry:
        fields = encode_command(message)
        fields["replyto"] = self._streams.partition(self.replyto, message.saga_id)
        if self._tracer.on and (context := sending(message, fields["time"])) is not None:
            fields["traceparent"] = str(context)
        stream = self._streams.commands(message.participant)
        return Entry(self._streams.partition(stream, message.saga_id), fields)
