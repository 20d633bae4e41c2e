"""A process with a bus that is about to be killed: `python victim.py URL PREFIX STREAM GROUP hold|die`.

`hold` keeps its batch in hand for ever and says how many entries that are; `die` kills itself with SIGKILL when it is
handed the entry `killer`, and acknowledges every other.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from random import Random

import structlog

from adapters.bus import Ack, Delivery, Subscription, Verdict
from adapters.clock import SystemClock
from adapters.streams.names import Streams
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings


async def hold(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
    """Never answer."""
    print("holding", len(deliveries), flush=True)  # noqa: T201 - the test reads it
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def die(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
    """Die of one entry."""
    if any(delivery.fields["n"] == "killer" for delivery in deliveries):
        os.kill(os.getpid(), signal.SIGKILL)
    return [Ack()] * len(deliveries)


async def main(url: str, prefix: str, stream: str, group: str, how: str) -> None:
    """Run until killed."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = StreamSettings(
        max_records=1_000, heartbeat_ms=500, heartbeat_every_s=0.1, tend_every_s=0.1, claim_idle_ms=50, alone_limit=2
    )
    bus = RedisBus(url, clock=SystemClock(), rng=Random(os.getpid()), streams=Streams(prefix), settings=settings)
    bus.subscribe(Subscription(stream, group, hold if how == "hold" else die))
    await bus.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
