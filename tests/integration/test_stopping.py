"""An orchestrator that has to stop before what it has in hand is done."""

import asyncio
from collections.abc import Sequence

from adapters.bus import Delivery, Entry, Subscription, Verdict
from orchestrator.app import Orchestrator
from support import eventually
from support.services import settings_for

WITHIN_S = 0.2


async def test_in_a_hurry_nothing_of_it_goes_on(mongo_url: str, redis_url: str) -> None:
    before = asyncio.all_tasks()
    orchestrator = Orchestrator(settings_for(mongo_url, redis_url))
    in_hand: list[Delivery] = []

    async def never_ends(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        in_hand.extend(deliveries)
        await asyncio.get_running_loop().create_future()
        return []

    await orchestrator.start()
    await eventually(lambda: orchestrator.replica.slot is not None)
    *_, of_its_slot = orchestrator.replica.own_streams
    for stream in (orchestrator.bus.streams.events, of_its_slot):
        orchestrator.bus.subscribe(Subscription(stream, "never-ends", never_ends))
        await orchestrator.bus.publish([Entry(stream, {"a": "b"})])
    await eventually(lambda: len(in_hand) == 2)

    await orchestrator.stop(WITHIN_S)

    assert asyncio.all_tasks() - before == set()
