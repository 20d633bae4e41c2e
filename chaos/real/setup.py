"""What a real run consists of, apart from its seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.faults import Fault, Point
from chaos.invariants import Invariant
from chaos.real.catalogue import BY_NAME
from chaos.real.entries import ON_THE_WAY
from chaos.real.striker import WITHIN


class Impossible(ValueError):
    """A setup that can't be run; the message says why."""


ARMED = WITHIN | ON_THE_WAY  #: what is armed at its time, and strikes when something comes that it is aimed at


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything is in processes and on servers of its own."""

    saga: str = "sagas.order:order"  #: `module:attribute`
    participants: Sequence[str] = ()  #: the user's own, as `module:attribute`; else the shipped ones, else stand-ins
    faults: Sequence[Fault] = ()  #: each strikes once, or `times`, from some moment on
    sagas: int = 600
    per_s: float = 30.0  #: how many are started each second
    cancel_rate: float = 0.0  #: of sagas
    reject_rate: float = 0.1  #: of the steps of stand-ins, up to the pivot
    orchestrators: int = 2
    instances: int = 2  #: processes of each participant
    members: int = 1  #: of MongoDB's replica set
    redis: str = "one"  #: what Redis is made of: one server, or `sentinel`, or `cluster`
    batch: bool = True  #: whether stand-ins take batches
    external: Sequence[str] = ()  #: steps whose effects are outside the database: stand-ins play them
    upgraded: bool = False  #: a newer version of the saga is rolled out in the middle
    heal_within_s: float = 120.0  #: then everything must have ended
    most_messages: int = 100  #: commands and replies for one saga
    most_stuck: int = 0  #: sagas that may ever be stuck
    invariants: Sequence[Invariant] = ()  #: beside the checker's own
    services_from: Path | None = None  #: a copy of this project's source, maybe with a defect, that all services run

    @property
    def loaded_s(self) -> float:
        """How long sagas are started, and faults strike."""
        return self.sagas / self.per_s

    @property
    def scheduled(self) -> list[int]:
        """Positions of the faults whose time comes: once, or as often as one from outside strikes."""
        return [n for n, each in enumerate(self.faults) for _ in range(1 if each.what in ARMED else each.times or 1)]

    def check(self) -> None:
        """Raises `Impossible`."""
        for fault in self.faults:
            if fault.name not in BY_NAME:
                raise Impossible(
                    f"{fault.name} strikes only a simulated run; chaos.real.catalogue has all of a real one"
                )
            if fault.point is Point.MASTER and self.redis == "one":
                raise Impossible(f"{fault.name} needs a Redis of several servers: sentinel or cluster")
            if fault.point in _ONE_REDIS and self.redis != "one":
                raise Impossible(f"{fault.name} needs a Redis that is alone: several are struck at their master")
            if fault.point is Point.PRIMARY and self.members < 3:
                raise Impossible(f"{fault.name} needs a replica set of at least three members")
            if self.members > 1 and fault.point in _ALONE:
                raise Impossible(f"{fault.name} needs a MongoDB that is alone: a replica set's members are not proxied")
            if fault.what not in ARMED and (fault.step or fault.kind or fault.skip or fault.probability < 1):
                raise Impossible(
                    f"{fault.name} strikes at its time: it can't be aimed at a step, or left to chance; "
                    f"what strikes inside processes or at entries can be: {', '.join(sorted(ARMED))}"
                )


_ONE_REDIS = (Point.REDIS, Point.COMMAND, Point.REPLY, Point.ORCHESTRATOR_REDIS, Point.PARTICIPANT_REDIS)
_ALONE = (Point.MONGODB, Point.ORCHESTRATOR_MONGODB, Point.PARTICIPANT_MONGODB)
