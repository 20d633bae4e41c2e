"""Real runs that everybody wants to see. `saga chaos run NAME --mode real` runs one, as long as its strikes need."""

from collections.abc import Mapping

from chaos.real.processes import DOWN_S
from chaos.scenario import Scenario, Strike


def _named(*names: str, times: int = 1, for_s: float | None = None) -> tuple[Strike, ...]:
    return tuple(Strike(fault=name, times=times, for_s=for_s) for name in names)


_KILLER_MONKEY = ("kill orchestrator", "kill participant")
_BUS_WIPED = ("flush Redis", "lose group of command", "lose group of reply", "kill Redis", "lose file of Redis")
_FAILOVER_STORM = ("step down primary", "kill primary")
_MASTERS = ("step down Redis master", "kill Redis master", "pause Redis master")
_KILLS = _named("kill orchestrator", "kill participant", "kill Redis", "kill MongoDB", times=3, for_s=DOWN_S)


PRESETS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="happy-baseline"),
        Scenario(
            name="killer-monkey",
            faults=(*_named("kill orchestrator", times=4), *_named("kill participant", times=6)),
        ),
        Scenario(
            name="flaky-bus",
            faults=(
                *_named("lose command", "lose reply", "delay command", "delay reply", times=5),
                *_named("repeat command", "repeat reply", "trim command", "trim reply", times=2),
                *_named("slow wire from participants to Redis", "cut wire from orchestrators to Redis"),
            ),
        ),
        Scenario(name="bus-wiped", faults=(*_named("flush Redis", times=4), *_named(*_BUS_WIPED[1:]))),
        Scenario(name="failover-storm", faults=_named(*_FAILOVER_STORM, times=3), members=3),
        *(
            Scenario(name=f"redis-{kind}", faults=_named(*_MASTERS, times=2), redis=kind, begun_within_s=90)
            for kind in ("sentinel", "cluster")
        ),
        Scenario(name="mixed-storm", faults=_named(*_KILLER_MONKEY, *_BUS_WIPED, *_FAILOVER_STORM), members=3),
        Scenario(name="kills", faults=_KILLS),
        Scenario(name="kills-alone", faults=_KILLS, orchestrators=1, instances=1),
        Scenario(
            name="zombie",
            faults=(
                *_named("pause orchestrator", "pause participant", times=3),
                *_named("pause before orchestrator save", "pause before participant commit"),
            ),
        ),
        Scenario(
            name="poison", faults=_named("garble command", "garble reply", "forge command", "forge reply", times=2)
        ),
        Scenario(name="rolling-upgrade", faults=_named("restart services"), upgrading=True),
    )
}
