"""Sends what a decision wants sent: commands to participants, events to anyone. It never decides what to send."""

from collections.abc import Iterable

import structlog

from adapters.bus import Bus, Entry
from adapters.errors import Unavailable
from adapters.streams.envelope import Unencodable, encode_command, encode_event
from adapters.streams.names import Streams
from orchestrator.core.state import Decision
from sagas.messages import CommandMessage, EventMessage

log = structlog.get_logger(__name__)


class Announcer:
    """Turns decisions into stream entries and publishes a batch of them in one go."""

    def __init__(self, bus: Bus, streams: Streams) -> None:
        self._bus = bus
        self._streams = streams

    async def announce(self, decisions: Iterable[Decision]) -> None:
        """Publish everything, commands first. Raises `Unavailable` if anything of it is not on its stream."""
        decided = list(decisions)
        entries = [self._command(message) for decision in decided for message in decision.commands]
        entries += [self._event(message) for decision in decided for message in decision.events]
        sendable = [entry for entry in entries if entry is not None]
        if not sendable:
            return
        failures = [failure for failure in await self._bus.publish(sendable) if failure is not None]
        if failures:
            raise Unavailable(f"{len(failures)} of {len(sendable)} messages are not on their streams: {failures[0]}")

    def _command(self, message: CommandMessage) -> Entry | None:
        try:
            fields = encode_command(message)
        except Unencodable as error:  # Its deadline passes like that of a lost one; the saga goes on from there.
            log.error("command-not-encodable", saga_id=message.saga_id, command_id=message.id, reason=str(error))
            return None
        return Entry(self._streams.commands(message.participant), {**fields, "replyto": self._streams.replies})

    def _event(self, message: EventMessage) -> Entry:
        return Entry(self._streams.events, encode_event(message))
