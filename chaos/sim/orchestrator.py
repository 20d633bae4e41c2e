"""A simulated orchestrator: the real engine, starter, timers and reply handler, on simulated servers."""

from collections.abc import Sequence
from functools import cache

from chaos.faults import Point
from chaos.sim.bus import Servers, SimBus
from chaos.sim.process import Means, Process
from chaos.sim.store import SimStore
from orchestrator.announcer import Announcer
from orchestrator.core.state import Decision, Message
from orchestrator.engine import Engine
from orchestrator.replica import Replica
from orchestrator.starting import Starter
from orchestrator.sweeper import Sweeper
from orchestrator.work import Start, Started
from sagas import Definitions, Saga

SWEEP_EVERY_S = 1.0
SLOTS = 4  #: of an orchestrator that is answered on a stream of its own


class Orchestrator(Process):
    """One orchestrator process; `sagas` are the definitions that it knows."""

    def __init__(
        self, name: str, means: Means, servers: Servers, sagas: Sequence[Saga], *, slots: int, skew_s: float
    ) -> None:
        super().__init__(name, means, skew_s=skew_s)
        self.definitions = _known(tuple(sagas))
        self._bus = SimBus(self, servers.redis, Point.SEND, Point.SETTLE, on_dead=servers.bury)
        announcer = Announcer(self._bus, self._bus.streams, self)
        self.engine = Engine(self.definitions, SimStore(self, servers.store), announcer, self)
        self._starter = Starter(self.engine)
        self._replica = Replica(self.engine, self._bus, self._bus.streams, reply_streams=slots)
        self._replica.subscribe()
        self._sweeper = Sweeper(self.engine, self._bus, self._bus.streams, self._replica, every_s=SWEEP_EVERY_S)
        self._phase_s = means.rng.uniform(0, SWEEP_EVERY_S)

    async def live(self) -> None:
        """Begin to work."""
        await self._bus.start()
        self.run(self._replica.run())
        self.run(self._sweep())

    async def start(self, start: Start) -> Started:
        """What a client's request does. Raises as `Starter.start`."""
        (started,) = await self._starter.start([start])
        return started

    async def request(self, saga_id: str, message: Message) -> Decision | None:
        """What an operator's request does."""
        return await self.engine.request(saga_id, message)

    def kill(self, down_s: float = 0.0) -> None:
        self._bus.kill()
        super().kill(down_s)

    async def _sweep(self) -> None:
        await self.sleep(self._phase_s)  # Replicas don't look at their timers in step.
        await self._sweeper.run()


@cache
def _known(sagas: tuple[Saga, ...]) -> Definitions:
    return Definitions(sagas)
