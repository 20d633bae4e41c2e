"""Engines on one in-memory store and one in-memory bus, on a clock that the test moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.memory_bus import MemoryBus
from adapters.streams.names import Streams
from orchestrator.announcer import Announcer
from orchestrator.core.state import SagaState
from orchestrator.engine import Engine
from orchestrator.memory_store import MemorySagaStore
from orchestrator.observer import Observer
from orchestrator.sweeper import Sweeper
from orchestrator.work import Start, Started
from sagas import Definitions, Saga
from sagas.order import order
from support.clock import ManualClock
from support.orders import ONE_PAIR

STREAMS = Streams()
INVENTORY, PAYMENT = STREAMS.commands("inventory"), STREAMS.commands("payment")


class CountingStore(MemorySagaStore):
    """Remembers how large its writes were."""

    def __init__(self) -> None:
        super().__init__()
        self.inserted: list[int] = []

    async def insert(self, states: Sequence[SagaState]) -> Sequence[SagaState | None]:
        self.inserted.append(len(states))
        return await super().insert(states)


async def start(engine: Engine, *starts: Start) -> Sequence[Started]:
    """Accept and announce."""
    started, decisions = await engine.accept(starts)
    await engine.announce_started(decisions)
    return started


@dataclass
class World:
    """Engines on one store and one bus."""

    clock: ManualClock = field(default_factory=ManualClock)
    store: MemorySagaStore = field(default_factory=MemorySagaStore)

    def __post_init__(self) -> None:
        self.bus = MemoryBus(self.clock)
        self.engine = self.another()
        self.sweeper = Sweeper(self.engine, self.bus, STREAMS)

    def another(self, *sagas: Saga, observer: Observer | None = None) -> Engine:
        announcer = Announcer(self.bus, STREAMS, self.clock)
        return Engine(Definitions(sagas or [order]), self.store, announcer, self.clock, observer=observer)

    async def start(self, *ids: str) -> None:
        await start(self.engine, *(Start(order, saga_id, order.start(ONE_PAIR), "r") for saga_id in ids))

    def state(self, saga_id: str) -> SagaState:
        return self.store.sagas[saga_id]

    def sent(self, stream: str) -> list[tuple[str, str]]:
        return [(fields["id"], fields.get("attempt", "")) for fields in self.bus.server.entries(stream)]

    def deliver_all(self, stream: str, group: str) -> None:
        """As if the group had read everything that is on the stream."""
        self.bus.server.groups[(stream, group)].delivered = len(self.bus.server.streams[stream])
