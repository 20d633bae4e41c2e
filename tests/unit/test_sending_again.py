"""What is awaited is sent again when Redis has lost it: all of it, once, and whatever is in the way."""

from dataclasses import replace
from datetime import datetime

import pytest

from adapters.errors import Unavailable
from orchestrator.core.state import SagaState
from orchestrator.memory_store import MemorySagaStore
from orchestrator.work import Input
from support.engines import INVENTORY, PAYMENT, World
from support.orders import success


@pytest.fixture
def world() -> World:
    return World()


async def test_a_document_that_somebody_broke_keeps_no_other_saga_from_being_sent_again(world: World) -> None:
    await world.start("a", "b")
    broken = replace(world.state("a").pending[0], step="no-such-step")
    world.store.sagas["a"] = replace(world.state("a"), pending=(broken,))
    assert await world.engine.resend() == 2
    assert world.sent(INVENTORY)[2:] == [("b/reserve-stock/action", "1")]


class BusyStore(MemorySagaStore):
    """Whenever it is asked what is awaited, one more saga begins."""

    world: World

    async def awaiting(self, after: SagaState | None, limit: int, until: datetime) -> list[SagaState]:
        found = await super().awaiting(after, limit, until)
        self.world.clock.advance(0.001)
        assert len(self.sagas) < 10, "it looks and looks"
        await self.world.start(f"new-{len(self.sagas)}")
        return found


async def test_sending_everything_again_comes_to_an_end_while_new_sagas_begin() -> None:
    store = BusyStore()
    store.world = world = World(store=store)
    await world.start("a")
    assert await world.engine.resend(page=1) == 1


async def test_everything_in_flight_is_sent_again_when_replies_were_lost(world: World) -> None:
    await world.start("a", "b", "c")
    await world.engine.apply([Input("c", success(world.state("c")))])
    assert await world.engine.resend(page=2) == 3
    assert len(world.sent(INVENTORY)) == 3 + 2
    assert len(world.sent(PAYMENT)) == 1 + 1


async def test_what_a_stream_refuses_has_not_been_sent_again(world: World) -> None:
    await world.start("a", "b", "c")
    await world.engine.apply([Input("a", success(world.state("a")))])
    world.clock.advance(1)
    world.bus.server.refused.add(PAYMENT)
    with pytest.raises(Unavailable, match="the commands of 1 sagas"):
        await world.engine.resend()
    assert world.engine.announcer.sent_again_at < world.clock.now()
    assert len(world.sent(INVENTORY)) == 3 + 2
