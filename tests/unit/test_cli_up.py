"""`saga up` with sagas and participants of one's own: what is wrong with them is said before anything is started."""

import json
import shlex
from pathlib import Path

import pytest

from cli.banner import banner, unanswered
from cli.databases import Databases
from participants import Participant
from participants.app import SHIPPED
from sagas.order import PlaceOrder, order
from support.saga_command import saga

PARTICIPANT = "from participants import Participant\n\nhotel = Participant('hotel')\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_saga_module_that_is_broken_is_shown_without_starting_anything(folder: Path) -> None:
    (folder / "up_broken_saga.py").write_text("def trip(:\n")

    result = saga("up", "--saga", "up_broken_saga")

    assert result.exit_code == 1
    assert 'up_broken_saga.py", line 1' in result.stderr
    assert "SyntaxError" in result.stderr
    assert "Traceback" not in result.output
    assert not (folder / ".saga").exists()


def test_a_participants_module_that_is_broken_is_shown_likewise(folder: Path) -> None:
    (folder / "up_broken_hotel.py").write_text("import no_such_dependency\n")

    result = saga("up", "--participant", "up_broken_hotel:hotel")

    assert result.exit_code == 2
    assert 'up_broken_hotel.py", line 1' in result.stderr
    assert "No module named 'no_such_dependency'" in result.stderr
    assert not (folder / ".saga").exists()


def test_a_mistyped_participant_is_told_what_the_module_has(folder: Path) -> None:
    (folder / "up_hotel.py").write_text(PARTICIPANT)

    result = saga("up", "--participant", "up_hotel:hotell")

    assert result.exit_code == 2
    assert result.stderr == "'hotell' in module 'up_hotel' is not a Participant. Did you mean 'hotel'?\n"


HERE = Databases("mongodb://127.0.0.1:1/", "redis://127.0.0.1:2/0", own_mongo=True, own_redis=True)


def test_without_sagas_of_ones_own_the_banner_has_an_order_to_try() -> None:
    said = banner("http://127.0.0.1:3", HERE, [], [])
    assert "curl -s http://127.0.0.1:3/v1/sagas" in said
    assert "http://127.0.0.1:3/docs" in said


def test_with_a_saga_of_ones_own_the_banner_says_how_to_start_it() -> None:
    said = banner("http://127.0.0.1:3", HERE, [order], [])
    (line,) = (line for line in said.splitlines() if line.startswith("  saga start"))
    *command, data, _, _ = shlex.split(line)
    assert command == ["saga", "start", "order", "--data"]
    PlaceOrder.model_validate(json.loads(data))


def test_a_saga_whose_participants_do_not_run_here_is_told_so_once_for_each() -> None:
    assert list(unanswered([order], SHIPPED.values())) == []
    remarks = list(unanswered([order], [SHIPPED["inventory"], Participant("orders")]))
    assert remarks == [
        "order: the participant orders has no handler for orders.confirm-order.",
        "order: no participant payment runs here. "
        "Add it with --participant module:attribute, unless it runs elsewhere.",
    ]
    assert f"\n! {remarks[0]}\n! {remarks[1]}" in banner("http://127.0.0.1:3", HERE, [], remarks)


def test_a_module_that_has_the_name_of_one_of_our_packages_is_told_so(folder: Path) -> None:
    (folder / "participants").mkdir()
    (folder / "participants" / "hotel.py").write_text(PARTICIPANT)
    (folder / "sagas.py").write_text("")

    for arguments, own in (
        (("--participant", "participants.hotel:hotel"), "participants"),
        (("--saga", "sagas"), "sagas"),
    ):
        result = saga("up", *arguments)
        assert result.exit_code != 0
        assert f"because '{own}' is the name of one of the saga service's packages" in result.stderr
        assert f"another name, like 'my_{own}'" in result.stderr
    assert not (folder / ".saga").exists()
