"""Every fault that a real run knows, with its usual duration. Those that the simulation has too have the same names."""

from chaos.faults import ORCHESTRATOR_POINTS, PARTICIPANT_POINTS, Fault, Point, What

_DOWN_S = 0.2  #: what a supervisor takes to start a process again
_PAUSE_S = 6.0  #: longer than a consumer's heartbeat: others take over
_AWAY_S = 4.0
_LATE_S = 12.0  #: behind two re-sendings, and behind the timeout of a step that waits for 10 s

_ENTRIES = (Point.COMMAND, Point.REPLY)
_WIRES = (Point.ORCHESTRATOR_REDIS, Point.PARTICIPANT_REDIS, Point.ORCHESTRATOR_MONGODB, Point.PARTICIPANT_MONGODB)
MONGODB_POINTS = (Point.INSERT, Point.LOAD, Point.SAVE, Point.COMMIT)  #: at which MongoDB itself can be made to fail

#: Named crash points: a process strikes itself, for a certain step and kind if the fault is aimed.
WITHIN: tuple[Fault, ...] = (
    *(
        Fault(what, point, for_s=_DOWN_S)
        for point in (*ORCHESTRATOR_POINTS, *PARTICIPANT_POINTS)
        for what in (What.KILL_BEFORE, What.KILL_AFTER)
    ),
    *(
        Fault(what, point, for_s=_PAUSE_S)
        for point in (*ORCHESTRATOR_POINTS, *PARTICIPANT_POINTS)
        for what in (What.PAUSE_BEFORE, What.PAUSE_AFTER)
    ),
    Fault(What.FAIL, Point.HANDLE),
    Fault(What.FAIL_AFTER, Point.HANDLE),
    Fault(What.HANG, Point.HANDLE, for_s=_AWAY_S),
)
PROCESSES: tuple[Fault, ...] = (
    *(Fault(What.KILL, point, for_s=_DOWN_S) for point in (Point.ORCHESTRATOR, Point.PARTICIPANT)),
    *(Fault(What.PAUSE, point, for_s=_PAUSE_S) for point in (Point.ORCHESTRATOR, Point.PARTICIPANT)),
    *(Fault(What.RESTART, point) for point in (Point.ORCHESTRATOR, Point.PARTICIPANT, Point.SERVICES)),
)
#: Single entries on their way, of a certain step and kind if the fault is aimed. Others overtake a late one.
ENTRIES: tuple[Fault, ...] = (
    *(Fault(What.LOSE, point) for point in _ENTRIES),
    *(Fault(What.DELAY, point, for_s=_LATE_S) for point in _ENTRIES),
)
REDIS: tuple[Fault, ...] = (
    *(Fault(what, point) for point in _ENTRIES for what in (What.LOSE_GROUP, What.TRIM, What.GARBLE, What.FORGE)),
    *(Fault(What.REPEAT, point, for_s=_AWAY_S) for point in _ENTRIES),
    Fault(What.FLUSH, Point.REDIS),
    *(
        Fault(what, Point.REDIS, for_s=_AWAY_S)
        for what in (What.KILL, What.PAUSE, What.LOSE_FILE, What.TRUNCATE_FILE, What.FREEZE, What.FILL)
    ),
)
MONGODB: tuple[Fault, ...] = (
    *(Fault(what, point, for_s=_AWAY_S) for point in MONGODB_POINTS for what in (What.REFUSE, What.DISCONNECT)),
    *(Fault(What.FORGET, point, for_s=_AWAY_S) for point in (Point.INSERT, Point.SAVE, Point.COMMIT)),
    *(Fault(What.CONFLICT, point, for_s=_AWAY_S) for point in (Point.SAVE, Point.COMMIT)),
    *(Fault(what, Point.MONGODB, for_s=_AWAY_S) for what in (What.KILL, What.PAUSE)),
)
WIRES: tuple[Fault, ...] = tuple(
    Fault(what, wire, for_s=_AWAY_S)
    for wire in _WIRES
    for what in (What.SLOW, What.CUT, What.HOLD_REQUESTS, What.HOLD_ANSWERS, What.SWALLOW, What.LOSE_ANSWERS)
)
#: These want a replica set of several members.
REPLICA_SET: tuple[Fault, ...] = (
    Fault(What.STEP_DOWN, Point.PRIMARY, for_s=10.0),
    *(Fault(what, Point.PRIMARY, for_s=_AWAY_S) for what in (What.KILL, What.PAUSE)),
)
#: These want a Redis of several servers.
REDIS_OF_SEVERAL: tuple[Fault, ...] = (
    Fault(What.STEP_DOWN, Point.MASTER),
    *(Fault(what, Point.MASTER, for_s=_PAUSE_S) for what in (What.KILL, What.PAUSE)),
)

CATALOGUE: tuple[Fault, ...] = (
    *(*WITHIN, *PROCESSES, *ENTRIES, *REDIS, *MONGODB, *WIRES),
    *(*REPLICA_SET, *REDIS_OF_SEVERAL),
)
BY_NAME = {fault.name: fault for fault in CATALOGUE}
