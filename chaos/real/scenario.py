"""A scenario on real servers: the same words as in the simulation, as far as a real run can do what they say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chaos.invariants import found
from chaos.real.catalogue import BY_NAME
from chaos.real.setup import Setup
from chaos.scenario import InvalidScenario, Scenario
from sagas import Saga
from sagas.imports import named

APART_S = 5.0  #: from one strike to the next, on average, where a scenario does not say how long it lasts

#: A scenario's fields that a setup has under the same name.
_SAME = {
    "reject_rate",
    "cancel_rate",
    "orchestrators",
    "instances",
    "members",
    "redis",
    "batch",
    "external",
    "heal_within_s",
}
_SAME |= {"most_messages", "most_stuck"}
_UNDERSTOOD = {*_SAME, "name", "sagas", "begun_within_s", "upgrading", "faults", "invariants"}


def setup_of(scenario: Scenario, usual: Setup) -> Setup:
    """The usual setup with all that the scenario says; a fault strikes once, unless it has `times`.

    Raises `InvalidScenario` where a real run can't do it, `InvalidDefinition` where saga or invariants are not there.
    """
    scenario.check_steps(named(usual.saga, Saga))
    given: Mapping[str, Any] = scenario.model_dump(exclude_unset=True)
    if strange := sorted(given.keys() - _UNDERSTOOD):
        can = ", ".join(sorted(_UNDERSTOOD))
        raise InvalidScenario(f"{scenario.name}: {strange[0]} is for simulated runs. A real run takes {can}.")
    setup = replace(
        usual,
        faults=tuple(strike.to_fault(BY_NAME, f"{scenario.name}: a real run") for strike in scenario.faults),
        upgraded=scenario.upgrading,
        invariants=found(scenario.invariants, usual.invariants),
        **{name: given[name] for name in _SAME & given.keys()},
    )
    lasts_s = max(1.0, given.get("begun_within_s", APART_S * (len(setup.scheduled) + 2)))
    sagas = given.get("sagas", int(lasts_s * usual.per_s))
    return replace(setup, sagas=sagas, per_s=sagas / lasts_s)
