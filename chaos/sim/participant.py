"""A simulated process of a participant: the real barrier and executor, on a database that its processes share."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from random import Random

from chaos.faults import Point, Subject
from chaos.sim.bus import Servers, SimBus
from chaos.sim.process import Means, Process
from chaos.standins import Doing, Manner, Opening, in_memory, reply_to, stand_in
from participants.barrier import Row
from participants.context import Context
from participants.memory_inbox import MemoryDatabase, MemoryInbox, MemoryTransaction
from participants.participant import Participant
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
    endpoints: tuple[AnyEndpoint, ...]
    database: MemoryDatabase
    refusal: Refusal
    opening: Opening
    manner: Manner


class SimParticipant(Process):
    """One process."""

    def __init__(self, name: str, role: Role, means: Means, servers: Servers, rng: Random, *, skew_s: float) -> None:
        super().__init__(name, means, skew_s=skew_s)
        self.role = role
        self.rng = rng
        self._bus = SimBus(self, servers.redis, Point.ANSWER, Point.FINISH, on_dead=servers.bury)
        _handlers(role.name, role.endpoints, role.manner).bind(self._bus, SimInbox(self, rng, role.database), self)

    async def live(self) -> None:
        """Begin to work."""
        _HERE.set(self)  # What the bus runs from now on inherits it.
        await self._bus.start()

    def kill(self, down_s: float = 0.0) -> None:
        self._bus.kill()
        super().kill(down_s)

    async def conduct(self, context: Context, doing: Doing) -> str | None:
        """What befalls a handler."""

        async def done() -> str | None:
            return self.role.refusal(context) or await doing()

        subject = Subject(context.saga_id, context.step, context.kind.value)
        return await self.touch(Point.HANDLE, [subject], done)


_HERE: ContextVar[SimParticipant] = ContextVar("here")  #: the process in which a handler is called


async def _conduct(context: Context, doing: Doing) -> str | None:
    return await _HERE.get().conduct(context, doing)


def _opening(step: str) -> int:
    return _HERE.get().role.opening(step)


@cache
def _handlers(name: str, endpoints: tuple[AnyEndpoint, ...], manner: Manner) -> Participant:
    """The participant: made once for all its processes in all runs, for examining handlers takes its time."""
    return stand_in(
        name,
        endpoints,
        _conduct,
        in_memory(_opening),
        lambda endpoint: reply_to(endpoint, _HERE.get().rng),
        manner,
    )
