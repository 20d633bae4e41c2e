"""The program `saga`, before its commands are loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.bench.ground import begin
from sagas.imports import OWN

INTERRUPTED = """
import sys

class CtrlC:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
from cli.entry import main
main()
"""


def test_ctrl_c_while_it_is_being_loaded_ends_it_without_a_traceback(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_it_runs_the_commands(tmp_path: Path) -> None:
    program = "import sys; sys.argv = ['saga', '--version']; from cli.entry import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stdout.split()[0]) == (0, "saga")


OWN_MODULES = """
import sys
sys.argv = ["saga", "participant", "shop:shop", "--no-such-option"]
from cli.entry import main
try:
    main()
finally:
    import shop, tabnanny, participants.settings, chaos.record
    print(shop.__file__, tabnanny.__file__)
"""


def test_what_is_where_it_is_run_comes_first_and_hides_nothing_of_ours(tmp_path: Path) -> None:
    for name in (*OWN, "shop", "tabnanny"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    ended = subprocess.run(
        [sys.executable, "-P", "-c", OWN_MODULES], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    there = [str(tmp_path / name / "__init__.py") for name in ("shop", "tabnanny")]  # One of them is Python's, too.
    assert ended.stdout.split() == there, ended.stderr


def test_a_process_of_its_own_is_ours_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cli.py").write_text("raise SystemExit('not ours')")
    log = tmp_path / "log"
    with log.open("w") as file, begin(["--version"], os.environ, file) as process:
        assert process.wait() == 0
    assert log.read_text().startswith("saga ")
