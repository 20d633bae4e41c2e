"""Any messages in any order, from participants that may be anybody: the rules of `support/rules.py` always hold."""

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from orchestrator.core import decide as core
from support.defects import DEFECTS, Defect
from support.histories import Decide, History, Said, Setting, says, settings_of_sagas

CORE_DEFECTS = [defect for defect in DEFECTS if defect.in_core]


def lives(setting: Setting, history: list[Said], decide: Decide = core.decide) -> None:
    saga = History(setting, decide)
    for said in history:
        saga.hears(said)
        if saga.over:
            return
    saga.heals()


@settings(max_examples=400, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(settings_of_sagas, says)
def test_no_message_breaks_a_saga_and_in_fair_weather_it_ends(setting: Setting, history: list[Said]) -> None:
    lives(setting, history)


@pytest.mark.parametrize("defect", CORE_DEFECTS, ids=str)
def test_the_rules_catch(defect: Defect) -> None:
    @seed(1)
    @settings(
        max_examples=1000,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(settings_of_sagas, says)
    def search(setting: Setting, history: list[Said]) -> None:
        lives(setting, history, defect.protocol.decide)

    with pytest.raises(AssertionError) as caught:
        search()
    print(f"\n{defect}: {str(caught.value).split(':')[0]}", end="")  # noqa: T201 - which rule is worth seeing
