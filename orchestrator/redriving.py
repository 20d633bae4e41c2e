"""Gives a dead letter another try: on its stream again, or to the handler of a stream that others own.

Nothing is ever written to a stream of others: everybody else who reads it would get the message once more, too.
"""

from collections.abc import Mapping

from adapters.bus import Bus, Dead, Delivery, Entry, Handler
from adapters.streams.names import Streams
from orchestrator.dead_letters import DeadLetter

NOT_OURS = "No saga starts on this stream any more, and a stream of others is not written to."


class Redriver:
    """Over the bus and the handlers of streams of others, by stream."""

    def __init__(self, bus: Bus, streams: Streams, start_events: Mapping[str, Handler]) -> None:
        self._bus = bus
        self._streams = streams
        self._start_events = start_events

    async def redrive(self, letter: DeadLetter) -> str | None:
        """Try; None where that went well, else why the letter stays dead. After `Unavailable` nothing is known."""
        handler = self._start_events.get(letter.stream)
        if handler is not None:
            delivery = Delivery(letter.stream, letter.entry_id, letter.fields or {}, redelivered=True)
            (verdict,) = await handler([delivery])
            return verdict.reason if isinstance(verdict, Dead) else None
        if not self._streams.is_ours(letter.stream):
            return NOT_OURS
        (failure,) = await self._bus.publish([Entry(letter.stream, letter.fields or {})])
        if failure is not None:
            raise failure
        return None
