"""Scenarios that everybody wants to see. `saga chaos run NAME` runs one."""

from collections.abc import Mapping

from chaos.faults import CATALOGUE, Point, What
from chaos.scenario import Scenario, Strike

_RARE: Mapping[Point, int] = {
    Point.INSERT: 3,
    Point.SAVE: 3,
    Point.RESCHEDULE: 25,
}  #: how much rarer than elsewhere an occasion is


def _named(*names: str, probability: float = 1.0, times: int | None = None) -> tuple[Strike, ...]:
    return tuple(Strike(fault=name, probability=probability, times=times) for name in names)


def _every(*kinds: What, probability: float, times: int | None = None) -> tuple[Strike, ...]:
    """All faults of these kinds; where there are few occasions, each is taken more often."""
    return tuple(
        Strike(fault=fault.name, probability=min(0.6, probability * _RARE.get(fault.point, 1)), times=times)
        for fault in CATALOGUE
        if fault.what in kinds
    )


def _overtaken() -> tuple[Strike, ...]:
    """The action waits in its stream while its step is given up and undone; then it arrives."""
    late = tuple(Strike(fault="delay command", kind="action", probability=0.4, for_s=for_s) for for_s in (120.0, 300.0))
    return (*late, *_named("pause before participant commit", probability=0.1, times=10))


PRESETS: Mapping[str, Scenario] = {
    "happy-baseline": Scenario(name="happy-baseline", sagas=100),
    "killer-monkey": Scenario(
        name="killer-monkey",
        sagas=100,
        begun_within_s=60,
        reject_rate=0.1,
        faults=_every(What.KILL_BEFORE, What.KILL_AFTER, probability=0.02),
    ),
    "flaky-bus": Scenario(
        name="flaky-bus",
        sagas=100,
        reject_rate=0.1,
        faults=_every(What.LOSE, What.REPEAT, What.DELAY, probability=0.15),
    ),
    "bus-wiped": Scenario(
        name="bus-wiped",
        sagas=100,
        begun_within_s=60,
        reject_rate=0.1,
        faults=_every(What.FLUSH, What.LOSE_GROUP, What.BUS_OUTAGE, probability=0.03, times=5),
    ),
    "failover-storm": Scenario(
        name="failover-storm",
        sagas=100,
        begun_within_s=60,
        reject_rate=0.1,
        faults=(
            *_every(What.STORE_OUTAGE, probability=0.02, times=6),
            *_every(What.REFUSE, What.FORGET, What.CONFLICT, probability=0.05),
        ),
    ),
    "zombie": Scenario(
        name="zombie",
        sagas=200,
        begun_within_s=2_400,
        reject_rate=0.2,
        troubled_s=3_000,
        faults=_every(What.PAUSE_BEFORE, What.PAUSE_AFTER, probability=0.06),
    ),
    "compensation-overtakes-action": Scenario(
        name="compensation-overtakes-action", sagas=50, cancel_rate=0.5, troubled_s=300, faults=_overtaken()
    ),
    "hot-product": Scenario(
        name="hot-product",
        sagas=300,
        begun_within_s=1,
        instances=3,
        stock=100,
        batch=False,
        faults=_named("conflict at participant commit", probability=0.2),
    ),
    "poison": Scenario(name="poison", sagas=100, faults=_every(What.GARBLE, probability=0.2)),
    "rolling-upgrade": Scenario(
        name="rolling-upgrade",
        sagas=100,
        begun_within_s=60,
        reject_rate=0.1,
        upgrading=True,
        orchestrators=3,
        faults=_named("lose command", "lose reply", probability=0.05),
    ),
}
