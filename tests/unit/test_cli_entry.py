"""The program `saga`, before its commands are loaded."""

import subprocess
import sys
from pathlib import Path

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
