"""One real run under way: servers, wires, processes, clients; faults first, then none, until everything has ended."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx

from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.mongo import Mongo
from adapters.servers import ServerFailed
from adapters.servers.redis import Refused
from adapters.streams.address import streams_at
from adapters.streams.names import Streams
from chaos.evidence import Evidence
from chaos.faults import Fault, Point, Subject
from chaos.real import evidence, workload
from chaos.real.entries import ON_THE_WAY, Entries
from chaos.real.load import Load, Start
from chaos.real.load_process import LoadProcess
from chaos.real.looking import Onlooker, look
from chaos.real.nemesis import Nemesis
from chaos.real.plan import Plan, Strike
from chaos.real.processes import Processes
from chaos.real.proxy import Wire, wire
from chaos.real.sent import messages
from chaos.real.servers import APP_NAME, RealServers
from chaos.real.services import Services, known_sagas, players
from chaos.real.setup import ARMED, Setup
from chaos.real.striker import WITHIN
from chaos.real.watcher import Watcher
from orchestrator.replica import SLOTS

READY_WITHIN_S = 60.0
MOST_ENDS = 3  #: of services that nobody has struck yet: then it is no use to wait for them
STRIKE_WITHIN_S = 10.0  #: after the load, for what is armed and has not struck yet
QUIET_WITHIN_S = 5.0  #: what is late has that long to do harm
LOAD_WITHIN_S = 60.0  #: after the last fault, for all clients to be told that their sagas are accepted
POLL_S = 0.2

#: What a fault meets that can't be carried out because another one is in its way.
_IN_ITS_WAY = (Unavailable, Refused, ServerFailed, OSError, TimeoutError)


class NotReady(Exception):
    """The services of a run don't come up, even before anything has struck."""


@dataclass
class World:
    """One run, in a directory of its own."""

    setup: Setup
    seed: int
    directory: Path
    progress: Callable[[str], None]
    onlooker: Onlooker | None = None
    phase: str = "starting"
    strikes: list[Strike] = field(default_factory=list)  #: from outside
    begun: float = 0.0  #: seconds since 1970

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.rng = Random(f"{self.seed}/real")
        self.sagas = known_sagas(self.setup)
        self.saga = self.sagas[0]
        self.participants = list(players(self.setup))
        self.servers = RealServers(self.directory, self.setup.members, self.setup.redis)
        self.plan = Plan.write(self.directory / "plan", self.setup.faults, self.seed)
        self._wires: dict[Point, Wire] = {}
        self._load_log = self.directory / "load.log"

    # -- the run -------------------------------------------------------------------------------------------------------

    async def run(self) -> Evidence:
        """All of it. Raises `NotReady`, `GaveUp`, and whatever keeps the servers from starting."""
        async with AsyncExitStack() as stack:
            stack.callback(self.servers.kill)
            await asyncio.to_thread(self.servers.start)
            mongo = Mongo.connect(self.servers.mongo_url, app_name=APP_NAME)
            stack.push_async_callback(mongo.close)
            await self._connect(stack)
            self.services = Services(self.setup, self.plan.directory, self.servers, self._wires)
            self.processes = Processes(self.clock, self.directory, self.services.environment)
            await workload.seed(mongo, self.saga, self.setup.sagas, self.clock, self.rng)
            stack.push_async_callback(self.processes.kill_all)
            self.watcher = Watcher(self.plan, self.processes, self.clock, self.progress)
            stack.callback(asyncio.create_task(self.watcher.run()).cancel)
            if self.onlooker is not None:
                stack.callback(asyncio.create_task(look(self, mongo, self.onlooker)).cancel)
            await self._begin_services()
            load = await self._begin_load()
            stack.callback(load.kill)
            await self._trouble()
            await self._heal(mongo, load)
            await self.processes.end()
            return await self._evidence(mongo)

    async def _connect(self, stack: AsyncExitStack) -> None:
        redis, mongo = {}, {}
        if self.setup.redis == "one":  # Of several, clients ask each by the address that the others know it by.
            redis = dict.fromkeys((Point.ORCHESTRATOR_REDIS, Point.PARTICIPANT_REDIS), self.servers.redis.port)
        if self.setup.members == 1:
            port = self.servers.members[0].port
            mongo = {Point.ORCHESTRATOR_MONGODB: port, Point.PARTICIPANT_MONGODB: port}
        faults = self.setup.faults
        self.entries = Entries(faults, self.servers.add, self._befallen, Random(f"{self.seed}/entries"))
        looked_at = redis if any(fault.what in ON_THE_WAY for fault in faults) else {}
        for point, port in {**redis, **mongo}.items():
            requests = self.entries.requests if point in looked_at else None
            self._wires[point] = await stack.enter_async_context(wire(port, self.clock, self.rng, requests))

    async def _begin_services(self) -> None:
        self.progress("servers are up; starting the services")
        await self.services.begin(self.processes)
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    while not await self.services.ready(client, self.processes):
                        if len(self.processes.unexpected) >= MOST_ENDS:
                            raise TimeoutError
                        await self.clock.sleep(POLL_S)
            except TimeoutError:
                why = list(dict.fromkeys(self.processes.unexpected))[:MOST_ENDS] or ["their logs do not say why"]
                raise NotReady("\n  ".join(["the services do not come up:", *why])) from None

    # -- load ----------------------------------------------------------------------------------------------------------

    async def _begin_load(self) -> LoadProcess:
        self.phase = "under load"
        self.begun = self.clock.now().timestamp()
        starts = [self._start(number) for number in range(self.setup.sagas)]
        load = Load(self.saga.name, self.services.urls, str(self._load_log), self.seed, starts)
        return await LoadProcess.begin(load, self.directory)

    def _start(self, number: int) -> Start:
        rng = Random(f"{self.seed}/client/{number}")
        cancel_after_s = rng.uniform(0, 2) if rng.random() < self.setup.cancel_rate else None
        return Start(f"saga-{number}", workload.data(self.saga, rng), number / self.setup.per_s, cancel_after_s)

    # -- trouble -------------------------------------------------------------------------------------------------------

    async def _trouble(self) -> None:
        """Faults at moments spread over the load: they strike from outside, or are armed within the processes."""
        nemesis = Nemesis(
            self.processes,
            self.servers,
            self._wires,
            self.participants,
            self.clock,
            Random(f"{self.seed}/nemesis"),
        )
        faults = self.rng.sample(self.setup.scheduled, len(self.setup.scheduled))
        faults.sort(key=lambda index: self.setup.faults[index].point is not Point.RESCHEDULE)  # Rare: so armed first.
        every_s = self.setup.loaded_s / (len(faults) + 1)
        self.progress(f"{self.setup.sagas} sagas in {self.setup.loaded_s:.0f} s, {len(self.setup.faults)} faults")
        work: list[Coroutine[Any, Any, None]] = [
            self._strike(nemesis, index, number * every_s) for number, index in enumerate(faults, 1)
        ]
        if self.setup.upgraded:
            work.append(self._upgrade())
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
            group.create_task(self.clock.sleep(self.setup.loaded_s))
        self.phase = "load is over; faults that are armed may still strike"
        with suppress(TimeoutError):  # Sagas that were held up may still come where something is armed.
            async with asyncio.timeout(STRIKE_WITHIN_S):
                while self._still_armed():
                    await self.clock.sleep(POLL_S)

    def _still_armed(self) -> bool:
        return not {fault for fault in self.setup.faults if fault.what in ARMED} <= {
            strike.fault for strike in self.all_strikes()
        }

    async def _strike(self, nemesis: Nemesis, index: int, after_s: float) -> None:
        fault = self.setup.faults[index]
        await self.clock.sleep(after_s)
        if fault.what in WITHIN:
            self.plan.arm(index)
            return

        if fault.what in ON_THE_WAY:
            self.entries.arm(index)
            return

        def told(whom: str) -> None:
            self.strikes.append(Strike(fault, whom, self.clock.now().timestamp()))
            self.progress(f"{fault.name}: {whom}")

        try:
            await nemesis.strike(fault, told)
        except _IN_ITS_WAY as error:
            self.progress(f"{fault.name} could not be carried out: {error}")

    def _befallen(self, fault: Fault, subject: Subject) -> None:
        self.strikes.append(Strike(fault, "bus", self.clock.now().timestamp(), subject.name))
        self.progress(f"{fault.name}: {subject.name}")

    async def _upgrade(self) -> None:
        """From the middle on each orchestrator that starts knows the newer version too."""
        await self.clock.sleep(self.setup.loaded_s / 2)
        for child in self.processes.of(orchestrators=True):
            self.services.known = len(self.sagas)
            with suppress(TimeoutError):  # A fault was in its way, and it comes back as one that knows.
                await self.processes.restart(child)
            self.progress(f"{child.name} knows the newer version")

    # -- healing -------------------------------------------------------------------------------------------------------

    async def _heal(self, mongo: Mongo, load: LoadProcess) -> None:
        self.plan.heal()
        for each in self._wires.values():
            each.heal()
        self.watcher.heal()
        await asyncio.to_thread(self.servers.heal)
        await self.entries.heal()
        self.phase = "healed"
        self.progress("healed; waiting for the end of every saga")
        if not await load.ended(LOAD_WITHIN_S):
            accepted = sum(each.accepted for each in evidence.requests(self._load_log, self.saga.name))
            late = f"only {accepted:,} of {self.setup.sagas:,} sagas had been accepted"
            self.processes.unexpected.append(f"{LOAD_WITHIN_S:g} s after healing, {late}")
            load.kill()  # Sagas that it started from now on would seem not to end.
        try:
            async with asyncio.timeout(self.setup.heal_within_s):
                await self._until_ended(mongo)
            self.progress("every saga has ended")
        except TimeoutError:
            self.progress("not everything has ended in time")  # The checker says what.
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_WITHIN_S):
                while await asyncio.to_thread(self._busy):
                    await self.clock.sleep(POLL_S)

    async def _until_ended(self, mongo: Mongo) -> None:
        """Sagas that wait for a person are told to try again, as a person would."""
        async with httpx.AsyncClient(timeout=5) as client:
            while True:
                with suppress(Unavailable, httpx.HTTPError):
                    if not await evidence.unfinished(mongo):
                        return
                    for saga_id in await evidence.stuck(mongo):
                        url = self.rng.choice(self.services.urls)
                        await client.post(f"{url}/v1/sagas/{saga_id}/retry", json={"reason": "healed"})
                await self.clock.sleep(POLL_S)

    def _busy(self) -> bool:
        """Whether anything is unread or unacknowledged."""
        streams = streams_at(self.servers.redis_url, Streams().prefix, None)
        replies = [*streams.all_of(streams.replies), *map(streams.replies_of, range(SLOTS))]
        commands = [stream for name in self.participants for stream in streams.all_of(streams.commands(name))]
        groups = [group for name in (*replies, *commands) for group in self.servers.groups(name)]
        return any(group["pending"] or group["lag"] for group in groups)

    async def _evidence(self, mongo: Mongo) -> Evidence:
        requests = evidence.requests(self._load_log, self.saga.name)
        found = [*evidence.bugs(self.logs), *self.processes.unexpected]
        return replace(
            await evidence.read(mongo, self.sagas, requests, found),
            messages=messages(self.plan.directory),
            most_messages=self.setup.most_messages,
            most_stuck=self.setup.most_stuck,
        )

    @property
    def logs(self) -> list[Path]:
        """Of the services."""
        return [child.log for child in self.processes.children.values()]

    def all_strikes(self) -> list[Strike]:
        """What has struck, in its order."""
        return sorted([*self.strikes, *self.plan.strikes()], key=lambda strike: strike.at)
