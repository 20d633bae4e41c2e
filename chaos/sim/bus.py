"""Redis as a run sees it: entries may be lost, repeated, late or garbled, and everything may be gone at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.bus import Delivery, Entry
from adapters.errors import Unavailable
from adapters.memory_bus import MemoryBus
from adapters.memory_server import Group, MemoryServer
from adapters.streams.names import Streams
from chaos.faults import Fault, Point, Subject, What
from chaos.sim.process import Means, Process
from orchestrator.memory_store import MemorySagaStore

Fields = Mapping[str, str]  #: of an entry


class SimServer(MemoryServer):
    """The server. What befalls an entry is decided when it is added."""

    def __init__(self, clock: Any, means: Means) -> None:
        super().__init__(clock)
        self._means = means
        self._streams = Streams()
        self.late = 0  #: entries that are still on their way

    def add(self, entry: Entry) -> Unavailable | None:
        """Append an entry, or what becomes of it."""
        point = self._point(entry.stream)
        if point is None or self.down:
            return super().add(entry)
        nemesis = self._means.nemesis
        nemesis.note("bus", point.value, told(entry.fields))
        fault = nemesis.strike(point, "bus", [subject_of(entry.fields)]) if nemesis.lurks(point) else None
        return super().add(entry) if fault is None else self._befall(fault, entry)

    def _befall(self, fault: Fault, entry: Entry) -> Unavailable | None:
        match fault.what:
            case What.LOSE:
                return None
            case What.DELAY:
                self._later(fault.for_s, entry)
                return None
            case What.REPEAT:
                self._later(fault.for_s, entry)
            case What.GARBLE:
                super().add(Entry(entry.stream, {**entry.fields, "data": "{", "outcome": "?"}))
            case What.BUS_OUTAGE:
                self.outage(fault.for_s)
                return Unavailable("the bus is away")
            case _:
                pass
        result = super().add(entry)
        if fault.what is What.FLUSH:
            self.flush()
        if fault.what is What.LOSE_GROUP:
            self.lose_groups(entry.stream)
        return result

    def lose_groups(self, stream: str) -> None:
        """As XGROUP DESTROY; the entries stay."""
        for key in [key for key in self.groups if key[0] == stream]:
            del self.groups[key]
        self.wake()

    def outage(self, for_s: float) -> None:
        """Away for that long."""
        self.down = True
        self._means.loop.call_later(for_s, self.recover)

    def recover(self) -> None:
        """Back again."""
        self.down = False
        self.wake()

    def _later(self, seconds: float, entry: Entry) -> None:
        """With a heavy tail: most are a little late, some are very late."""
        self.late += 1
        factor = min(self._means.rng.paretovariate(1.2) * 0.3, 3.0)
        self._means.loop.call_later(seconds * factor, self._arrive, entry)

    def _arrive(self, entry: Entry) -> None:
        self.late -= 1
        super().add(entry)

    def _point(self, stream: str) -> Point | None:
        if self._streams.is_commands(stream):
            return Point.COMMAND
        return Point.REPLY if self._streams.is_replies(stream) else None


@dataclass(frozen=True, slots=True)
class Servers:
    """What all processes of a run share."""

    redis: SimServer
    store: MemorySagaStore = field(default_factory=MemorySagaStore)
    dead: list[Delivery] = field(default_factory=list)  #: dead letters

    async def bury(self, delivery: Delivery, _reason: str) -> None:
        """Keep a dead letter."""
        self.dead.append(delivery)


class SimBus(MemoryBus):
    """A process's connection to the server."""

    def __init__(self, process: Process, server: SimServer, publish: Point, acknowledge: Point, **options: Any) -> None:
        super().__init__(process, server, **options)
        self._process = process
        self._publish_point, self._acknowledge_point = publish, acknowledge

    async def publish(self, entries: Sequence[Entry]) -> Sequence[Unavailable | None]:
        if not entries:
            return []

        async def effect() -> Sequence[Unavailable | None]:
            return await super(SimBus, self).publish(entries)

        subjects = self._subjects(self._publish_point, (entry.fields for entry in entries))
        try:
            return await self._process.touch(self._publish_point, subjects, effect)
        except Unavailable as error:  # Refused, or done and the answer lost: each entry's result says the same.
            return [error] * len(entries)

    async def deliver(self, *, again: bool = True) -> bool:
        """Whoever is quickest gets what is new: not always the same."""
        if not self._may_move(again=again):
            return False
        await self._process.sleep(self._process.latency_s())
        return await super().deliver(again=again)

    def _may_move(self, *, again: bool) -> bool:
        """Whether there is anything to look for on the server."""
        if self.server.down or not self.alive:
            return False
        for subscription in self._subscriptions:
            key = (subscription.stream, subscription.group)
            group = self.server.groups.get(key)
            if group is None or group is not self._known_groups.get(key) or key in self._heals_owed:
                return True
            if group.delivered < len(self.server.streams.get(subscription.stream, ())) or (again and self._left(group)):
                return True
        return False

    def _left(self, group: Group) -> bool:
        """Whether it has entries that are ours to try again."""
        return any(each.is_left_to(self) for each in group.pending.values())

    async def _wait(self) -> None:
        """As the base's, which looks again also for what cannot be ours before somebody wakes us."""
        groups = (self.server.groups.get((each.stream, each.group)) for each in self._subscriptions)
        retrying = None
        if self._heals_owed or any(group is not None and self._left(group) for group in groups):
            retrying = self._process.later(self._retry_s, self.changed.set)
        await self.changed.wait()
        if retrying is not None:
            retrying.cancel()

    async def before_acknowledging(self, delivery: Delivery) -> None:
        subjects = self._subjects(self._acknowledge_point, [delivery.fields])
        await self._process.touch(self._acknowledge_point, subjects, _nothing)

    def _subjects(self, point: Point, entries: Iterable[Fields]) -> Sequence[Subject]:
        """What these entries are about, where a fault may want to know."""
        return [subject_of(fields) for fields in entries] if self._process.in_danger(point) else ()


async def _nothing() -> None:
    """Acknowledging is the caller's, right after this."""


def subject_of(fields: Fields) -> Subject:
    """What a command, reply or event is about."""
    return Subject.of(fields.get("causationid") or fields.get("id", ""))


def told(fields: Fields) -> str:
    """An entry in the trace: its id, and for a reply the outcome."""
    if outcome := fields.get("outcome"):
        return f"{fields['causationid']} {outcome}"
    return f"{fields.get('id', '')} attempt {fields.get('attempt')}"
