"""Every fault at every step: of the order saga, and of a longer one."""

import os

import pytest

from chaos.campaign import Tried, matrix, runs
from chaos.matrix import Place, cells, places
from chaos.presets import PRESETS
from sagas import Saga
from sagas.imports import named
from sagas.order import order
from support.long_saga import house

SEEDS = 10 if os.environ.get("SAGA_SOAK") else 1
ORDER, HOUSE = "sagas.order:order", "support.long_saga:house"


def told(saga: str, tried: Tried) -> str:
    cell = list(cells(named(saga, Saga)))[tried.position]
    return f"{cell.fault.name}, {cell.place.step} {cell.place.kind}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("saga", [ORDER, HOUSE])
def test_every_cell_is_green(saga: str) -> None:
    tried = list(matrix(saga, SEEDS))

    assert len(tried) == len(list(cells(named(saga, Saga))))
    assert not [f"{told(saga, one)}: seed {one.failed_seed}" for one in tried if one.failed_seed is not None]
    assert not [f"{told(saga, one)}: never struck" for one in tried if not one.fired]


def test_the_rows_are_all_commands_that_can_be_sent() -> None:
    assert [(place.step, place.kind) for place in places(order)] == [
        ("reserve-stock", "action"),
        ("reserve-stock", "compensation"),
        ("charge-payment", "action"),
        ("charge-payment", "compensation"),
        ("confirm", "action"),
    ]
    assert Place("permit", "revoke") in places(house)
    assert Place("build", "revoke") in places(house)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_holds_and_all_its_faults_strike(name: str) -> None:
    (summary,) = runs(ORDER, PRESETS[name], [1, 2], processes=1)

    assert not summary.failed
    assert not summary.never


def test_of_a_hot_product_exactly_what_is_there_is_sold() -> None:
    (summary,) = runs(ORDER, PRESETS["hot-product"], [2], processes=1)

    assert summary.statuses == {"completed": 100, "compensated": 200}
