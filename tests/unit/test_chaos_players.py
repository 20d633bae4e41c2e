"""Who plays a saga's participants in a real run."""

import os
from pathlib import Path

import pytest

from chaos.real.launch import versions
from chaos.real.services import known_sagas, players, python_path
from chaos.real.setup import Setup
from sagas import InvalidDefinition
from sagas.order import order


def test_the_shipped_participants_play_the_order_saga() -> None:
    assert players(Setup()) == {name: f"participants.{name}:{name}" for name in ("inventory", "payment", "orders")}


def test_stand_ins_play_those_that_nobody_has_written() -> None:
    assert players(Setup(saga="support.purchase:purchase")) == {"payments": None, "shipping": None}


def test_the_users_own_come_first() -> None:
    assert players(Setup(participants=["participants.app:payment"]))["payment"] == "participants.app:payment"


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (Setup(saga="no.such.module:saga"), "no.such.module"),
        (Setup(saga="sagas.order:nothing"), "is not a Saga"),
        (Setup(saga="sagas.contracts"), "has no Saga at its top level"),
        (Setup(participants=["sagas.order:order"]), "is not a Participant"),
    ],
)
def test_what_is_not_there_is_said(setup: Setup, why: str) -> None:
    with pytest.raises(InvalidDefinition, match=why):
        players(setup)


def test_an_upgrade_brings_the_next_version() -> None:
    assert [saga.version for saga in known_sagas(Setup(upgraded=True))] == [1, 2]
    assert [saga.fingerprint for saga in versions(order, 2)] == [order.fingerprint] * 2


@pytest.mark.parametrize(("path", "there"), [("", "."), ("lib", "lib")])
def test_processes_of_a_run_find_modules_where_the_command_is_run(
    path: str, there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(path)

    assert python_path().split(os.pathsep)[0] == str(tmp_path / there)
