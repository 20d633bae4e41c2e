"""What this machine and this environment say: settings, definitions, keys, the data directory. Connects to nothing."""

import os
import platform
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from adapters.facts import Fact, Unknown
from adapters.process import PlannedFaults, refuse_planned_faults
from adapters.secret_files import secret
from adapters.servers.process import lives
from cli.data_directory import DataDirectory
from cli.databases import participant_settings, running_databases
from cli.failure import Failure
from cli.up import is_free
from cli.variables import unread
from orchestrator.keys import ApiKey
from orchestrator.settings import InvalidSettings, Settings
from participants.settings import ParticipantSettings
from sagas import Definitions

NO_DATABASE = "no database is known here"
PACKAGES = ("saga-orchestrator", "faststream", "redis", "motor", "pymongo", "pydantic", "fastapi", "uvicorn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Everything that can be known without asking a server."""

    settings: Settings  #: those of the environment; where one is wrong, its default
    participants: ParticipantSettings  #: likewise
    problems: Sequence[str]  #: of the settings, a line each
    strange: Sequence[str]  #: variables SAGA_… that nobody reads
    mongo_url: str | None
    redis_url: str | None
    definitions: Fact[Definitions]
    keys: Sequence[ApiKey]  #: without any, nobody has to say who they are
    client_key_known: bool | None  #: whether SAGA_API_KEY is one of the keys; None where one of both is not given
    data: "DataFacts"
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The data directory, and what was said in it."""

    path: str
    writable: bool
    free_bytes: int
    service: Mapping[str, Any] | None
    service_alive: bool  #: whether the process that said so lives
    port_free: bool


def look_here(data: DataDirectory, within_s: float) -> Here:
    """Look at everything here."""
    environ, found = os.environ, running_databases(data)
    told, unreadable = _secrets("SAGA_MONGO_URL", "SAGA_REDIS_URL", "SAGA_API_KEY")
    mongo_url = told.get("SAGA_MONGO_URL") or found.get("mongo_url")
    redis_url = told.get("SAGA_REDIS_URL") or found.get("redis_url")
    settings, problems = _settings(mongo_url, redis_url)
    participants, more = _participant_settings()
    ring = settings.key_ring
    return Here(
        settings=settings,
        participants=participants,
        problems=list(dict.fromkeys([*problems, *unreadable, *more, *_planned_faults()])),
        strange=unread(environ),
        mongo_url=mongo_url,
        redis_url=redis_url,
        definitions=_definitions(settings.definitions, within_s),
        keys=ring.keys,
        client_key_known=ring.find(told["SAGA_API_KEY"]) is not None
        if ring.required and "SAGA_API_KEY" in told
        else None,
        data=_data(data, settings),
        versions=_versions(),
    )


def _secrets(*names: str) -> tuple[dict[str, str], list[str]]:
    """Those that are set, or stand in a file; and which of the files can't be read."""
    found, problems = {}, []
    for name in names:
        try:
            if value := secret(name):
                found[name] = value
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def _settings(mongo_url: str | None, redis_url: str | None) -> tuple[Settings, list[str]]:
    """The settings, and what is wrong with them; that is replaced, so that everything else can be looked at."""
    placeholders = {"mongo_url": "mongodb://127.0.0.1", "redis_url": "redis://127.0.0.1"}
    urls = {"mongo_url": mongo_url or placeholders["mongo_url"], "redis_url": redis_url or placeholders["redis_url"]}
    try:
        return Settings.load(**urls), []
    except InvalidSettings as error:
        fields = {name: field for name, field in Settings.model_fields.items() if name in error.names}
        good = {name: placeholders.get(name, field.default) for name, field in fields.items()}
        return Settings.load(**{**urls, **good}), str(error).splitlines()


def _participant_settings() -> tuple[ParticipantSettings, list[str]]:
    try:
        return participant_settings(), []
    except Failure as failure:
        return ParticipantSettings.model_construct(), str(failure).splitlines()


def _planned_faults() -> list[str]:
    try:
        refuse_planned_faults()
    except PlannedFaults as error:
        return [str(error)]
    return []


def _definitions(modules: str, within_s: float) -> Fact[Definitions]:
    """The user's modules run when they are imported: in a thread that may be left behind."""
    found: list[Fact[Definitions]] = []

    def load() -> None:
        try:
            found.append(Definitions.load(modules))
        except BaseException as error:  # noqa: BLE001 - whatever a module of the user's raises is the finding
            found.append(Unknown(f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    thread.join(within_s)
    return found[0] if found else Unknown(f"importing {modules} takes longer than {within_s:g} s")


def _data(data: DataDirectory, settings: Settings) -> DataFacts:
    there = next(path for path in (data.path.absolute(), *data.path.absolute().parents) if path.is_dir())
    service = data.service()
    return DataFacts(
        path=str(data.path),
        writable=os.access(there, os.W_OK),
        free_bytes=shutil.disk_usage(there).free,
        service=service,
        service_alive=service is not None and lives(service["pid"]),
        port_free=settings.http_port == 0 or is_free(settings.http_host, settings.http_port),
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found | {"platform": sys.platform}
