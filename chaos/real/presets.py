"""Real runs that everybody wants to see. `saga chaos run NAME --mode real` runs one."""

from collections.abc import Mapping
from dataclasses import replace

from chaos.faults import Fault
from chaos.real.catalogue import BY_NAME
from chaos.real.setup import Setup

_APART_S = 5.0  #: from one strike to the next, on average


def _preset(*faults: Fault, members: int = 1, upgraded: bool = False) -> Setup:
    """With as many sagas as it takes for all of its strikes."""
    setup = Setup(faults=faults, members=members, upgraded=upgraded)
    return replace(setup, sagas=int(setup.per_s * _APART_S * (len(setup.scheduled) + 2)))


def _named(*names: str, times: int = 1) -> tuple[Fault, ...]:
    return tuple(replace(BY_NAME[name], times=times) for name in names)


_KILLER_MONKEY = ("kill orchestrator", "kill participant")
_BUS_WIPED = ("flush Redis", "lose group of command", "lose group of reply", "kill Redis", "lose file of Redis")
_FAILOVER_STORM = ("step down primary", "kill primary")
_KILLS = _named("kill orchestrator", "kill participant", "kill Redis", "kill MongoDB", times=3)

PRESETS: Mapping[str, Setup] = {
    "happy-baseline": _preset(),
    "killer-monkey": _preset(*_named("kill orchestrator", times=4), *_named("kill participant", times=6)),
    "flaky-bus": _preset(
        *_named("repeat command", "repeat reply", "trim command", "trim reply", times=2),
        *_named("slow wire from participants to Redis", "cut wire from orchestrators to Redis"),
    ),
    "bus-wiped": _preset(*_named("flush Redis", times=4), *_named(*_BUS_WIPED[1:])),
    "failover-storm": _preset(*_named(*_FAILOVER_STORM, times=3), members=3),
    "mixed-storm": _preset(*_named(*_KILLER_MONKEY, *_BUS_WIPED, *_FAILOVER_STORM), members=3),
    "kills": _preset(*_KILLS),
    "kills-alone": replace(_preset(*_KILLS), orchestrators=1, instances=1),
    "zombie": _preset(
        *_named("pause orchestrator", "pause participant", times=3),
        *_named("pause before orchestrator save", "pause before participant commit"),
    ),
    "poison": _preset(*_named("garble command", "garble reply", "forge command", "forge reply", times=2)),
    "rolling-upgrade": _preset(*_named("restart services"), upgraded=True),
}
