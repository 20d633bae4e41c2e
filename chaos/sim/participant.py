"""A simulated process of a participant: the real barrier and executor, on a database that its processes share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from chaos.faults import Point, Subject
from chaos.sim.bus import Servers, SimBus
from chaos.sim.process import Means, Process
from chaos.standins import Opening, in_memory, stand_in
from participants.barrier import Row
from participants.context import Context
from participants.memory_inbox import MemoryDatabase, MemoryInbox, MemoryTransaction
from sagas.contracts import AnyEndpoint

Refusal = Callable[[Context], str | None]  #: the code with which a command is rejected; None: it is not


class SimInbox(MemoryInbox):
    """The inbox; its process may die before or behind a commit."""

    def __init__(self, process: Process, rng: Random, database: MemoryDatabase) -> None:
        super().__init__(process, rng, database=database)
        self._process = process

    async def commit(self, transaction: MemoryTransaction) -> None:
        async def effect() -> None:
            self.committed.commit(transaction)

        rows = [row for row in transaction.inbox.written.values() if isinstance(row, Row)]
        subjects = [Subject(row.saga_id, row.step, row.kind.value) for row in rows]
        await self._process.touch(Point.COMMIT, subjects, effect)


@dataclass(frozen=True, slots=True)
class Role:
    """What all processes of one participant have in common."""

    name: str
    endpoints: Sequence[AnyEndpoint]
    database: MemoryDatabase
    refusal: Refusal
    opening: Opening
    batch: bool  #: whether its handlers take batches


class SimParticipant(Process):
    """One process."""

    def __init__(self, name: str, role: Role, means: Means, servers: Servers, rng: Random, *, skew_s: float) -> None:
        super().__init__(name, means, skew_s=skew_s)
        self._role = role
        self._bus = SimBus(self, servers.redis, Point.ANSWER, Point.FINISH, on_dead=servers.bury)
        effect = in_memory(role.opening)
        participant = stand_in(role.name, role.endpoints, self._conduct, effect, rng, batch=role.batch)
        participant.bind(self._bus, SimInbox(self, rng, role.database), self)

    async def live(self) -> None:
        """Begin to work."""
        await self._bus.start()

    def kill(self, down_s: float = 0.0) -> None:
        self._bus.kill()
        super().kill(down_s)

    async def _conduct(self, context: Context) -> str | None:
        async def refusal() -> str | None:
            return self._role.refusal(context)

        subject = Subject(context.saga_id, context.step, context.kind.value)
        return await self.touch(Point.HANDLE, [subject], refusal)
