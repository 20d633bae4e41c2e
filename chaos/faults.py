"""The language of faults: what can go wrong, where, and for which command. Values only; nothing here happens.

A fault strikes at a *point*: a moment at which a process touches the outside world, or an entry is put on a stream.
So it is said in terms of the protocol ("before the save that follows charge-payment"), never of the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple


class Point(StrEnum):
    """Where a fault strikes."""

    COMMAND = "command"  #: a command is put on its stream
    REPLY = "reply"  #: a reply is put on its stream
    INSERT = "orchestrator insert"  #: a new saga is stored
    LOAD = "orchestrator load"  #: sagas are read
    SAVE = "orchestrator save"  #: transitions are stored
    RESCHEDULE = "orchestrator reschedule"  #: wake-ups are moved
    SEND = "orchestrator send"  #: commands and events are published
    SETTLE = "orchestrator acknowledge"  #: replies are acknowledged
    HANDLE = "participant handle"  #: a handler is called
    COMMIT = "participant commit"  #: effect and inbox row are stored
    ANSWER = "participant answer"  #: replies are published
    FINISH = "participant acknowledge"  #: commands are acknowledged

    # Places that only a real run has.
    ORCHESTRATOR = "orchestrator"  #: one of its processes
    PARTICIPANT = "participant"  #: one process of one of them
    SERVICES = "services"  #: every process, one after the other
    REDIS = "Redis"
    MONGODB = "MongoDB"  #: a server that is alone
    PRIMARY = "primary"  #: of a replica set of several
    MASTER = "Redis master"  #: of several servers, with Sentinels or in a cluster
    ORCHESTRATOR_REDIS = "wire from orchestrators to Redis"
    PARTICIPANT_REDIS = "wire from participants to Redis"
    ORCHESTRATOR_MONGODB = "wire from orchestrators to MongoDB"
    PARTICIPANT_MONGODB = "wire from participants to MongoDB"


class What(StrEnum):
    """What goes wrong there."""

    LOSE = "lose"  #: the entry is accepted, and gone
    REPEAT = "repeat"  #: the entry is there twice, the second one later
    DELAY = "delay"  #: the entry arrives late, behind others
    GARBLE = "garble"  #: a second entry beside it can't be read
    FLUSH = "flush"  #: Redis loses everything at this moment
    LOSE_GROUP = "lose group of"  #: the consumer group is gone at this moment
    BUS_OUTAGE = "bus outage at"  #: Redis is away from this moment on
    STORE_OUTAGE = "store outage at"  #: the orchestrator's MongoDB is away from this moment on
    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    PAUSE_BEFORE = "pause before"  #: as SIGSTOP does; what was decided is done when it goes on
    PAUSE_AFTER = "pause after"
    REFUSE = "refuse"  #: the server does not do it, and says so
    FORGET = "forget"  #: the server does it, and the answer is lost
    CONFLICT = "conflict at"  #: somebody else has written first
    FAIL = "fail"  #: the handler raises
    FAIL_AFTER = "fail after"  #: the handler raises all the same when it has done what it does
    HANG = "hang"  #: the handler takes far longer than the step's timeout

    # What only a real run can do.
    KILL = "kill"  #: SIGKILL
    PAUSE = "pause"  #: SIGSTOP, and SIGCONT later
    RESTART = "restart"  #: SIGTERM; it ends in order and is started again
    STEP_DOWN = "step down"  #: another one is to be primary, or master
    DISCONNECT = "disconnect at"  #: the server closes the connection instead of doing it
    TRIM = "trim"  #: every entry of the stream is gone, its group stays
    FORGE = "forge"  #: an entry that nobody of ours has sent
    LOSE_FILE = "lose file of"  #: killed, and back without its append-only file
    TRUNCATE_FILE = "truncate file of"  #: killed, and back with half of the newest append-only file
    FREEZE = "freeze"  #: it answers nobody for a while
    FILL = "fill"  #: no memory is left
    SLOW = "slow"  #: everything takes longer, and unevenly
    CUT = "cut"  #: connections are reset, new ones refused
    HOLD_REQUESTS = "hold requests on"  #: they arrive when it heals, however late
    HOLD_ANSWERS = "hold answers on"  #: what is asked is done at once, and heard of late
    SWALLOW = "swallow all on"  #: half-open: the connection stands, and nothing arrives
    LOSE_ANSWERS = "lose answers on"  #: what is asked is done, and the connection ends


AFTER = frozenset({What.KILL_AFTER, What.PAUSE_AFTER, What.FORGET, What.FAIL_AFTER})  #: what strikes once it is done


class Subject(NamedTuple):
    """Which command it is about: that itself, or the reply to it, or the transition that sends it."""

    saga_id: str
    step: str
    kind: str  #: action, compensation or revoke

    @property
    def name(self) -> str:
        """`{saga id}/{step}/{kind}`."""
        return f"{self.saga_id}/{self.step}/{self.kind}"

    @classmethod
    def of(cls, command_id: str) -> "Subject":
        """The subject that a command id names; ids of another shape have an empty step."""
        saga_id, _, rest = command_id.partition("/")
        step, _, rest = rest.partition("/")
        return cls(saga_id, step, rest.partition("/")[0])


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Without an aim it may strike any command; `probability` is drawn at each point that fits."""

    what: What
    point: Point
    step: str | None = None  #: only commands of this step
    kind: str | None = None  #: only `action`, `compensation` or `revoke`
    probability: float = 1.0
    skip: int = 0  #: so many fitting points pass before the first strike
    times: int | None = None  #: at most so many strikes
    for_s: float = 0.0  #: how long: a delay, a pause, an outage, a hanging handler, a dead process

    @property
    def name(self) -> str:
        """What and where, as the matrix and scenarios call it."""
        return f"{self.what} {self.point}"

    def aimed(self, step: str | None, kind: str | None, *, times: int = 1) -> "Fault":
        """The same fault for one command."""
        return replace(self, step=step, kind=kind, times=times)

    def fits(self, subjects: Sequence[Subject]) -> bool:
        """Whether one of these is what it is aimed at."""
        if self.step is None and self.kind is None:
            return True
        return any(self.step in (None, each.step) and self.kind in (None, each.kind) for each in subjects)


_LONG_S = 45.0  #: longer than most steps wait
_AWAY_S = 8.0
_DEAD_S = 2.0

_ENTRIES = (Point.COMMAND, Point.REPLY)
ORCHESTRATOR_POINTS = (Point.INSERT, Point.SAVE, Point.RESCHEDULE, Point.SEND, Point.SETTLE)
PARTICIPANT_POINTS = (Point.HANDLE, Point.COMMIT, Point.ANSWER, Point.FINISH)

#: Every fault there is, with its usual duration.
CATALOGUE: tuple[Fault, ...] = (
    *(Fault(what, point) for point in _ENTRIES for what in (What.LOSE, What.GARBLE)),
    *(Fault(What.REPEAT, point, for_s=_AWAY_S) for point in _ENTRIES),
    *(Fault(What.DELAY, point, for_s=_LONG_S) for point in _ENTRIES),
    *(Fault(what, point) for point in _ENTRIES for what in (What.FLUSH, What.LOSE_GROUP)),
    *(Fault(What.BUS_OUTAGE, point, for_s=_AWAY_S) for point in _ENTRIES),
    Fault(What.STORE_OUTAGE, Point.SAVE, for_s=_AWAY_S),
    *(
        Fault(what, point, for_s=_DEAD_S)
        for point in (*ORCHESTRATOR_POINTS, *PARTICIPANT_POINTS)
        for what in (What.KILL_BEFORE, What.KILL_AFTER)
    ),
    *(
        Fault(what, point, for_s=_LONG_S)
        for point in (*ORCHESTRATOR_POINTS, *PARTICIPANT_POINTS)
        for what in (What.PAUSE_BEFORE, What.PAUSE_AFTER)
    ),
    *(
        Fault(What.REFUSE, point)
        for point in (Point.INSERT, Point.LOAD, Point.SAVE, Point.RESCHEDULE, Point.SEND, Point.COMMIT, Point.ANSWER)
    ),
    *(Fault(What.FORGET, point) for point in (Point.INSERT, Point.SAVE, Point.SEND, Point.COMMIT, Point.ANSWER)),
    *(Fault(What.CONFLICT, point) for point in (Point.SAVE, Point.COMMIT)),
    Fault(What.FAIL, Point.HANDLE),
    Fault(What.FAIL_AFTER, Point.HANDLE),
    Fault(What.HANG, Point.HANDLE, for_s=_LONG_S),
)

BY_NAME = {fault.name: fault for fault in CATALOGUE}
