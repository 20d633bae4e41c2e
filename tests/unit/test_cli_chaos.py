"""`saga chaos`: runs, the matrix, and a recorded run that is repeated."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


def chaos(*arguments: str) -> Result:
    return CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200"}).invoke(app, ["chaos", *arguments])


@pytest.fixture
def costly(tmp_path: Path) -> Path:
    """A scenario that fails: it allows less than a saga costs once something is lost."""
    file = tmp_path / "costly.yaml"
    file.write_text("sagas: 3\nmost_messages: 6\nfaults: [{fault: lose reply, probability: 0.5}]\n")
    return file


def test_a_run_says_what_it_did_and_ends_well(tmp_path: Path) -> None:
    result = chaos("run", "flaky-bus", "--seed", "1", "--records", str(tmp_path), "--processes", "1")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1 runs, 100 sagas (")
    assert not list(tmp_path.iterdir())


def test_a_run_as_json_has_what_a_program_wants(tmp_path: Path) -> None:
    result = chaos("run", "--seeds", "3", "--json", "--records", str(tmp_path), "--processes", "1")

    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (told["held"], told["runs"], told["failed"], told["never"]) == (True, 3, [], [])
    assert sum(told["sagas"].values()) > 3


def test_a_run_that_fails_is_shown_recorded_and_can_be_repeated(costly: Path, tmp_path: Path) -> None:
    failed = chaos("run", str(costly), "--records", str(tmp_path / "records"), "--processes", "1")
    (recorded,) = (tmp_path / "records").iterdir()

    assert failed.exit_code == 1
    assert "sagas cost little" in failed.stderr
    assert "✘ bus: lose reply" in failed.stderr
    assert f"saga chaos replay {recorded}" in failed.stderr

    again = chaos("replay", str(recorded))
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (1, "FAILED")

    told = json.loads(recorded.read_text())
    recorded.write_text(json.dumps({**told, "scenario": {**told["scenario"], "most_messages": 100}}))
    mended = chaos("replay", str(recorded))
    assert (mended.exit_code, mended.stdout) == (0, "FIXED: every invariant holds.\n")

    recorded.write_text("{}")
    broken = chaos("replay", str(recorded))
    assert broken.exit_code == 2
    assert broken.stderr.startswith("ERROR: ")


def test_a_fault_that_never_strikes_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "quiet.yaml"
    file.write_text("sagas: 1\nfaults: [{fault: lose reply, kind: compensation}]\n")

    result = chaos("run", str(file), "--processes", "1")

    assert result.exit_code == 1
    assert "Never struck, so nothing was shown about: lose reply." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "no-such-preset"), "is no file, and none of the presets happy-baseline"),
        (("run", "--saga", "order"), "there is no module 'order'"),
        (("matrix", "--saga", "no.such:saga"), "there is no module 'no.such'"),
        (("run", "--for", "1m"), "--for is for real runs: add --mode real"),
        (("run", "--participant", "hotel"), "--participant is for real runs: add --mode real"),
        (("run", "--mode", "real", "--seeds", "20"), "--seeds is for simulated runs: leave out --mode real"),
        (("run", "--mode", "real", "--processes", "1"), "--processes is for simulated runs"),
        (("matrix", "--rate", "5"), "--rate is for real runs: add --mode real"),
        (("matrix", "--participant", "hotel"), "--participant is for real runs: add --mode real"),
        (("matrix", "--mode", "real", "--seeds", "1"), "--seeds is for simulated runs"),
    ],
)
def test_what_cannot_be_run_is_a_usage_error(arguments: tuple[str, ...], said: str) -> None:
    result = chaos(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_presets_and_faults_are_listed() -> None:
    assert "killer-monkey" in chaos("ls").stdout
    told = json.loads(chaos("ls", "--json").stdout)
    assert {"fault": "lose command", "for_s": 0.0} in told["faults"]
    assert told["presets"].keys() >= {"happy-baseline", "killer-monkey", "flaky-bus", "bus-wiped", "failover-storm"}


def test_a_report_shows_the_run_that_failed(costly: Path, tmp_path: Path) -> None:
    result = chaos("run", str(costly), "--records", str(tmp_path / "r"), "--report", str(tmp_path), "--processes", "1")

    assert result.exit_code == 1
    shown = (tmp_path / "report.html").read_text()
    assert f"saga chaos run {costly} --saga sagas.order:order --seed 0 --seeds 1" in shown
    assert "sagas cost little" in shown
    assert "sagas cost little" in (tmp_path / "junit.xml").read_text()
