"""Who watches the bus is told of each acknowledgement before and after it."""

from collections.abc import Callable, Sequence

from adapters.bus import Delivery
from support.buses import FAST, Recorder, numbered
from support.redis_worlds import MakeWorld, make_world, reading, settled
from support.waiting import eventually

__all__ = ["make_world"]  # fixture


async def test_an_acknowledgement_is_told_before_it_and_after_it(make_world: MakeWorld) -> None:
    world = make_world(FAST)
    told: list[tuple[str, list[str]]] = []

    def settling(deliveries: Sequence[Delivery]) -> Callable[[], None]:
        names = [delivery.fields["n"] for delivery in deliveries]
        told.append(("before", names))
        return lambda: told.append(("after", names))

    bus = await reading(world, Recorder())
    bus.watch_settling(settling)
    await bus.publish(numbered(world.streams.commands("p"), 1))

    await eventually(lambda: settled(world))
    await eventually(lambda: told == [("before", ["1"]), ("after", ["1"])])
