"""Every fault of a real run, in groups that can share one: a verdict for each.

A fault is green only if it has struck in a run in which every invariant held. What never struck proves nothing.
"""

from collections.abc import Mapping
from dataclasses import replace

from chaos.faults import PARTICIPANT_POINTS, Fault, Point, What
from chaos.matrix import Place, Verdict, places
from chaos.real import catalogue
from chaos.real.run import Result
from chaos.real.services import known_sagas
from chaos.real.setup import Setup

_KILLS = (What.KILL_BEFORE, What.KILL_AFTER)
_OF_CALLS = (*PARTICIPANT_POINTS, Point.PARTICIPANT, Point.PARTICIPANT_REDIS, Point.PARTICIPANT_MONGODB)
_ROLLING = tuple(fault for fault in catalogue.PROCESSES if fault.what in (What.RESTART, What.KILL))

#: The faults of each group, and how far apart they strike: what one has broken is whole again before the next one.
_GROUPS: Mapping[str, tuple[tuple[Fault, ...], float]] = {
    "inside processes": (catalogue.WITHIN, 6.0),
    "processes": (catalogue.PROCESSES, 8.0),
    "Redis": (catalogue.REDIS, 7.0),
    "MongoDB": (catalogue.MONGODB, 8.0),
    "wires": (catalogue.WIRES, 7.0),
    "replica set": (catalogue.REPLICA_SET, 15.0),
    "Redis with Sentinels": (catalogue.REDIS_OF_SEVERAL, 20.0),
    "Redis Cluster": (catalogue.REDIS_OF_SEVERAL, 20.0),
    "upgrade": (_ROLLING, 10.0),
    "calls to the outside": (tuple(fault for fault in catalogue.CATALOGUE if fault.point in _OF_CALLS), 6.0),
}


def groups(usual: Setup) -> dict[str, Setup]:
    """A setup for each group: the usual one with the faults, and with as many sagas as it takes to meet them."""
    found = {name: _lasting(replace(usual, faults=faults), apart_s) for name, (faults, apart_s) in _GROUPS.items()}
    found["replica set"] = replace(found["replica set"], members=3)
    found["Redis with Sentinels"] = replace(found["Redis with Sentinels"], redis="sentinel")
    found["Redis Cluster"] = replace(found["Redis Cluster"], redis="cluster")
    found["upgrade"] = replace(found["upgrade"], upgraded=True)
    steps = tuple(step.name for step in known_sagas(usual)[0].steps)
    found["calls to the outside"] = replace(found["calls to the outside"], external=steps, cancel_rate=0.1)
    found["entries"] = _lasting(replace(usual, faults=(*catalogue.ENTRIES, *each_entry(usual))), 4.0)
    found["crash points"] = _lasting(replace(usual, faults=crash_points(usual)), 4.0)
    return found


def each_entry(setup: Setup) -> tuple[Fault, ...]:
    """One lost and one late, of each command that a run with rejects is sure to send, and of each reply to one."""
    return tuple(fault.aimed(each.step, each.kind) for fault in catalogue.ENTRIES for each in _reached(setup))


def crash_points(setup: Setup) -> tuple[Fault, ...]:
    """A kill before and after each durable step, of each command that a run with rejects is sure to send."""
    first = Place(known_sagas(setup)[0].steps[0].name, "action")
    return tuple(
        fault.aimed(place.step, place.kind)
        for fault in catalogue.WITHIN
        for place in _reached(setup)
        if fault.what in _KILLS
        and fault.point is not Point.RESCHEDULE  # Only what is late is moved: "inside processes" has it.
        and (fault.point is not Point.INSERT or place == first)  # A saga is inserted once.
    )


def verdicts(result: Result) -> dict[Fault, Verdict]:
    """What a run says of each of its faults."""
    if not result.held:
        return dict.fromkeys(result.setup.faults, Verdict.RED)
    return {fault: Verdict.GREEN if result.fired.get(fault) else Verdict.GREY for fault in result.setup.faults}


def _reached(setup: Setup) -> list[Place]:
    saga = known_sagas(setup)[0]
    return [each for each in places(saga) if _is_reached(each, saga.index(each.step), saga.pivot)]


def _is_reached(place: Place, index: int, pivot: int) -> bool:
    """A step before the pivot is undone when a later one says no; the pivot itself only where it stays silent."""
    return place.kind == "action" or (place.kind == "compensation" and index < pivot)


def _lasting(setup: Setup, apart_s: float) -> Setup:
    """With so many sagas that the load lasts for all of its faults."""
    return replace(setup, sagas=int(setup.per_s * apart_s * (len(setup.scheduled) + 1)))
