"""What a listener hears twice is told once."""

import asyncio
import re

from orchestrator.api.following import EverySaga
from orchestrator.listeners import Listeners
from support.api import Api
from support.clock import ManualClock
from support.orders import started

NOW = ManualClock().now()


def sagas(block: bytes) -> list[str]:
    return re.findall(r'"saga_id":"(\w+)"', block.decode())


async def test_what_was_caught_up_with_is_not_told_again_by_the_reader() -> None:
    api = Api()
    listeners: Listeners = api.listeners
    position = api.store.changes.now()
    await api.store.insert([started("missed", NOW).state])
    with listeners.admit() as other, listeners.admit() as listener:
        await listeners.follow(other)  # So there is a reader, which has its turn after the listener's own look.
        blocks = EverySaga(api.services, listener, position, lambda _: True).blocks()
        assert sagas(await anext(blocks)) == ["missed"]
        await api.store.insert([started("a", NOW).state])
        assert sagas(await anext(blocks)) == ["a"]
        assert (await asyncio.wait_for(other.next(), 5)).events[0].saga_id == "a"
        await api.store.insert([started("b", NOW).state])
        assert sagas(await asyncio.wait_for(anext(blocks), 5)) == ["b"]
        await blocks.aclose()
    await listeners.stop()
