"""Copies the dead letters of commands into MongoDB too: participants leave them on Redis, which may lose them.

Participants have no access to the orchestrator's database, so the orchestrator reads their streams of dead letters
with a group of its own.
"""

from collections.abc import Awaitable, Callable, Sequence

from adapters.bus import Ack, Bus, Delivery, Subscription, Verdict
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from sagas import Definitions

Keep = Callable[[Delivery, str], Awaitable[None]]  #: raises `Unavailable`: then the entry comes again

MARKS = ("deadstream", "deadid", "deadreason", "deadtime")  #: what was added to the entry when it died


class DeadCommands:
    """The handler of those streams."""

    def __init__(self, streams: Streams, keep: Keep) -> None:
        self._streams = streams
        self._keep = keep

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        for delivery in deliveries:
            await self._keep(self._as_it_was(delivery), delivery.fields.get("deadreason", "not said"))
        return [Ack()] * len(deliveries)

    def _as_it_was(self, letter: Delivery) -> Delivery:
        """The entry that died, on the stream that these letters belong to, whatever it says itself.

        Anybody may write a letter. One that named another stream would be redriven there: a forged reply, say.
        """
        return Delivery(
            stream=self._streams.alive(letter.stream, letter.fields.get("subject", "")),
            entry_id=letter.fields.get("deadid", letter.entry_id),
            fields={name: value for name, value in letter.fields.items() if name not in MARKS},
        )


def subscribe(bus: Bus, streams: Streams, definitions: Definitions, keep: Keep) -> None:
    """Read the dead letters of every participant that the definitions know."""
    participants = {step.endpoint.participant for saga in definitions for step in saga.steps}
    for participant in sorted(participants):
        dead = streams.dead(streams.commands(participant))
        bus.subscribe(Subscription(dead, ORCHESTRATOR_GROUP, DeadCommands(streams, keep)))
