"""What an orchestrator reads of its own streams: replies, and the dead letters of commands."""

from collections.abc import Awaitable, Callable

from adapters.bus import Bus, Delivery, Subscription
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator import dead_commands
from orchestrator.engine import Engine
from orchestrator.replies import ReplyHandler


def subscribe(
    bus: Bus,
    streams: Streams,
    engine: Engine,
    send_again: Callable[[str], Awaitable[None]],
    keep_dead: Callable[[Delivery, str], Awaitable[None]],
) -> None:
    """Subscribe to all of it. `send_again` is called when the replies' group was lost."""
    bus.subscribe(Subscription(streams.replies, ORCHESTRATOR_GROUP, ReplyHandler(engine), send_again))
    dead_commands.subscribe(bus, streams, engine.definitions, keep_dead)
