"""A whole service in one process: orchestrators, participants and clients, on servers that fail as they are told to."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from random import Random
from typing import Any

from adapters.errors import Unavailable
from chaos import samples
from chaos.evidence import Evidence, Json, Request
from chaos.faults import Fault, Point
from chaos.invariants import Invariant
from chaos.sim.bus import Servers, SimServer
from chaos.sim.loop import VirtualClock, VirtualLoop
from chaos.sim.nemesis import Nemesis
from chaos.sim.orchestrator import SLOTS, Orchestrator
from chaos.sim.participant import Role, SimParticipant
from chaos.sim.process import Means
from chaos.standins import OPENING, Manner, endpoints, outside
from orchestrator.core.state import AbortRequested, CancelRequested, Message, RetryRequested, Status
from orchestrator.documents import past_document
from orchestrator.starting import Overloaded
from orchestrator.work import Start
from participants.context import Context
from participants.memory_inbox import MemoryDatabase
from sagas import Saga
from sagas.contracts import AnyEndpoint
from sagas.messages import Kind

Condition = Callable[[], bool]
Work = Coroutine[Any, Any, None]
Beginning = Callable[[], Work]

CLIENT_PATIENCE_S = 5.0
_MESSAGES = frozenset({Point.COMMAND.value, Point.REPLY.value})
RETRY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a run consists of, apart from its seed."""

    saga: Saga
    newer: Saga | None = None  #: a second version that is rolled out in the middle
    faults: Sequence[Fault] = ()
    sagas: int = 3
    begun_within_s: float = 10.0
    rejecting: frozenset[str] = frozenset()  #: steps that are rejected, always
    stock: int | None = None  #: what there is for the first step, for all sagas together
    reject_rate: float = 0.0  #: of steps up to the pivot
    cancel_rate: float = 0.0  #: of sagas
    interfering: bool = False  #: whether an operator cancels, retries and aborts at any moment
    orchestrators: int = 2
    instances: int = 2  #: processes of each participant
    participants_late_s: float = 0.0  #: how long after everybody else the participants begin
    batch: bool = True
    external: Sequence[str] = ()  #: steps whose effects are outside the database, behind idempotency keys
    skew_s: float = 0.0  #: how far the processes' clocks are apart, at most
    troubled_s: float = 90.0  #: how long faults may strike
    heal_within_s: float = 3_600.0
    most_messages: int = 100  #: for one saga
    most_stuck: int = 0  #: sagas that may ever be stuck
    invariants: Sequence[Invariant] = ()  #: beside the checker's own


@dataclass
class World:
    """One run under way."""

    setup: Setup
    seed: int
    loop: VirtualLoop
    requests: dict[str, Request] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nemesis = Nemesis(self.setup.faults, self._rng("faults"), self.loop.time)
        self._means = Means(self.loop, self.nemesis, self._rng("latency"), self._store_outage)
        self._clock = VirtualClock(self.loop)
        self.servers = Servers(SimServer(self._clock, self._means))
        self._roles = self._all_roles()
        self.orchestrators: list[Orchestrator] = []
        self.participants: dict[str, SimParticipant] = {}
        self._healing = False
        self._numbers = count(1)
        self._later: set[asyncio.Task[None]] = set()
        self._versions: list[Saga] = [self.setup.saga]

    def _rng(self, purpose: str) -> Random:
        return Random(f"{self.seed}/{purpose}")

    # -- the run -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Faults first; then none any more, until everything has ended or the time is up."""
        for number in range(self.setup.orchestrators):
            await self._begin_orchestrator(number)
        clients = [self._client(f"saga-{number}") for number in range(self.setup.sagas)]
        tasks = [self._spawn(work) for work in (self._begin_participants(), *clients)]
        if self.setup.interfering:
            tasks.append(self._spawn(self._operator()))
        if self.setup.newer is not None:
            tasks.append(self._spawn(self._roll_out()))
        await self._until(self._all_ended, self.setup.troubled_s)
        self._heal()
        await self._until(lambda: all(task.done() for task in tasks) and self._all_ended(), self.setup.heal_within_s)
        await self._until(self._quiet, 600.0)

    def _heal(self) -> None:
        self._healing = True
        self.nemesis.note("run", "healed")
        self.nemesis.rest()
        self.servers.redis.recover()
        self.servers.store.away = False
        for process in [*self.orchestrators, *self.participants.values()]:
            process.resume()

    async def _until(self, done: Condition, within_s: float) -> None:
        end = self.loop.time() + within_s
        while not done() and self.loop.time() < end:
            await self._clock.sleep(1.0)

    def _all_ended(self) -> bool:
        return len(self.servers.store.sagas) == self.setup.sagas and all(
            state.status.ended for state in self.servers.store.sagas.values()
        )

    def _quiet(self) -> bool:
        """Nothing is on its way: what is late must have had its chance to do harm."""
        unread = any(
            group.pending or group.delivered < len(self.servers.redis.streams.get(stream, ()))
            for (stream, _), group in self.servers.redis.groups.items()
        )
        return not unread and not self.servers.redis.late

    # -- processes -----------------------------------------------------------------------------------------------------

    async def _begin_orchestrator(self, number: int) -> None:
        name = f"orchestrator-{number + 1}"
        slots = self._rng("slots").choice((0, SLOTS))  # With 0, replies meet states that others have changed.
        process = Orchestrator(name, self._means, self.servers, self._versions, slots=slots, skew_s=self._skew(name))
        self.orchestrators[number : number + 1] = [process]
        process.on_killed = lambda down_s: self._again(down_s, lambda: self._begin_orchestrator(number))
        await process.live()

    async def _begin_participants(self) -> None:
        await self._clock.sleep(self.setup.participants_late_s)
        for name in self._roles:
            for number in range(self.setup.instances):
                await self._begin_participant(name, number)

    async def _begin_participant(self, name: str, number: int) -> None:
        instance = f"{name}-{number + 1}"
        rng = self._rng(f"{instance}/{next(self._numbers)}")
        role = self._roles[name]
        process = SimParticipant(instance, role, self._means, self.servers, rng, skew_s=self._skew(instance))
        self.participants[instance] = process
        process.on_killed = lambda down_s: self._again(down_s, lambda: self._begin_participant(name, number))
        await process.live()

    def _again(self, down_s: float, begin: Beginning) -> None:
        async def later() -> None:
            await self._clock.sleep(0 if self._healing else down_s)
            await begin()

        self._spawn(later())

    def _skew(self, name: str) -> float:
        most_s = self.setup.skew_s
        return self._rng(f"clock/{name}").uniform(-most_s, most_s) if most_s else 0.0

    def _store_outage(self, for_s: float) -> None:
        self.servers.store.away = True
        self.loop.call_later(for_s, lambda: setattr(self.servers.store, "away", False))

    def _all_roles(self) -> dict[str, Role]:
        theirs: dict[str, tuple[AnyEndpoint, ...]] = {}
        for endpoint in endpoints(self._all_versions()).values():
            theirs[endpoint.participant] = (*theirs.get(endpoint.participant, ()), endpoint)
        manner = Manner(self.setup.batch, outside(self.setup.saga, self.setup.external))
        return {
            name: Role(name, its, MemoryDatabase(), self._refusal, self._opening, manner)
            for name, its in sorted(theirs.items())
        }

    def _all_versions(self) -> list[Saga]:
        return [self.setup.saga, *([self.setup.newer] if self.setup.newer else [])]

    async def _roll_out(self) -> None:
        """One orchestrator after the other is replaced by one that knows the newer version too."""
        rng = self._rng("roll-out")
        for number in range(self.setup.orchestrators):
            await self._clock.sleep(rng.uniform(1, self.setup.begun_within_s))
            self._versions = self._all_versions()
            self.orchestrators[number].kill(1.0)
        await self._clock.sleep(2.0)

    # -- business ------------------------------------------------------------------------------------------------------

    def _refusal(self, context: Context) -> str | None:
        """The same for each attempt: a business does not change its mind here."""
        if context.kind is not Kind.ACTION:
            return None
        saga = self.setup.saga
        if context.step in self.setup.rejecting:
            return "rejecting"
        if not self.setup.reject_rate or saga.index(context.step) > saga.pivot:
            return None
        return "no" if self._rng(f"no/{context.saga_id}/{context.step}").random() < self.setup.reject_rate else None

    def _opening(self, step: str) -> int:
        stock = self.setup.stock if step == self.setup.saga.steps[0].name else None
        return OPENING if stock is None else stock

    # -- clients and operators -----------------------------------------------------------------------------------------

    async def _client(self, saga_id: str) -> None:
        """Starts one saga, and does not give up before it is told that it is accepted. Some cancel it later."""
        rng = self._rng(f"client/{saga_id}")
        self.requests[saga_id] = request = Request(saga_id, self.setup.saga.name)
        await self._clock.sleep(rng.uniform(0, self.setup.begun_within_s))
        data = samples.example(self.setup.saga.input, rng)
        while not request.accepted:
            orchestrator = rng.choice(self.orchestrators)
            saga = orchestrator.definitions.latest(self.setup.saga.name)
            try:
                start = Start(saga, saga_id, saga.start(data), "request")
                started = await asyncio.wait_for(orchestrator.start(start), CLIENT_PATIENCE_S)
            except (TimeoutError, Unavailable, Overloaded, RuntimeError):
                await self._clock.sleep(RETRY_S)
                continue
            request = self.requests[saga_id] = replace(request, accepted=True, answers=(started.state.id,))
        if rng.random() < self.setup.cancel_rate:
            await self._clock.sleep(rng.uniform(0, 30))
            await self._ask(rng, saga_id, CancelRequested("changed my mind"))

    async def _operator(self) -> None:
        """Interferes with whatever saga, at any moment; once all is healed, gives stuck sagas a further try."""
        rng = self._rng("operator")
        ways_out: list[Message] = [RetryRequested("once more"), AbortRequested("enough")]
        while not self._all_ended():
            await self._clock.sleep(rng.uniform(1, 20))
            for state in sorted(self.servers.store.sagas.values(), key=lambda state: state.id):
                if state.status is Status.STUCK:
                    await self._ask(rng, state.id, rng.choice(ways_out))
                elif not self._healing and rng.random() < 0.1:
                    await self._ask(rng, state.id, CancelRequested("by an operator"))

    async def _ask(self, rng: Random, saga_id: str, message: Message) -> None:
        try:
            await asyncio.wait_for(rng.choice(self.orchestrators).request(saga_id, message), CLIENT_PATIENCE_S)
        except (TimeoutError, Unavailable):
            return  # A person would look, and ask again.

    def _spawn(self, work: Work) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        return task

    # -- afterwards ----------------------------------------------------------------------------------------------------

    async def evidence(self, bugs: Sequence[str]) -> Evidence:
        """What is left behind."""
        pasts = [await self.servers.store.history(saga_id) for saga_id in sorted(self.servers.store.sagas)]
        rows = [row for name in self._roles for row in self._rows(name)]
        balances = dict(self._balances())
        return Evidence(
            definitions=[_told(saga) for saga in self._all_versions()],
            sagas=[past_document(past) for past in pasts if past is not None],
            ledger=[row for _, row in sorted(rows, key=lambda numbered: numbered[0])],
            balances=balances,
            openings={key: self._opening(key[1]) for key in balances},
            requests=list(self.requests.values()),
            messages=Counter(event.about.split("/")[0] for event in self.nemesis.trace if event.what in _MESSAGES),
            most_messages=self.setup.most_messages,
            most_stuck=self.setup.most_stuck,
            bugs=bugs,
        )

    def _rows(self, name: str) -> Iterator[tuple[int, dict[str, object]]]:
        for key, document in self._roles[name].database.documents.items():
            kind, _, number = key.partition("/")
            if kind == "ledger":
                yield int(number), {**document, "participant": name}

    def _balances(self) -> Iterator[tuple[tuple[str, str], int]]:
        for name, role in self._roles.items():
            for key, value in role.database.documents.items():
                kind, _, of = key.partition("/")
                if kind == "balance":
                    yield (name, of), value


@cache
def _told(saga: Saga) -> Json:
    """The definition as the checker reads it."""
    return saga.to_json()
