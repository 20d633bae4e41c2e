"""A handler whose verdicts come later, when a test says so."""

import asyncio
from collections.abc import Sequence

from adapters.bus import Ack, Bus, Delivery, Later, Verdict
from adapters.errors import Unavailable
from support.buses import numbered
from support.waiting import eventually


class Asked:
    """Knows what becomes of entries whose number is below ten only when it is told, each time anew."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []  #: names and whether they were suspects
        self.open: dict[str, asyncio.Future[Verdict]] = {}
        self.away = False  #: whether everything comes again

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict | Later]:
        if self.away:
            self.asked += [(delivery.fields["n"], delivery.suspect) for delivery in deliveries]
            raise Unavailable("away")
        return [self._one(delivery) for delivery in deliveries]

    def _one(self, delivery: Delivery) -> Verdict | Later:
        name = delivery.fields["n"]
        self.asked.append((name, delivery.suspect))
        if int(name) >= 10:
            return Ack()
        self.open[name] = asyncio.get_running_loop().create_future()
        return Later(self.open[name])

    def times(self, name: str) -> int:
        return sum(asked == name for asked, _ in self.asked)

    async def fails(self, name: str, error: Exception) -> None:
        """This time nothing comes of it; until it is asked about again."""
        before = self.times(name)
        self.open.pop(name).set_exception(error)
        await eventually(lambda: self.times(name) > before)

    async def about(self, bus: Bus, stream: str, *names: int) -> None:
        """These are published, and it is asked about all of them; what was open stays so."""
        most = len(self.open) + len(names)
        await bus.publish(numbered(stream, *names))
        await eventually(lambda: len(self.open) == most)

    def settle(self) -> None:
        for future in self.open.values():
            future.set_result(Ack())
        self.open.clear()


class Stays:
    """Handles what it is given without an end."""

    def __init__(self) -> None:
        self.given: list[Delivery] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        self.given += deliveries
        await asyncio.get_running_loop().create_future()
        return []
