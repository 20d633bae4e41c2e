"""An orchestrator that has to stop before what it has in hand is done."""

import asyncio

from adapters.bus import Entry, Subscription
from orchestrator.app import Orchestrator
from support import eventually
from support.asking import Stays
from support.services import settings_for

WITHIN_S = 0.2


async def test_in_a_hurry_nothing_of_it_goes_on(mongo_url: str, redis_url: str) -> None:
    before = asyncio.all_tasks()
    orchestrator = Orchestrator(settings_for(mongo_url, redis_url))
    handler = Stays()
    await orchestrator.start()
    await eventually(lambda: orchestrator.replica.slot is not None)
    *_, of_its_slot = orchestrator.replica.own_streams
    for stream in (orchestrator.bus.streams.events, of_its_slot):
        orchestrator.bus.subscribe(Subscription(stream, "stays", handler))
        await orchestrator.bus.publish([Entry(stream, {"a": "b"})])
    await eventually(lambda: len(handler.given) == 2)

    await orchestrator.stop(WITHIN_S)

    assert asyncio.all_tasks() - before == set()
