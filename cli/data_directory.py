"""The data directory, `.saga/`: the databases' files, and what running services tell about themselves.

`service.json` says where the service is, `processes.json` which process is which. Both vanish with their writer, except
when it is killed: so a reader must expect them to be wrong, and nothing may rest on them.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.failure import Exit, Failure

NAME = ".saga"


class DataDirectory:
    """One data directory; made when it is first written to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """One process at a time has `what` of this directory; the lock goes with the process, however that ends."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / f"{what}.lock").open("w")
        except OSError as error:
            raise Failure(f"Can't write to {self.path}: {error.strerror}. Choose another place with --dir.") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Failure(
                    f"Another `saga` uses the {what} of {self.path} already{self._where()}. "
                    "End it first, or choose another --dir."
                ) from error
            yield

    def _where(self) -> str:
        service = self.service()
        return f" ({service['url']}, pid {service['pid']})" if service else ""

    @contextmanager
    def announced(self, url: str, databases: Mapping[str, str] | None = None) -> Iterator[None]:
        """Say where the service is while the body runs, and its databases where they are our own: no secrets here."""
        self._write("service.json", {"url": url, "pid": os.getpid(), **(databases or {})})
        try:
            yield
        finally:
            self._remove("service.json")

    def service(self) -> dict[str, Any] | None:
        """What the newest service has said: `url`, `pid`, and `mongo_url`, `redis_url` where these are its own."""
        return self._read("service.json", {"url": str, "pid": int})

    def write_processes(self, processes: Mapping[str, Mapping[str, Any]]) -> None:
        """Say which process is which, by name: `{"inventory": {"pid": 4711, "restarts": 0}}`."""
        self._write("processes.json", processes)

    def has_processes(self) -> bool:
        """Whether a supervisor left its word, because it was killed: its children may be ending just now."""
        return (self.path / "processes.json").exists()

    def remove_processes(self) -> None:
        """There are none any more."""
        self._remove("processes.json")

    def _write(self, name: str, what: Any) -> None:
        fresh = self.path / f"{name}.new"
        fresh.write_text(json.dumps(what) + "\n")
        fresh.replace(self.path / name)  # In one step: a reader never meets half a file.

    def _read(self, name: str, shape: Mapping[str, type]) -> dict[str, Any] | None:
        try:
            found = json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or not all(isinstance(found.get(key), kind) for key, kind in shape.items()):
            return None
        return found

    def _remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


def nearest() -> DataDirectory:
    """The data directory of this project: SAGA_DATA_DIR, else that of the current directory or the nearest above."""
    if given := os.environ.get("SAGA_DATA_DIR"):
        return DataDirectory(Path(given))
    here = Path.cwd()
    return DataDirectory(next((each / NAME for each in (here, *here.parents) if (each / NAME).is_dir()), here / NAME))


def service_url(given: str | None) -> str:
    """Where the service is: as given, else what the data directory says."""
    if given:
        return given
    service = nearest().service()
    if service:
        return str(service["url"])
    raise Failure(
        f"No service is running here: {NAME}/service.json was not found in {Path.cwd()} or above.\n"
        "Start one with `saga up`, or name one with --url or SAGA_URL.",
        Exit.OTHER,
    )
