"""Several orchestrators on one in-memory store, stepped by the test; on an in-memory Redis unless it has another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.bus import Bus, Entry
from adapters.memory_bus import MemoryBus
from adapters.memory_server import MemoryServer
from adapters.streams.envelope import encode_reply
from adapters.streams.names import Streams
from orchestrator.announcer import Announcer
from orchestrator.core.state import SagaState
from orchestrator.engine import Engine
from orchestrator.memory_store import MemorySagaStore
from orchestrator.metrics.recorder import Recorder
from orchestrator.replica import Replica
from orchestrator.sweeper import Sweeper
from orchestrator.work import Start
from sagas import Definitions
from sagas.order import order
from support.clock import ManualClock
from support.engines import start
from support.orders import ONE_PAIR, success

STREAMS = Streams()
INVENTORY = STREAMS.commands("inventory")


class CountingStore(MemorySagaStore):
    """Counts the sagas that had to be read because nobody remembered them."""

    loaded = 0

    async def load(self, ids: Sequence[str]) -> dict[str, SagaState]:
        self.loaded += len(ids)
        return await super().load(ids)


class One:
    """One orchestrator."""

    def __init__(
        self, clock: ManualClock, bus: Bus, store: MemorySagaStore, streams: Streams, reply_streams: int
    ) -> None:
        announcer = Announcer(bus, streams, clock)
        self.recorder = Recorder(["order"])
        self.engine = Engine(Definitions([order]), store, announcer, clock, observer=self.recorder)
        self.replica = Replica(self.engine, bus, streams, reply_streams=reply_streams)
        self.replica.subscribe()
        self.sweeper = Sweeper(self.engine, bus, streams, self.replica)

    async def start(self, *ids: str) -> None:
        await start(self.engine, *(Start(order, saga_id, order.start(ONE_PAIR), "r") for saga_id in ids))

    @property
    def conflicts(self) -> float:
        """Saves lost to another orchestrator."""
        return self.recorder.registry.get_sample_value("saga_revision_conflicts_total") or 0.0


class InMemory(One):
    """One whose bus is in memory."""

    def __init__(self, clock: ManualClock, server: MemoryServer, store: MemorySagaStore, reply_streams: int) -> None:
        self.bus = MemoryBus(clock, server)
        super().__init__(clock, self.bus, store, STREAMS, reply_streams)

    async def deliver(self) -> None:
        """Beat, and handle all that there is."""
        await self.replica.beat()
        await self.bus.run_until_idle()


@dataclass
class Installation:
    """All of them, and what they share."""

    reply_streams: int = 4
    clock: ManualClock = field(default_factory=ManualClock)
    store: CountingStore = field(default_factory=CountingStore)
    living: list[InMemory] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = MemoryServer(self.clock)

    async def begin(self, count: int = 1) -> list[InMemory]:
        """So many more, each of which has beaten; then all beat once more, and know one another."""
        new = [InMemory(self.clock, self.server, self.store, self.reply_streams) for _ in range(count)]
        for one in new:
            await one.replica.beat()
        self.living += new
        await self.beat()
        return new

    async def beat(self, seconds: int = 0) -> None:
        """Each second, or just now."""
        for second in range(max(1, seconds)):
            self.clock.advance(1 if seconds or second else 0)
            for one in self.living:
                await one.replica.beat()

    def kill(self, one: InMemory) -> None:
        """As SIGKILL."""
        one.bus.kill()
        self.living.remove(one)

    def answer(self) -> None:
        """What waits in the participants' streams is done, and answered where it asks for an answer."""
        for stream in [stream for stream in self.server.streams if STREAMS.is_commands(stream)]:
            group = self.server.groups[stream, STREAMS.own_group(stream) or ""]
            for delivery, _ in self.server.streams[stream][group.delivered :]:
                state = self.store.sagas[delivery.fields["id"].partition("/")[0]]
                self.server.add(Entry(delivery.fields["replyto"], encode_reply(success(state).reply)))
            group.delivered = len(self.server.streams[stream])

    def replytos(self) -> list[str]:
        """What the inventory's commands ask for."""
        return [fields["replyto"] for fields in self.server.entries(INVENTORY)]
