"""`saga up` with sagas and participants of one's own: what is wrong with them is said before anything is started."""

from pathlib import Path

import pytest

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
