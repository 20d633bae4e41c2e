"""The faults that strike from outside: at processes, at Redis, at MongoDB, at the wires between them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from adapters.clock import Clock
from adapters.servers import LocalServer
from adapters.servers.redis import Refused
from adapters.streams.address import OF_A_CLUSTER
from adapters.streams.names import Streams
from chaos.faults import Fault, Point, What
from chaos.real import junk
from chaos.real.processes import Processes
from chaos.real.proxy import Way, Wire
from chaos.real.servers import RealServers

COPIES = 50  #: entries that come again
LOST_ANSWERS = 3
SLOW_S, JITTER_S = 0.05, 0.2  #: of each piece on a slow wire
STRUCK_COMMANDS = 6  #: by one fault of MongoDB's; the driver repeats a write once by itself

_REFUSING_CODES = (91, 189, 11600)  #: shutting down, stepped down, interrupted
_WRITE_CONFLICT = 112
_WRITE_CONCERN_FAILED = 64

Carry = Callable[[Fault], Awaitable[str | None]]


@dataclass
class Nemesis:
    """Carries out faults, one after the other or several at once; two never meet at the same server or wire."""

    processes: Processes
    servers: RealServers
    wires: Mapping[Point, Wire]
    participants: list[str]  #: their names
    clock: Clock
    rng: Random

    def __post_init__(self) -> None:
        self._streams = Streams()
        self._turns = {point: asyncio.Lock() for point in (Point.REDIS, Point.MONGODB, *self.wires)}

    async def strike(self, fault: Fault, told: Callable[[str], None]) -> None:
        """Carry it out, to its end. `told` is called with whom it struck, once it has."""
        if fault.point in self.wires:
            async with self._turns[fault.point]:
                await self._at_wire(fault, told)
        elif fault.point in (Point.ORCHESTRATOR, Point.PARTICIPANT, Point.SERVICES):
            await self._at_process(fault, told)
        elif fault.point is Point.MASTER:
            async with self._turns[Point.REDIS]:
                await self._at_master(fault, told)
        elif fault.point in (Point.REDIS, Point.COMMAND, Point.REPLY):
            async with self._turns[Point.REDIS]:
                await self._at_redis(fault, told)
        else:
            async with self._turns[Point.MONGODB]:
                await self._at_mongodb(fault, told)

    # -- processes and wires -------------------------------------------------------------------------------------------

    async def _at_process(self, fault: Fault, told: Callable[[str], None]) -> None:
        if fault.point is Point.SERVICES:
            told("all")
            for child in list(self.processes.children.values()):
                await self.processes.restart(child)
            return
        found = self.processes.of(orchestrators=fault.point is Point.ORCHESTRATOR)
        if not found:
            return  # All of them are dead at this moment.
        child = self.rng.choice(found)
        told(child.name)
        match fault.what:
            case What.KILL:
                self.processes.kill(child, fault.for_s)
            case What.PAUSE:
                await self.processes.pause(child, fault.for_s)
            case _:
                await self.processes.restart(child)

    async def _at_wire(self, fault: Fault, told: Callable[[str], None]) -> None:
        wire = self.wires[fault.point]
        lost = wire.lost
        match fault.what:
            case What.SLOW:
                wire.slow(SLOW_S, JITTER_S)
            case What.CUT:
                wire.cut()
            case What.HOLD_REQUESTS:
                wire.hold(Way.REQUESTS)
            case What.HOLD_ANSWERS:
                wire.hold(Way.ANSWERS)
            case What.SWALLOW:
                wire.hold(*Way)
            case _:
                wire.lose_answers(LOST_ANSWERS)
        if fault.what is not What.LOSE_ANSWERS:
            told(fault.point.value)
        await self.clock.sleep(fault.for_s)
        if wire.lost > lost:
            told(f"{wire.lost - lost} answers")
        wire.heal()

    # -- Redis ---------------------------------------------------------------------------------------------------------

    async def _at_redis(self, fault: Fault, told: Callable[[str], None]) -> None:
        redis = self.servers.redis
        if fault.point is not Point.REDIS:
            await self._at_stream(fault, told)
            return
        told("Redis")
        match fault.what:
            case What.FLUSH:
                await asyncio.to_thread(redis.execute, "FLUSHALL")
            case What.PAUSE:
                await self._paused(redis, fault.for_s)
            case What.FREEZE:
                await asyncio.to_thread(redis.execute, "CLIENT", "PAUSE", int(fault.for_s * 1000), "ALL")
                await self.clock.sleep(fault.for_s)
            case What.FILL:
                await asyncio.to_thread(redis.execute, "CONFIG", "SET", "maxmemory", "1")
                await self.clock.sleep(fault.for_s)
                await asyncio.to_thread(redis.execute, "CONFIG", "SET", "maxmemory", "0")
            case _:
                lose = {What.LOSE_FILE: self.servers.lose_file, What.TRUNCATE_FILE: self.servers.truncate_file}
                await self._killed(redis, fault.for_s, lose.get(fault.what, _nothing))

    async def _at_master(self, fault: Fault, told: Callable[[str], None]) -> None:
        partition = f"{{{self.rng.randrange(OF_A_CLUSTER)}}}"
        server = await asyncio.to_thread(self.servers.serving, partition)
        told(f"port {server.port}")
        if fault.what is What.STEP_DOWN:
            await asyncio.to_thread(self.servers.hand_over, partition)
        else:
            await self._at_server(fault, server)

    async def _at_stream(self, fault: Fault, told: Callable[[str], None]) -> None:
        name = self.rng.choice(self.participants)
        is_command = fault.point is Point.COMMAND
        slot = self.rng.randrange(max(1, len(self.processes.of(orchestrators=True))))
        stream = self._streams.commands(name) if is_command else self._streams.replies_of(slot)
        group = self._streams.own_group(stream) or ""
        with suppress(Refused):  # The stream is not there at this moment.
            match fault.what:
                case What.LOSE_GROUP:
                    await asyncio.to_thread(self.servers.redis.execute, "XGROUP", "DESTROY", stream, group)
                case What.TRIM:
                    await asyncio.to_thread(self.servers.redis.execute, "XTRIM", stream, "MAXLEN", 0)
                case What.REPEAT:
                    copies = await asyncio.to_thread(self.servers.newest, stream, COPIES)
                    await self.clock.sleep(fault.for_s)
                    await self._add(stream, copies)
                case What.GARBLE:
                    await self._add(stream, junk.unreadable(await asyncio.to_thread(self.servers.newest, stream, 1)))
                case _:
                    forged = junk.forged_commands(name) if is_command else junk.forged_replies(name)
                    await self._add(stream, forged)
            told(stream)

    async def _add(self, stream: str, entries: list[dict[str, str]]) -> None:
        for fields in entries:
            await asyncio.to_thread(self.servers.add, stream, fields)

    # -- MongoDB -------------------------------------------------------------------------------------------------------

    async def _at_mongodb(self, fault: Fault, told: Callable[[str], None]) -> None:
        if fault.point is Point.MONGODB:
            told("MongoDB")
            await self._at_server(fault, self.servers.members[0])
        elif fault.point is Point.PRIMARY:
            member = await self._primary()
            told(f"port {member.port}")
            if fault.what is What.STEP_DOWN:
                await self.servers.step_down(member, int(fault.for_s))
            else:
                await self._at_server(fault, member)
        else:
            await self._at_command(fault, told)

    async def _at_server(self, fault: Fault, server: LocalServer) -> None:
        if fault.what is What.PAUSE:
            await self._paused(server, fault.for_s)
        else:
            await self._killed(server, fault.for_s, _nothing)

    async def _primary(self) -> Any:
        while True:
            with suppress(LookupError):
                return await self.servers.primary()
            await self.clock.sleep(0.2)

    async def _at_command(self, fault: Fault, told: Callable[[str], None]) -> None:
        """MongoDB does not do what a command wants, or does it and says otherwise."""
        commands = {Point.INSERT: ["insert"], Point.LOAD: ["find"], Point.SAVE: ["update", "commitTransaction"]}
        app_name = "saga-orchestrator" if fault.point in commands else f"saga-{self.rng.choice(self.participants)}"
        how: dict[str, Any]
        match fault.what:
            case What.REFUSE:
                how = {"errorCode": self.rng.choice(_REFUSING_CODES)}
            case What.CONFLICT:
                how = {"errorCode": _WRITE_CONFLICT}
            case What.DISCONNECT:
                how = {"closeConnection": True}
            case _:
                how = {"writeConcernError": {"code": _WRITE_CONCERN_FAILED, "errmsg": "planned"}}
        await self.servers.fail(commands.get(fault.point, ["commitTransaction"]), app_name, how, STRUCK_COMMANDS)
        await self.clock.sleep(fault.for_s)
        if struck := await self.servers.stop_failing():
            told(f"{app_name}, {struck} commands")

    # -- servers -------------------------------------------------------------------------------------------------------

    async def _paused(self, server: LocalServer, for_s: float) -> None:
        server.pause()
        try:
            await self.clock.sleep(for_s)
        finally:
            server.resume()

    async def _killed(self, server: LocalServer, for_s: float, meanwhile: Callable[[], None]) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(meanwhile)
        await self.clock.sleep(for_s)
        await asyncio.to_thread(server.start)


def _nothing() -> None:
    """The server comes back with all that it had."""
